import type { FunctionConfig, StackConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan";
import { planCost } from "../../infra/plan/cost";
import { podSize } from "../../infra/plan/demand";
import { formatCount, roundUp, sum } from "../../infra/plan/numbers";
import { formatBytes, formatCpu, formatDuration, formatPercent } from "../../infra/units";
import type { Sample, SurgeRun } from "./run";

/** What one way to serve the run's load took. */
export interface CostRow {
  readonly name: string;
  readonly replicaHours: number;
  /** Of what the replicas request: core hours and GiB hours. */
  readonly coreHours: number;
  readonly memoryHours: number;
  /** Hours of hosts of the agents' shape, by whichever of CPU and memory needs more at each moment. */
  readonly hostHours: number;
  readonly replicasAtMost: number;
  /** Share of a baseline's host hours that the functions do without; negative where they take more. */
  readonly saved: number | undefined;
}

export interface SurgeCost {
  /** Over the run: the functions as measured, then the baselines. */
  readonly run: readonly CostRow[];
  /** The plan's comparison at the scenario's peak, of hosts that stand all day. */
  readonly peak: ReturnType<typeof planCost>;
  readonly assumptions: readonly string[];
}

interface Side {
  readonly name: string;
  readonly cpu: number;
  readonly memory: number;
  readonly replicasAt: (sample: Sample) => number;
}

const GIB = 2 ** 30;

export function costOf(run: SurgeRun, config: StackConfig, plan: Plan): SurgeCost {
  const { fn } = run.scenario;
  const alone: StackConfig = { ...config, functions: [fn] };
  const { requests } = podSize(config, fn);
  const sides: Side[] = [
    { name: "functions", ...requests, replicasAt: ({ pods, leaving }) => pods + leaving },
    ...baselines(config, fn),
  ];
  const rows = sides.map((side) => rowOf(side, run.samples, plan));
  const ours = rows[0]!.hostHours;
  const peak = planCost(alone, plan.topology);
  return {
    run: rows.map((row, index) => ({
      ...row,
      saved: index === 0 || row.hostHours === 0 ? undefined : 1 - ours / row.hostHours,
    })),
    peak,
    assumptions: [
      `Over the run: replica hours of functions are the pods that were seen, those that leave included, each with the runtime's overhead; a container platform is reckoned to follow the load at once, down to one replica, which none does. Containers use ${formatPercent(config.cost.baseline.utilization)} and ${formatPercent(config.cost.lean.utilization)} of their CPU.`,
      `A request takes ${formatDuration(fn.workload.cpuPerRequest)} of CPU on all sides (${run.scenario.cpuPerRequestFrom}).`,
      "Host hours count only what pods request at each moment. Hosts that stand all day cost the same whether or not pods scale in: for those the peak decides.",
      ...peak.assumptions,
    ],
  };
}

function baselines(config: StackConfig, { workload }: FunctionConfig): Side[] {
  const sides = { "reference containers": config.cost.baseline, "lean containers": config.cost.lean };
  return Object.entries(sides).map(([name, { cpu, memory, utilization }]) => ({
    ...{ name: `${name}, ${formatCpu(cpu)} and ${formatBytes(memory)}`, cpu, memory },
    // Millicores: requests/s times milliseconds of CPU.
    replicasAt: ({ load }) => Math.max(1, roundUp((load * workload.cpuPerRequest) / (cpu * utilization))),
  }));
}

function rowOf({ name, cpu, memory, replicasAt }: Side, samples: readonly Sample[], plan: Plan): CostRow {
  const host = plan.topology.agentAllocatable;
  const replicaHours = hoursOf(samples, replicasAt);
  return {
    name,
    replicaHours,
    coreHours: (replicaHours * cpu) / 1000,
    memoryHours: (replicaHours * memory) / GIB,
    hostHours: replicaHours * Math.max(cpu / host.cpu, memory / host.memory),
    replicasAtMost: Math.max(0, ...samples.map(replicasAt)),
    saved: undefined,
  };
}

/** Each sample holds until the next one. */
export function hoursOf(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const parts = samples.slice(1).map((sample, index) => {
    const before = samples[index]!;
    return of(before) * (sample.second - before.second);
  });
  return sum(parts, (part) => part) / 3600;
}

/** `12.3` or `1,234`: hours for people. */
export function formatHours(hours: number): string {
  return hours >= 100 ? formatCount(Math.round(hours)) : String(Number(hours.toPrecision(3)));
}
