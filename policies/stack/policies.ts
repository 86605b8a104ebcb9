import type { StackPolicy } from "./policy";
import { publicServices, rbac } from "./rules/access";
import { k3sVersionSkew, sshHostKeys, stackBudget } from "./rules/hosts";
import { allowedRegistries, digestPinnedImages, noLatestTag } from "./rules/images";
import { judgedKinds } from "./rules/kinds";
import { gatewayTls, networkPolicies } from "./rules/network";
import { protectedState, requiredLabels } from "./rules/objects";
import { podSecurity } from "./rules/pod-security";
import { containerResources, probes, serviceAccountTokens, wasmRuntimeClass } from "./rules/pods";
import { autoscaledReplicas, autoscalerRequired, podDisruptionBudget, replicaLimits } from "./rules/scaling";
import { plainSecrets } from "./rules/secrets";

/** Everything that the pack enforces, as plain objects. */
export const STACK_POLICIES: readonly StackPolicy[] = [
  allowedRegistries,
  digestPinnedImages,
  noLatestTag,
  wasmRuntimeClass,
  containerResources,
  replicaLimits,
  podDisruptionBudget,
  probes,
  podSecurity,
  serviceAccountTokens,
  requiredLabels,
  publicServices,
  rbac,
  autoscalerRequired,
  autoscaledReplicas,
  networkPolicies,
  plainSecrets,
  gatewayTls,
  protectedState,
  sshHostKeys,
  k3sVersionSkew,
  stackBudget,
  judgedKinds,
];
