/** The admission policies, each a folder of this name. It imports nothing, so that the config's schema can know them. */
export const POLICY_NAMES = [
  "allowed-registries",
  "container-resources",
  "digest-pinned-images",
  "no-latest-tag",
  "pod-disruption-budget",
  "pod-security",
  "probes",
  "public-services",
  "rbac",
  "replica-limits",
  "required-labels",
  "service-account-tokens",
  "tenant-isolation",
  "wasm-runtime-class",
] as const;

export type PolicyName = (typeof POLICY_NAMES)[number];
