import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { ruleFile, ruleGroups } from "../../components/observability/rules";
import { functionLabels } from "../../components/observability/scrape";
import type { StackConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan";
import { writeIfChanged } from "../files";
import type { Ports } from "./ports";
import { stopDaemon, type Daemon } from "./processes";

/** The group of the stack's rules that requests are recorded by. */
const REQUESTS = "slo";

/** What is kept: who scales by requests looks at the last minutes. */
const RETENTION = "6h";

export interface PrometheusOptions {
  readonly binary: string;
  /** Of the control plane. */
  readonly clusterDir: string;
  readonly ports: Pick<Ports, "prometheus" | "gatewayMetrics">;
  readonly config: StackConfig;
  readonly plan: Plan;
}

/**
 * A Prometheus beside the control plane, which counts requests where no gateway runs: by the stack's own rules, of what somebody
 * tells at the port `gatewayMetrics` as a gateway would. Where nobody does, nobody asks.
 */
export async function prometheusDaemon({
  binary,
  clusterDir,
  ports,
  config,
  plan,
}: PrometheusOptions): Promise<Daemon> {
  const folder = join(clusterDir, "prometheus");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const args = [
    `--config.file=${join(folder, "prometheus.yaml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--storage.tsdb.retention.time=${RETENTION}`,
    `--web.listen-address=127.0.0.1:${ports.prometheus}`,
  ];
  const pidFile = join(clusterDir, "pids", "prometheus.pid");
  const changed = [
    writeIfChanged(join(folder, "targets.json"), JSON.stringify([{ targets: [`127.0.0.1:${ports.gatewayMetrics}`] }])),
    writeIfChanged(join(folder, "rules.yaml"), requestRules(config, plan)),
    writeIfChanged(join(folder, "prometheus.yaml"), stringify(prometheusConfig(folder, ports, config))),
    writeIfChanged(join(folder, "flags"), args.join("\n")),
  ];
  // One that runs keeps what it was started with.
  if (changed.includes(true)) await stopDaemon(pidFile);
  return { pidFile, logFile: join(clusterDir, "logs", "prometheus.log"), command: binary, args };
}

function prometheusConfig(folder: string, ports: Pick<Ports, "prometheus">, config: StackConfig) {
  const { gateway, functions, observability } = config;
  const interval = `${observability.scrapeInterval / 1000}s`;
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: [join(folder, "rules.yaml")],
    scrape_configs: [
      {
        job_name: "gateway",
        // It counts as a gateway itself, one that nobody comes by: so no requests are none, not unknown.
        static_configs: [{ targets: [`127.0.0.1:${ports.prometheus}`] }],
        file_sd_configs: [{ files: [join(folder, "targets.json")] }],
        ...(gateway.kind === "traefik" && { metric_relabel_configs: functionLabels(functions) }),
      },
    ],
  };
}

function requestRules(config: StackConfig, plan: Plan): string {
  return ruleFile(
    ruleGroups({ ...config, plan })
      .filter(({ name }) => name === REQUESTS)
      .map((group) => ({ ...group, rules: group.rules.filter((rule) => "record" in rule) })),
  );
}
