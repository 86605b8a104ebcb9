import { z } from "zod";
import type { FunctionConfig, StackConfig } from "../../../infra/config";
import * as field from "../../../infra/config-fields";
import { section } from "../../../infra/config-fields";
import { formatCount } from "../../../infra/plan/numbers";
import { planQuotas } from "../../../infra/plan/quotas";
import { agentCount } from "../../../infra/plan/topology";
import type { Problem } from "../../../infra/problems";
import { formatDuration, type Millis } from "../../../infra/units";
import { lengthOf, type Curve } from "../curve";

/** What can be killed: each part of the control plane that K3s has within one process of a server. */
const PROCESSES = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;

/** From the beginning of the curve. */
const at = field.duration;

/** What goes wrong while the load is played, and when; each kind has a file beside this one. */
export const faultsSchema = z.array(
  z.discriminatedUnion("kind", [
    section({
      kind: z.literal("lose-agents"),
      at,
      agents: field.positiveCount.default(1),
      // Two full agents are replaced by then (replacementSeconds).
      for: field.duration.prefault("2m"),
    }),
    // K3s's unit starts it again after RestartSec=5s.
    section({ kind: z.literal("kill"), at, process: z.enum(PROCESSES), for: field.duration.prefault("5s") }),
    section({ kind: z.literal("metrics-server-gone"), at, for: field.duration.prefault("60s") }),
    section({ kind: z.literal("rollout"), at }),
    section({ kind: z.literal("quota"), at, pods: field.positiveCount, for: field.duration.prefault("30s") }),
    section({ kind: z.literal("up"), at }),
  ]),
);

export type Fault = z.output<typeof faultsSchema>[number];
export type FaultKind = Fault["kind"];
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { kind: Kind }>;

/**
 * How long each may last: simulated nodes are silent for ten minutes at most, and a run is given up when the API server has
 * not answered for a minute.
 */
const LONGEST: Readonly<Record<FaultKind, Millis>> = {
  "lose-agents": 300_000,
  kill: 45_000,
  "metrics-server-gone": 300_000,
  quota: 300_000,
  rollout: 0,
  up: 0,
};

export interface FaultContext {
  readonly config: StackConfig;
  readonly fn: FunctionConfig;
  readonly curve: Curve;
}

/** When it is taken back; at once where nothing is, as far as the clock says. */
export function endOf(fault: Fault): Millis {
  return fault.at + ("for" in fault ? fault.for : 0);
}

/**
 * All that makes no sense of these faults for this stack and curve.
 *
 * @param where - the key that has them
 */
export function faultProblems(faults: readonly Fault[], where: string, context: FaultContext): Problem[] {
  return faults.flatMap((fault, index) => {
    const path = `${where}[${index}]`;
    const before = faults[index - 1];
    return [
      ...orderProblems(path, fault, before && { path: `${where}[${index - 1}]`, end: endOf(before) }),
      ...timeProblems(path, fault, lengthOf(context.curve)),
      ...ownProblems(path, fault, context),
    ];
  });
}

function orderProblems(path: string, { at: begin }: Fault, before: { path: string; end: Millis } | undefined) {
  if (before === undefined || begin >= before.end) return [];
  return [
    {
      path: `${path}.at`,
      value: formatDuration(begin),
      limit: `${before.path} lasts until ${formatDuration(before.end)}, and what two do at once could not be told apart`,
      fix: "put faults in the order of time, each after the end of the one before",
    },
  ];
}

function timeProblems(path: string, fault: Fault, length: Millis): Problem[] {
  const end = formatDuration(length);
  if (fault.at >= length) {
    const limit = `must be before ${end}, the end of the curve`;
    return [{ path: `${path}.at`, value: formatDuration(fault.at), limit, fix: "let it begin sooner" }];
  }
  if (!("for" in fault)) return [];
  const most = Math.min(LONGEST[fault.kind], length - fault.at);
  if (fault.for > 0 && fault.for <= most) return [];
  const why = most < LONGEST[fault.kind] ? `, when the curve ends at ${end}` : "";
  return [
    {
      path: `${path}.for`,
      value: formatDuration(fault.for),
      limit: `must be above 0s and at most ${formatDuration(most)}${why}`,
      fix: "shorten it, or let it begin sooner",
    },
  ];
}

function ownProblems(path: string, fault: Fault, { config, fn }: FaultContext): Problem[] {
  if (fault.kind === "lose-agents") {
    const agents = agentCount(config);
    // Where more than 55 % of a small cluster's nodes are lost, the node controller takes it for its own fault.
    const most = Math.floor(agents / 2);
    if (fault.agents <= most) return [];
    return [
      {
        path: `${path}.agents`,
        value: String(fault.agents),
        limit: `may be at most ${most} of this stack's ${agents}: with more than half lost, Kubernetes replaces no pod`,
        fix: most === 0 ? "give the stack more agents, or leave this fault out" : "lower it",
      },
    ];
  }
  if (fault.kind === "quota") {
    const [least, most] = [fn.scaling.min, planQuotas(config)[fn.tenant]!.pods - 1];
    if (fault.pods >= least && fault.pods <= most) return [];
    return [
      {
        path: `${path}.pods`,
        value: formatCount(fault.pods),
        limit: `must be from ${formatCount(least)}, the function's min, to ${formatCount(most)}, under the quota that ${fn.tenant} has`,
        fix: "choose a number that the load will reach",
      },
    ];
  }
  return [];
}
