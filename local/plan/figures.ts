import type { StackConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan";
import { formatCores, formatCount } from "../../infra/plan/numbers";
import { timeToMax } from "../../infra/plan/summary";
import { formatProblem } from "../../infra/problems";
import { formatPercent, humanBytes } from "../../infra/units";

/** What a plan comes to, as people compare it: each figure as text with its unit, by a name that lasts. */
export interface PlanFigures {
  readonly stack: string;
  readonly figures: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** Capacity, scale-out, way in, logs and cost. The same plan gives the same figures, in the same order. */
export function planFigures(stack: string, config: StackConfig, plan: Plan): PlanFigures {
  const figures = Object.fromEntries([
    ...capacityFigures(plan),
    ...config.functions.flatMap(({ name, scaling }) => functionFigures(plan, name, scaling)),
    ...wayInFigures(plan),
    ...(config.observability.enabled ? watchingFigures(plan) : []),
    ...costFigures(plan),
  ]);
  return { stack, figures, warnings: plan.warnings.map(formatProblem) };
}

type Rows = readonly (readonly [name: string, value: string])[];

function capacityFigures({ topology, capacity }: Plan): Rows {
  const { pods, requested, offered } = capacity;
  return [
    ["Agents", formatCount(topology.agents)],
    ["Agents that the pods must fit on", formatCount(offered.agents)],
    ["Pods at the worst moment", `${formatCount(pods.total)} of ${formatCount(offered.pods)}`],
    ["CPU requested then", `${formatCores(requested.cpu)} of ${formatCores(offered.cpu)}`],
    ["Memory requested then", `${humanBytes(requested.memory)} of ${humanBytes(offered.memory)}`],
  ];
}

function functionFigures(
  plan: Plan,
  name: string,
  { min, initial, max, buffer }: StackConfig["functions"][number]["scaling"],
) {
  const { wantedAtPeak, secondsToMax, secondsToMaxControlPlaneOnly, bottleneck } = plan.scaleOut[name]!;
  const rows: Rows = [
    ["replicas", `${formatCount(min)} to ${formatCount(max)}, ${formatCount(initial)} at first`],
    ...(buffer > 0 ? [["pods that keep room beside them", formatCount(buffer)] as const] : []),
    ["requests/s of a pod at peak", formatCount(plan.capacity.peakRequestsPerPod[name]!)],
    ["replicas wanted at peak by CPU", formatCount(wantedAtPeak.cpu)],
    ["replicas wanted at peak by request rate", formatCount(wantedAtPeak.requestRate)],
    ["min to max", `${timeToMax(secondsToMax)}, held back by ${bottleneck}`],
    ["min to max, control plane alone", timeToMax(secondsToMaxControlPlaneOnly)],
  ];
  return rows.map(([figure, value]) => [`${name}: ${figure}`, value] as const);
}

function wayInFigures({ requestPath }: Plan): Rows {
  const { peakRequestsPerSecond, gateway, authorizer } = requestPath;
  const replicas = ({ needed, max }: typeof gateway) => `${formatCount(needed)} of up to ${formatCount(max)}`;
  return [
    ["Requests/s at peak", formatCount(peakRequestsPerSecond)],
    ["Gateways needed then", replicas(gateway)],
    ["Authorizers needed then", replicas(authorizer)],
  ];
}

function watchingFigures({ observability }: Plan): Rows {
  const { series, logs, loki } = observability;
  return [
    ["Series of a Prometheus", formatCount(series)],
    ["Logs a day", humanBytes(logs.bytesPerDay)],
    ["Lokis", formatCount(loki.replicas)],
  ];
}

function costFigures({ cost }: Plan): Rows {
  const percent = (ratio: number) => formatPercent(Number(ratio.toFixed(3)));
  const hosts = (count: number) => count.toFixed(2);
  return [
    ["Hosts at peak", `${hosts(cost.platform.hosts)}, by ${cost.platform.boundBy}`],
    ...cost.baselines.flatMap((side): Rows => [
      [`Hosts at peak as ${side.name}`, `${hosts(side.hosts)}, by ${side.boundBy}`],
      [
        `Saved against ${side.name}`,
        `${percent(side.savedHosts)} of hosts, ${percent(side.savedCpu)} of CPU, ${percent(side.savedMemory)} of memory`,
      ],
    ]),
  ];
}
