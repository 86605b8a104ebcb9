import type { FunctionConfig } from "../../infra/config";
import type { Prewarm } from "../../infra/config-prewarm";

/** What KEDA's manifest, its roles and the programs themselves know things by. */
export const KEDA = {
  /** Its roles and Services are made for this one. */
  namespace: "keda",
  operator: "keda-operator",
  adapter: "keda-metrics-apiserver",
  secret: "kedaorg-certs",
  apiService: "v1beta1.external.metrics.k8s.io",
  /** Where a Service of the adapter's name leads to a process at the API server's own machine, where that is one. */
  outside: "kube-system",
} as const;

/** What autoscalers know requests/s by: the first of a function's triggers. */
export const REQUESTS_METRIC = "s0-prometheus";

/** What autoscalers know a function's triggers by: the operator makes it of each one's place and values. */
export function triggerMetrics({ prewarm }: FunctionConfig["scaling"]): string[] {
  return [REQUESTS_METRIC, ...prewarm.map((one, index) => prewarmMetric(one, index + 1))];
}

function prewarmMetric({ timezone, start, end }: Prewarm, index: number): string {
  const [from, to] = [start, end].map((cron) => cron.replaceAll(" ", "").replaceAll("*", "x").replaceAll("/", "Sl"));
  return `s${index}-cron-${timezone}-${from}-${to}`.replaceAll("/", "-");
}

/** Where its pods listen. */
export const KEDA_PORTS = { api: 6443, operator: 9666, metrics: 8080, health: 8081 } as const;
