import { inputsOf, metadataOf, nameOf, namespaceOf, problemAt, workloadOf } from "../kubernetes";
import { ifKnown, judgement, type GraphPolicy, type Judged, type ResourcePolicy } from "../policy";
import { isTenants } from "./images";

/** Labels that every object has, with the value that all have alike, where they do. */
function neededLabels(environment: string): Readonly<Record<string, string | undefined>> {
  return {
    "app.kubernetes.io/name": undefined,
    "app.kubernetes.io/component": undefined,
    "app.kubernetes.io/part-of": "wasm-functions",
    "app.kubernetes.io/managed-by": "pulumi",
    environment,
  };
}

export const requiredLabels: ResourcePolicy = {
  name: "required-labels",
  description: "Every object says what it is, of what it is part, in which environment, and a tenant's, whose it is.",
  judge: (resource, facts, report) => {
    const metadata = metadataOf(resource);
    if (metadata === undefined) return;
    const needed = {
      ...neededLabels(facts.config.platform.environment),
      ...(ifKnown(() => isTenants(facts, resource)) === true &&
        isOfTenant(resource) && { "wasm-functions.dev/tenant": namespaceOf(resource) }),
    };
    for (const [label, wanted] of Object.entries(needed)) {
      judgement(() => {
        const found = metadata.labels?.[label];
        if (found !== undefined && (wanted === undefined || found === wanted)) return;
        report(
          problemAt(resource, `metadata.labels["${label}"]`, {
            value: found ?? "missing",
            limit: wanted === undefined ? "nobody can tell what it is" : `must be ${wanted}`,
            fix: "make its labels with `labels` of components/labels.ts",
          }),
        );
      });
    }
  },
};

/** In a tenant's namespace there are also the gateway's rights to see its endpoints, which are not the tenant's. */
function isOfTenant(resource: Judged): boolean {
  const component = ifKnown(() => metadataOf(resource)?.labels?.["app.kubernetes.io/component"]);
  return component === "tenant" || component === "function" || workloadOf(resource) !== undefined;
}

export const protectedState: GraphPolicy = {
  name: "protected-state",
  description: "What holds tenants or data cannot be deleted by an `up` or a `destroy`.",
  judgeAll: (resources, facts, report) => {
    const withData = new Set(resources.filter(keepsData).map(namespaceOf));
    for (const resource of resources) {
      const namespace = inputsOf(resource, "kubernetes:core/v1:Namespace") && nameOf(resource);
      if (namespace === undefined || resource.protect) continue;
      const tenant = facts.config.tenants.some(({ name }) => name === namespace);
      if (!tenant && !withData.has(namespace)) continue;
      report(
        resource,
        problemAt(resource, "protect", {
          value: "false",
          limit: `${withData.has(namespace) ? "volumes" : "a tenant's functions"} would be gone with it`,
          fix: "set platform.protect to true",
        }),
      );
    }
  },
};

/** In volumes of its own, which outlive its pods and not its namespace. */
function keepsData(resource: Judged): boolean {
  const claims = ifKnown(() => inputsOf(resource, "kubernetes:apps/v1:StatefulSet")?.spec?.volumeClaimTemplates);
  return (claims ?? []).length > 0 || resource.type === "kubernetes:core/v1:PersistentVolumeClaim";
}
