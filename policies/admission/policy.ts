import type { PolicyName } from "./names";

/** What is done with an object that a policy does not allow: refused, allowed with a warning, or only counted by the audit. */
export type Enforcement = "deny" | "warn" | "dryrun";

/** What constraints are made of: facts of one stack, in the units of the config. */
export interface AdmissionFacts {
  readonly environment: string;
  /** Namespaces that functions run in. */
  readonly tenants: readonly TenantFacts[];
  /** The only public Service. */
  readonly gateway: { readonly namespace: string; readonly service: string };
  /** The pods' and the Services', in CIDR form. */
  readonly networks: readonly string[];
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

export type PlatformRole = "gateway" | "admission" | "autoscaling" | "metallb" | "monitoring" | "monitoring-hosts";

export interface PlatformNamespaceFacts {
  readonly role: PlatformRole;
  readonly namespace: string;
}

/** An object of a cluster that Gatekeeper takes: a ConstraintTemplate or a constraint. */
export interface GatekeeperObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** What Gatekeeper is to say about objects of a few kinds. Its Rego is `<name>/<name>.rego`. */
export interface AdmissionPolicy {
  readonly name: PolicyName;
  /** Kind of its constraint. */
  readonly kind: string;
  /** What holds of every object that it lets in, in one line. */
  readonly title: string;
  /** Why, for whoever reads the template in the cluster. */
  readonly why: string;
  readonly matches: readonly MatchedKind[];
  /** The rules by which its Rego finds problems: what an exemption can be from. */
  readonly rules: readonly string[];
  /** OpenAPI schemas of the parameters, without that of `exemptions`, which every policy has. */
  readonly schema: Readonly<Record<string, object>>;
  readonly parameters: (facts: AdmissionFacts) => Readonly<Record<string, unknown>>;
  readonly exemptions: readonly Exemption[];
}

/** A kind of object, and how the API server names it when it asks. */
export interface MatchedKind {
  readonly group: string;
  readonly kind: string;
  readonly asked: {
    /** Of the resource, where it is not the kind's: `deployments/scale` is of `apps`, the Scale that comes with it of `autoscaling`. */
    readonly group: string;
    readonly version: string;
    /** Plural, and subresources that come with this kind: `pods/ephemeralcontainers`. */
    readonly resources: readonly string[];
  };
}

/** Objects that are let in although a rule speaks against them. Pods are exempted by what controls them. */
export interface Exemption {
  /** Whose object it is: without this part of the platform the exemption is not there. */
  readonly of: PlatformRole | "kubernetes";
  readonly kind: string;
  /** Where it is, unless in the namespace of its part, or in none because its kind has none. */
  readonly namespace?: string;
  /** May end with `*`. */
  readonly name: string;
  /** Rules of the policy. */
  readonly allows: readonly string[];
  readonly reason: string;
}
