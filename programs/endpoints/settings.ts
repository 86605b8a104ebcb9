/** What the gateway's ConfigMap holds, as JSON: its dynamic configuration, but for the servers behind its services. */
export interface GatewayConfig {
  readonly dynamic: DynamicConfig;
  /** The Kubernetes Service whose ready pods are the servers of a service of the gateway, by the latter's name. */
  readonly endpoints: Readonly<Record<string, ServiceRef>>;
}

export interface ServiceRef {
  readonly namespace: string;
  readonly name: string;
  /** Name of the Service's port. */
  readonly port: string;
}

/** Of Traefik's dynamic configuration, what servers are filled in to. */
export interface DynamicConfig {
  readonly http: {
    readonly services: Readonly<Record<string, { readonly loadBalancer?: object; readonly weighted?: object }>>;
  };
}

/** The key of the ConfigMap. */
export const CONFIG_KEY = "gateway.json";
/** The file that the gateway watches. */
export const DYNAMIC_FILE = "dynamic.yaml";
