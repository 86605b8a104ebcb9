import { problemAt } from "../kubernetes";
import type { Judged, ResourcePolicy } from "../policy";

/** The versions that the other policies know the objects of, by API group; what they know none of is anybody's own. */
const VERSIONS: Readonly<Record<string, string>> = {
  apps: "v1",
  autoscaling: "v2",
  batch: "v1",
  core: "v1",
  extensions: "none of them",
  "keda.sh": "v1alpha1",
  "networking.k8s.io": "v1",
  policy: "v1",
  "rbac.authorization.k8s.io": "v1",
};

/**
 * What the other policies would not see: they know objects by type. Charts and YAML files as the Kubernetes provider's
 * components are not of it: each of their objects is registered, and judged, by itself.
 */
export const judgedKinds: ResourcePolicy = {
  name: "judged-kinds",
  description: "Everything that is put into a cluster is of a type that the policies look into.",
  judge: (resource, _facts, report) => {
    const hidden = hiddenBy(resource);
    if (hidden === undefined) return;
    report(problemAt(resource, "type", { value: resource.type, ...hidden }));
  },
};

function hiddenBy({ type }: Judged): { readonly limit: string; readonly fix: string } | undefined {
  const [, group = "", version = "", kind = ""] = /^kubernetes:([^/:]+)\/([^:]+):(.+)$/.exec(type) ?? [];
  if (group === "helm.sh" && kind === "Release") {
    return { limit: "Helm makes its objects, which no policy sees", fix: "use a Chart, whose objects are resources" };
  }
  if (kind.endsWith("List")) return { limit: "its items are judged by no policy", fix: "make a resource of each" };
  if (kind.endsWith("Patch")) {
    return { limit: "what it makes of the object is known to the API server alone", fix: "make the object itself" };
  }
  const known = VERSIONS[group];
  if (known === undefined || known === version) return undefined;
  return {
    limit: `policies know ${known} of ${group}, and would pass it over`,
    fix: "use the object's stable version",
  };
}
