import type { StackConfig } from "../../infra/config";
import { formatCount } from "../../infra/plan/numbers";
import { formatDuration } from "../../infra/units";
import type { Millis } from "../../infra/units";
import { quantile } from "./pods";
import type { Sample, SurgeRun } from "./run";
import { most, signedPercent } from "./verdict";

/** One thing that the plan reckons with, and what real pods did. */
export interface ModelRow {
  readonly what: string;
  readonly plan: string;
  readonly measured: string;
  readonly off: string;
}

/** Seconds from when all are ready until the autoscaler's reading is of them all: two of metrics-server's rounds. */
const SETTLED = 30;
/** Seconds over which pods that become ready are counted. */
const WINDOW = 5;

/** Only of real pods: simulated ones do what the plan says. */
export function modelOf(run: SurgeRun, config: StackConfig): ModelRow[] {
  if (run.kind === "simulated") return [];
  const { workload } = run.scenario.fn;
  const { startRate } = config.runtime;
  const cpu = cpuPerRequestOf(run);
  const rate = fastest(run.samples, ({ ready }) => ready) / run.nodes.length;
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(run.starts, share));
  const seconds = (value: number | undefined) => (value === undefined ? "–" : `${(value / 1000).toFixed(1)} s`);
  return [
    {
      what: "CPU of a request, probes of pods included",
      plan: formatDuration(workload.cpuPerRequest),
      measured: cpu === undefined ? "–" : formatDuration(Number(cpu.toFixed(3))),
      off: cpu === undefined ? "–" : signedPercent(cpu / workload.cpuPerRequest - 1),
    },
    {
      what: `pods/s that a node starts, at best over ${WINDOW} s`,
      plan: formatCount(startRate),
      measured: formatCount(rate),
      off: signedPercent(rate / startRate - 1),
    },
    {
      what: "from created to ready, P50 and P99",
      plan: "–",
      measured: `${seconds(p50)}, ${seconds(p99)}`,
      off: "–",
    },
  ];
}

/** What pods used over what was served, once all were ready and seen by the autoscaler; undefined where that was never so. */
export function cpuPerRequestOf({ samples, expected }: SurgeRun): Millis | undefined {
  const full = samples.find(({ second, ready }) => second >= expected.climbFrom && ready >= expected.enough);
  if (full === undefined) return undefined;
  const steady = samples.filter(({ second }) => second >= full.second + SETTLED && second < expected.quietFrom);
  const total = (of: (sample: Sample) => number) => steady.reduce((sum, sample) => sum + of(sample), 0);
  const served = total((sample) => sample.served);
  // Millicores over requests/s are milliseconds.
  return served === 0 ? undefined : total(({ cpuPerPod, ready }) => cpuPerPod * ready) / served;
}

/** The most that a count of pods went up in a second, over five. */
export function fastest(samples: readonly Sample[], of: (sample: Sample) => number): number {
  let first = 0;
  return most(samples, (sample) => {
    while (sample.second - samples[first]!.second > WINDOW) first++;
    const from = samples[first]!;
    return sample.second > from.second ? (of(sample) - of(from)) / (sample.second - from.second) : 0;
  });
}
