import type { FunctionConfig, StackConfig } from "../config";
import type { RateMetric } from "./autoscaler-metrics";
import type { Resources, Sized } from "./types";

const MiB = 2 ** 20;

/** Scrapes that the gateway's rate is an average of (components/observability/rules/windows.ts). */
const SCRAPES_PER_RATE = 4;
/** The operator, the metrics adapter, and one more of each while a new one starts. */
const PODS = 4;

/** What each of KEDA's pods takes: its release manifest's own figures. */
export const KEDA_SIZE: Sized = {
  requests: { cpu: 100, memory: 100 * MiB },
  limits: { cpu: 1000, memory: 1000 * MiB },
};

/** Whether any function is scaled by its requests, for which there is KEDA. */
export function scalesByRequests({ functions }: Pick<StackConfig, "functions">): boolean {
  return functions.some(({ scaling }) => scaling.metric === "rps");
}

/** Pods of KEDA at the worst moment, and what they request. */
export function autoscalingDemand(
  config: StackConfig,
): { readonly pods: number; readonly largest: Resources } & Resources {
  const pods = scalesByRequests(config) ? PODS : 0;
  const { cpu, memory } = KEDA_SIZE.requests;
  return {
    pods,
    cpu: pods * cpu,
    memory: pods * memory,
    largest: pods > 0 ? KEDA_SIZE.requests : { cpu: 0, memory: 0 },
  };
}

/**
 * When the autoscaler sees a change of load by requests. Prometheus reads the gateway's counters and reckons their rate, each
 * within an interval: half of both in the middle. The rate is an average over some scrapes, and climbs as long. The autoscaler
 * asks KEDA at each of its syncs, and KEDA Prometheus at once; only who has no pods waits for KEDA to look by itself.
 */
export function requestMetric(
  { observability }: StackConfig,
  { scaling }: FunctionConfig,
): Pick<RateMetric, "delay" | "climb"> {
  const interval = observability.scrapeInterval / 1000;
  const first = scaling.min === 0 ? scaling.pollingInterval / 1000 : 0;
  return { delay: interval + first, climb: interval * SCRAPES_PER_RATE };
}
