import { formatCount } from "../../../infra/plan/numbers";
import type { SurgeRun } from "../run";
import type { Check } from "../verdict";
import { AIM } from "./reasons";
import { recoveriesOf } from "./recovery";

/** What a run with faults is held to besides: nothing of them stays, and no demand stays unmet. */
export function faultChecks(run: SurgeRun): Check[] {
  if (run.faults.length === 0) return [];
  const all = run.faults.length;
  const troubles = run.faults.flatMap(({ what, troubles: found }) => found.map((trouble) => `${what} ${trouble}`));
  const times = recoveriesOf(run).map(({ metAgain }) => metAgain);
  const known = times.filter((time) => time !== undefined);
  const quick = known.filter((time) => time <= AIM).length;
  return [
    {
      what: "faults are done, and put back",
      aim: `${all} of ${all}`,
      found: troubles.length === 0 ? `${all} of ${all}` : troubles.join("; "),
      met: troubles.length === 0,
      binding: true,
    },
    {
      what: "demand is met again after each fault",
      aim: `${all} of ${all}`,
      found: `${known.length} of ${all}${known.length === 0 ? "" : `, after ${formatCount(Math.max(...known))} s at most`}`,
      met: known.length === all,
      binding: true,
    },
    {
      what: `demand is met again within ${AIM} s`,
      aim: `${all} of ${all}, where physics allows`,
      found: `${quick} of ${all}`,
      met: quick === all,
      binding: false,
    },
  ];
}

/**
 * Whether pods roll then. Kubernetes bounds what a Deployment's ReplicaSets want together, by max and surge; pods that are to go and
 * are still there come on top, so their count is no measure of it.
 */
export function isRolling({ faults }: SurgeRun, second: number): boolean {
  return faults.some(
    ({ fault, began, ended }) => fault.kind === "rollout" && second >= began && second <= (ended ?? Infinity),
  );
}
