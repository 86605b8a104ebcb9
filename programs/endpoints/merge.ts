import type { DynamicConfig, GatewayConfig, ServiceRef } from "./settings";

/** Of Kubernetes' EndpointSlice what matters here. */
export interface EndpointSlice {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[] | null;
  readonly endpoints?:
    | readonly {
        readonly addresses: readonly string[];
        readonly conditions?: { readonly ready?: boolean; readonly terminating?: boolean };
      }[]
    | null;
}

const SERVICE_LABEL = "kubernetes.io/service-name";

/** The gateway's whole dynamic configuration: each service with the pods that are ready now. */
export function merge(config: GatewayConfig, slices: Iterable<EndpointSlice>): DynamicConfig {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_LABEL] ?? ""}`;
    byService.set(key, [...(byService.get(key) ?? []), slice]);
  }
  const services = Object.entries(config.dynamic.http.services).map(([name, service]) => {
    const ref = config.endpoints[name];
    if (ref === undefined) return [name, service] as const;
    const servers = addresses(ref, byService.get(`${ref.namespace}/${ref.name}`) ?? []);
    return [name, { ...service, loadBalancer: { ...service.loadBalancer, servers } }] as const;
  });
  return { ...config.dynamic, http: { ...config.dynamic.http, services: Object.fromEntries(services) } };
}

/** In a fixed order, and each once: a pod may stand in two slices while it moves from one to the other. */
function addresses(ref: ServiceRef, slices: readonly EndpointSlice[]): { readonly url: string }[] {
  const urls = slices.flatMap(({ ports, endpoints }) => {
    const port = ports?.find(({ name }) => name === ref.port)?.port;
    if (port === undefined) return [];
    return (endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false && conditions?.terminating !== true)
      .flatMap((endpoint) => endpoint.addresses.slice(0, 1))
      .map((address) => `http://${address.includes(":") ? `[${address}]` : address}:${port}`);
  });
  return [...new Set(urls)].sort().map((url) => ({ url }));
}
