import { allowedRegistries } from "./allowed-registries/policy";
import { containerResources } from "./container-resources/policy";
import { digestPinnedImages } from "./digest-pinned-images/policy";
import { noLatestTag } from "./no-latest-tag/policy";
import { podDisruptionBudget } from "./pod-disruption-budget/policy";
import type { AdmissionPolicy } from "./policy";
import { podSecurity } from "./pod-security/policy";
import { probes } from "./probes/policy";
import { publicServices } from "./public-services/policy";
import { rbac } from "./rbac/policy";
import { replicaLimits } from "./replica-limits/policy";
import { requiredLabels } from "./required-labels/policy";
import { serviceAccountTokens } from "./service-account-tokens/policy";
import { tenantIsolation } from "./tenant-isolation/policy";
import { wasmRuntimeClass } from "./wasm-runtime-class/policy";

export { constraintOf, templateOf } from "./objects";
export { ALREADY_JUDGED, CHANGED, watchedRules, type WatchedCondition, type WatchedRule } from "./watched-rules";

/** Every policy that Gatekeeper enforces, by name. */
export const ADMISSION_POLICIES: readonly AdmissionPolicy[] = [
  allowedRegistries,
  containerResources,
  digestPinnedImages,
  noLatestTag,
  podDisruptionBudget,
  podSecurity,
  probes,
  publicServices,
  rbac,
  replicaLimits,
  requiredLabels,
  serviceAccountTokens,
  tenantIsolation,
  wasmRuntimeClass,
];
