import { loseAgents } from "./lose-agents";
import { kill, metricsServerGone, up } from "./processes";
import { quota } from "./quota";
import { rollout } from "./rollout";
import type { Fault } from "./schema";
import type { Action, World } from "./world";

/** How each kind of fault is done. */
export function actionOf(fault: Fault, world: World): Action {
  switch (fault.kind) {
    case "lose-agents":
      return loseAgents(fault, world);
    case "kill":
      return kill(fault, world);
    case "metrics-server-gone":
      return metricsServerGone(fault, world);
    case "rollout":
      return rollout(fault, world);
    case "quota":
      return quota(fault, world);
    case "up":
      return up(fault, world);
  }
}
