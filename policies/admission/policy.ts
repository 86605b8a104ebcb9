/** What is done with an object that a policy does not allow: refused, allowed with a warning, or only counted by the audit. */
export type Enforcement = "deny" | "warn" | "dryrun";

/** What constraints are made of: facts of one stack, in the units of the config. */
export interface AdmissionFacts {
  readonly environment: string;
  /** Namespaces that functions run in. */
  readonly tenants: readonly TenantFacts[];
  /** The only public Service. */
  readonly gateway: { readonly namespace: string; readonly service: string };
  /** Namespaces of the platform's own, by what is in them; one that the stack does not have is missing. */
  readonly platform: readonly PlatformNamespaceFacts[];
  /** Beginnings of image references, up to a `/` or whole: `registry.example.com/`. */
  readonly registries: { readonly tenants: readonly string[]; readonly platform: readonly string[] };
  /** Whether functions' images must be named by digest. */
  readonly digests: boolean;
  /** RuntimeClass of functions. */
  readonly runtimeClassName: string;
}

export interface TenantFacts {
  readonly namespace: string;
  readonly functions: readonly FunctionFacts[];
}

export interface FunctionFacts {
  readonly name: string;
  /** Upper bounds of one container: CPU in cores, memory in bytes. */
  readonly limits: { readonly cpu: number; readonly memory: number };
  /** Most replicas at once, without a rolling update's surge. */
  readonly maxReplicas: number;
}

export const PLATFORM_ROLES = ["gateway", "admission", "metallb", "monitoring", "monitoring-hosts"] as const;

export interface PlatformNamespaceFacts {
  readonly role: (typeof PLATFORM_ROLES)[number];
  readonly namespace: string;
}

/** An object of a cluster that Gatekeeper takes: a ConstraintTemplate or a constraint. */
export interface GatekeeperObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: Readonly<Record<string, unknown>>;
}
