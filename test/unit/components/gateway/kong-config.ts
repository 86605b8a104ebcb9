import { kongDeclarative } from "../../../../components/gateway/kong-config";
import type { RenderArgs } from "../../../../components/gateway/render";
import { gatewayRoutes, latencyBuckets, upstreams } from "../../../../components/gateway/routes";
import { parseConfig } from "../../../../infra/config";

/** What a gateway is configured from, of this part of a stack's config. */
export function renderArgs(config: object = {}): RenderArgs {
  const { gateway, routes, functions } = parseConfig({
    cluster: { kind: "existing", kubeconfig: "kubeconfig" },
    functions: [
      { name: "checkout", image: "registry.example.com/shop/checkout:1.4.2" },
      { name: "next", image: "registry.example.com/shop/checkout:1.5.0", requestTimeout: "10s" },
    ],
    ...config,
    gateway: { kind: "kong", ...("gateway" in config && (config.gateway as object)) },
  });
  const reached = upstreams(routes, functions);
  return {
    gateway,
    routes: gatewayRoutes(routes),
    upstreams: reached,
    authorizer: "http://authorizer.gateway.svc.cluster.local:9000",
    buckets: latencyBuckets(functions),
    slow: 50,
    longest: Math.max(...reached.map(({ timeout }) => timeout)),
  };
}

/** The scripts of Kong's one plugin for all routes, by phase. */
export function scriptsOf(args: RenderArgs): Record<string, string> {
  const plugin = kongDeclarative(args).plugins.find(({ name }) => name === "pre-function");
  return Object.fromEntries(
    Object.entries(plugin?.config ?? {}).map(([phase, scripts]) => [phase, (scripts as string[])[0] ?? ""]),
  );
}
