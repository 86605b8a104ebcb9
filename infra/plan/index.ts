import type { StackConfig } from "../config";
import { ProblemsError } from "../problems";
import type { Plan } from "./types";
import { planAdmission } from "./admission";
import { capacityProblems, planCapacity } from "./capacity";
import { planControlPlane } from "./control-plane";
import { planCost } from "./cost";
import { functionProblems } from "./function-checks";
import { observabilityProblems, planObservability } from "./observability";
import { planQuotas } from "./quotas";
import { planRequestPath, requestPathProblems } from "./request-path";
import { planScaleOut } from "./scale-out";
import { planTopology, topologyProblems } from "./topology";
import { planWarnings, versionProblems } from "./warnings";

export type * from "./types";
export { summarize } from "./summary";

/**
 * Works out what a config comes to, and whether it can hold its own targets. Pure: the same config gives the same plan.
 *
 * @throws ProblemsError with every limit that is broken, each with path, value, limit and fix.
 */
export function planStack(config: StackConfig): Plan {
  const topology = planTopology(config);
  const problems = [
    ...versionProblems(config),
    ...topologyProblems(config, topology),
    ...capacityProblems(config, topology),
    ...functionProblems(config),
    ...requestPathProblems(config),
    ...observabilityProblems(config),
  ];
  if (problems.length > 0) throw new ProblemsError("The plan cannot hold", problems);

  const plan = {
    topology,
    capacity: planCapacity(config, topology),
    quotas: planQuotas(config),
    scaleOut: planScaleOut(config),
    requestPath: planRequestPath(config),
    observability: planObservability(config),
    admission: planAdmission(config),
    controlPlane: planControlPlane(config, topology),
    cost: planCost(config, topology),
  };
  return { ...plan, warnings: planWarnings(config, plan) };
}
