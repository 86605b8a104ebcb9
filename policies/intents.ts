import type { PolicyName as AdmissionPolicyName } from "./admission/names";
import type { StackPolicyName } from "./stack/names";

/** What must not ship, and who stops it: the stack policies before anything is sent, admission when it reaches the API server. */
export interface Intent {
  readonly intent: string;
  readonly stack: readonly StackPolicyName[];
  readonly admission: readonly AdmissionPolicyName[];
  /** Why one side alone enforces it; missing where both do. */
  readonly oneSided?: string;
}

const GRAPH = "Admission judges one object at a time; this is about two that belong together.";

/** Every intent. Each policy of both packs is in one of them; docs/policies.md has the same table. */
export const INTENTS: readonly Intent[] = [
  both("Images come from the stack's registries", "allowed-registries"),
  both("Functions' images are named by digest in production", "digest-pinned-images"),
  both("Images name a version, never `latest`", "no-latest-tag"),
  both("Functions run in the wasm runtime, and nothing else does", "wasm-runtime-class"),
  both("Containers request and are limited, functions within their bounds", "container-resources"),
  both("Functions have no more replicas than the plan has room for", "replica-limits"),
  both("Budgets leave room to evict a pod", "pod-disruption-budget"),
  both("What serves is probed; wasm pods not by programs", "probes"),
  both("Pods have no rights on their node", "pod-security"),
  both("No pod gets a token that it did not ask for", "service-account-tokens"),
  both("Objects say what they are, whose, and of which environment", "required-labels"),
  both("The gateway's Service alone is reached from outside", "public-services"),
  both("Rights are named one by one, and nobody without a name has any", "rbac"),
  {
    intent: "Namespaces are closed, and tenants refer to nothing of each other",
    stack: ["network-policies"],
    admission: ["tenant-isolation"],
  },
  stackAlone("A function has an autoscaler, within its bounds and those of its budget", "autoscaler-required", GRAPH),
  stackAlone("No count is fixed beside an autoscaler", "autoscaled-replicas", GRAPH),
  stackAlone(
    "No secret is in plain text",
    "plain-secrets",
    "Only the engine knows which values are secret; and Gatekeeper would have to be sent every Secret to look.",
  ),
  stackAlone(
    "Requests come in by TLS",
    "gateway-tls",
    "It is a setting in the gateway's own files and in the config, which an admission policy cannot read.",
  ),
  stackAlone(
    "What holds state is protected from deletion",
    "protected-state",
    "Protection is the engine's: the API server knows nothing of it.",
  ),
  stackAlone("Hosts are entered by known keys", "ssh-host-keys", "Hosts are no objects of the cluster."),
  stackAlone(
    "K3s is upgraded minor by minor",
    "k3s-version-skew",
    "Versions of hosts are the engine's business: the API server sees them once it is too late.",
  ),
  stackAlone(
    "Nothing comes in a form that policies do not look into",
    "judged-kinds",
    "Whatever the form, the API server is sent single objects, in the versions that admission matches.",
  ),
  stackAlone("A stack stays within its budget", "stack-budget", "Costs come from the plan, before there is a cluster."),
];

function both(intent: string, name: AdmissionPolicyName & StackPolicyName): Intent {
  return { intent, stack: [name], admission: [name] };
}

function stackAlone(intent: string, name: StackPolicyName, oneSided: string): Intent {
  return { intent, stack: [name], admission: [], oneSided };
}
