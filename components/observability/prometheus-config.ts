import type { FunctionConfig, GatewayConfig, ObservabilityConfig } from "../../infra/config";
import { controlPlaneJobs, functionLabels, gatekeeperJob, kubeletJobs, podJob, type ScrapeJob } from "./scrape";

export const PROMETHEUS_PORT = 9090;
export const ALERTMANAGER_PORT = 9093;
/** Where the files lie that Prometheus reads. */
export const PROMETHEUS_FOLDER = "/etc/prometheus/config";

export interface PrometheusConfigArgs {
  readonly clusterKind: "existing" | "k3s";
  readonly environment: string;
  readonly observability: ObservabilityConfig;
  readonly functions: readonly FunctionConfig[];
  readonly gateway: Pick<GatewayConfig, "kind" | "namespace">;
  /** Namespace of what watches hosts. */
  readonly hostsNamespace: string;
  /** Gatekeeper's pods, where there are any. */
  readonly admission?: { readonly namespace: string; readonly component: string } | undefined;
  /** Name of the headless Service of Alertmanager's pods, and how many there are. */
  readonly alertmanager: { readonly service: string; readonly replicas: number };
}

/** Prometheus' configuration; it takes over a changed one while it runs. */
export function prometheusConfig(args: PrometheusConfigArgs) {
  const { observability, alertmanager, environment } = args;
  const interval = `${observability.scrapeInterval / 1000}s`;
  return {
    global: {
      scrape_interval: interval,
      scrape_timeout: interval,
      evaluation_interval: interval,
      // Of two that scrape the same, alerts must look alike: Alertmanager is not told which it was.
      external_labels: { environment, replica: "${POD_NAME}" },
    },
    rule_files: [`${PROMETHEUS_FOLDER}/rules.yaml`],
    alerting: {
      alert_relabel_configs: [{ regex: "replica", action: "labeldrop" }],
      alertmanagers: [
        {
          static_configs: [
            {
              targets: Array.from(
                { length: alertmanager.replicas },
                (_, index) =>
                  `alertmanager-${index}.${alertmanager.service}.${observability.namespace}.svc:${ALERTMANAGER_PORT}`,
              ),
            },
          ],
        },
      ],
    },
    scrape_configs: scrapeJobs(args),
  };
}

function scrapeJobs({
  clusterKind,
  observability,
  functions,
  gateway,
  hostsNamespace,
  admission,
}: PrometheusConfigArgs): ScrapeJob[] {
  const { namespace, grafana } = observability;
  const own = (job: string, port = "http") => podJob({ job, namespace, component: job, port });
  return [
    podJob({
      job: "gateway",
      namespace: gateway.namespace,
      component: "gateway",
      port: "admin",
      metrics: gateway.kind === "traefik" ? functionLabels(functions) : [],
    }),
    podJob({ job: "authorizer", namespace: gateway.namespace, component: "authorizer", port: "admin" }),
    ...kubeletJobs(observability),
    ...controlPlaneJobs(clusterKind, observability),
    podJob({ job: "kube-state-metrics", namespace, component: "kube-state-metrics", port: "http", honorLabels: true }),
    podJob({ job: "node-exporter", namespace: hostsNamespace, component: "node-exporter", port: "metrics" }),
    podJob({ job: "collector", namespace: hostsNamespace, component: "log-collector", port: "metrics" }),
    ...(admission ? [gatekeeperJob(admission)] : []),
    own("prometheus"),
    own("alertmanager"),
    podJob({ job: "loki", namespace, component: "logs", port: "http" }),
    ...(grafana.enabled ? [podJob({ job: "grafana", namespace, component: "dashboards", port: "http" })] : []),
  ];
}
