/**
 * What the stack policy pack enforces, by name. A name that admission policies have too means the same there. It imports
 * nothing, so that tables of both sides can name them.
 */
export const STACK_POLICY_NAMES = [
  // As in admission: the same intent on the graph, before anything is sent.
  "allowed-registries",
  "digest-pinned-images",
  "no-latest-tag",
  "wasm-runtime-class",
  "container-resources",
  "replica-limits",
  "pod-disruption-budget",
  "probes",
  "pod-security",
  "service-account-tokens",
  "required-labels",
  "public-services",
  "rbac",
  // Only here: they compare objects with each other, with the plan, or with what is no object of the cluster.
  "autoscaler-required",
  "autoscaled-replicas",
  "network-policies",
  "plain-secrets",
  "gateway-tls",
  "protected-state",
  "ssh-host-keys",
  "k3s-version-skew",
  "stack-budget",
  "judged-kinds",
] as const;

export type StackPolicyName = (typeof STACK_POLICY_NAMES)[number];
