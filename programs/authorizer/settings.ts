/** What the authorizer is told in its settings file; the platform's config in the form that it works with. */
export interface AuthorizerSettings {
  /** Where the gateway asks. */
  readonly port: number;
  /** Where the kubelet probes and Prometheus scrapes. */
  readonly adminPort: number;
  /** Whose tokens are believed; absent: nobody's. */
  readonly tokens?: TokenSettings;
  readonly routes: readonly RouteSettings[];
  /** Networks of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Whether a client's address is its own; false where the way in puts a node's in its place. */
  readonly seesAddresses: boolean;
  readonly budgets: BudgetSettings;
  /** Clients' budgets, and verified tokens, that are kept in memory, of each so many. */
  readonly remembered: number;
  /** Of requests that are let through, one in so many is logged; refusals always are. */
  readonly logSampling: number;
  /** Milliseconds for which it serves on after it was told to stop, until the gateways have forgotten it. */
  readonly propagation: number;
  /** Replicas that there are at least: what a client's budget is divided by until they were counted. */
  readonly replicas: number;
}

export interface TokenSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  /** A claim's name; dots go into objects. */
  readonly rolesClaim: string;
  readonly clockToleranceSeconds: number;
  /** Public keys as JSON Web Keys, or where they are published. */
  readonly keys: readonly Readonly<Record<string, unknown>>[] | { readonly url: string };
}

export interface RouteSettings {
  /** By which the gateway tells that it is this one. */
  readonly name: string;
  readonly host?: string;
  readonly path: string;
  readonly match: "exact" | "prefix";
  readonly methods: readonly string[];
  /** Anybody may call it. */
  readonly public: boolean;
  readonly roles: readonly string[];
  /** Per client. Routes that name one limit share its budget. */
  readonly limit: Limit;
}

export interface Limit {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly burst: number;
}

export type BudgetSettings =
  | {
      readonly kind: "divided";
      /** A DNS name that has an address for each replica. */
      readonly peers: string;
    }
  | ({
      readonly kind: "shared";
      /** As above: while the store does not answer, budgets are divided. */
      readonly peers: string;
      /** Share of what a client has left that a replica takes at once, from 0 to 1. */
      readonly lease: number;
    } & StoreSettings);

/** A server that speaks Valkey's protocol. */
export interface StoreSettings {
  readonly host: string;
  readonly port: number;
  /** Absent: the server's user `default`. */
  readonly username?: string;
  /** File with the store's password. */
  readonly passwordFile: string;
  /** Absent: in clear. */
  readonly tls?: {
    /** Certificates that the server's must descend from, as PEM; absent: those that Node knows. */
    readonly ca?: string;
  };
  /** What all keys begin with. */
  readonly prefix: string;
}
