import type { Resource } from "../../../../local/engine/resources";

const PREFIX = "urn:pulumi:test::wasm-functions";
export const STACK = `${PREFIX}::pulumi:pulumi:Stack::wasm-functions-test`;

/** A resource as the engine knows it; components are of this project's own types. */
export function resource(type: string, name: string, more: Partial<Resource> = {}): Resource {
  const { parent = STACK } = more;
  const around = parent === STACK ? "" : `${parent.split("::")[2]}$`;
  const urn = `${PREFIX}::${around}${type}::${name}`;
  return { urn, type, custom: !type.startsWith("wasm-functions:"), dependencies: [], ...more, parent };
}

/** Two components, of which the one needs the other, and within the second one more, behind a provider. */
export function example(): Resource[] {
  const stack: Resource = { urn: STACK, type: "pulumi:pulumi:Stack", custom: false, dependencies: [] };
  const provider = resource("pulumi:providers:kubernetes", "cluster");
  const random = resource("pulumi:providers:random", "default_4_21_1");
  const by = (...dependencies: readonly Resource[]) => ({
    dependencies: [provider, ...dependencies].map(({ urn }) => urn),
  });
  const tenant = resource("wasm-functions:tenancy:Tenant", "shop");
  const namespace = resource("kubernetes:core/v1:Namespace", "shop", { parent: tenant.urn, ...by() });
  const quota = resource("kubernetes:core/v1:ResourceQuota", "shop-quota", { parent: tenant.urn, ...by(namespace) });
  const policies = ["deny", "dns"].map((name) =>
    resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", name, { parent: tenant.urn, ...by(namespace) }),
  );
  const watching = resource("wasm-functions:observability:Observability", "watching", by(tenant));
  const loki = resource("wasm-functions:observability:Loki", "loki", { parent: watching.urn });
  const lines = resource("kubernetes:apps/v1:StatefulSet", "loki", { parent: loki.urn, ...by(quota) });
  const grafana = resource("wasm-functions:observability:Grafana", "grafana", { parent: watching.urn });
  const password = resource("random:index/randomPassword:RandomPassword", "admin", {
    ...{ parent: grafana.urn, dependencies: [random.urn] },
  });
  const dashboards = resource("kubernetes:apps/v1:Deployment", "grafana", {
    ...{ parent: grafana.urn, ...by(lines, password) },
  });
  const constraints = ["WasmProbes", "WasmRbac"].map((kind) =>
    resource(`kubernetes:constraints.gatekeeper.sh/v1beta1:${kind}`, kind, by()),
  );
  const own = [tenant, namespace, quota, ...policies, watching, loki, lines, grafana, password, dashboards];
  return [stack, provider, random, ...own, ...constraints];
}
