import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import {
  COLLECTOR_FEATURE_GATES,
  COLLECTOR_STORAGE,
  collectorConfig,
  POD_LOGS,
} from "../../../components/observability/collector-config";
import { lokiConfig } from "../../../components/observability/loki-config";
import type { StackConfig } from "../../../infra/config";
import { planControlPlane } from "../../../infra/plan/control-plane";
import { planObservability } from "../../../infra/plan/observability";
import { agentCount, planTopology } from "../../../infra/plan/topology";
import { projectPaths } from "../../../local/paths";
import { freePorts } from "../gateway/loopback";

const BIN = projectPaths(resolve(__dirname, "../../..")).bin;
export const NODE = "node-1";

/** Of a line of Loki's: its stream's labels with what is kept beside it. */
export interface Found {
  readonly labels: Readonly<Record<string, string>>;
  readonly line: string;
}

/** What Loki is told for a stack. */
export function lokiFor(config: StackConfig) {
  return lokiConfig({
    ...config.observability.logs,
    ...planObservability(config),
    peers: "loki-peers.monitoring.svc.cluster.local",
    nodes: agentCount(config),
    functions: config.functions.length,
  });
}

/** What a node's collector is told for a stack. */
export function collectorFor(config: StackConfig, lokiUrl = "http://loki.monitoring.svc.cluster.local:3100") {
  const { logs, collector } = planObservability(config);
  return collectorConfig({
    namespaceName: `${config.observability.namespace}-hosts`,
    name: "collector",
    lokiUrl,
    functions: config.functions,
    logs,
    sized: collector,
    kubelet: planControlPlane(config, planTopology(config)).kubelet,
  });
}

/**
 * The real collector and the real Loki as processes on loopback, with the configs that the pods get: only addresses, ports
 * and folders are others. As root, the collector has no capability, as in its pod.
 */
export class LogPipeline {
  readonly folder = mkdtempSync(join(tmpdir(), "wasm-logs-"));
  readonly pods = join(this.folder, "pods");
  private readonly children = new Map<string, ChildProcess>();
  private ports = { loki: 0, lokiGrpc: 0, metrics: 0, health: 0 };
  output = "";

  constructor(private readonly config: StackConfig) {}

  async prepare(): Promise<void> {
    const [loki = 0, lokiGrpc = 0, metrics = 0, health = 0] = await freePorts(4);
    this.ports = { loki, lokiGrpc, metrics, health };
    mkdirSync(this.pods);
    this.forget();
    this.write("loki.yaml", this.movedLoki());
    this.write("collector.yaml", this.movedCollector());
  }

  startLoki(): void {
    this.spawn("loki", join(BIN, "loki"), [`-config.file=${join(this.folder, "loki.yaml")}`]);
  }

  startCollector(): void {
    const program = [join(BIN, "otelcol"), `--config=${join(this.folder, "collector.yaml")}`];
    const gates = `--feature-gates=${COLLECTOR_FEATURE_GATES.join(",")}`;
    const [command = "", ...args] =
      process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all", ...program] : program;
    this.spawn("collector", command, [...args, gates]);
  }

  /** Ends it and waits until it is gone. */
  async stop(name: "loki" | "collector", signal: NodeJS.Signals): Promise<void> {
    const child = this.children.get(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    child.kill(signal);
    await ended;
  }

  async end(): Promise<void> {
    await Promise.all([this.stop("collector", "SIGKILL"), this.stop("loki", "SIGKILL")]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Takes from the collector all that it knew of files and had not sent. */
  forget(): void {
    rmSync(join(this.folder, "storage"), { recursive: true, force: true });
    mkdirSync(join(this.folder, "storage"));
  }

  /** Has Loki write out what it holds in memory, so that what comes again meets it in the store. */
  async flushLoki(): Promise<void> {
    await fetch(`http://127.0.0.1:${this.ports.loki}/flush`, { method: "POST" });
  }

  /** Whether Loki answers queries. */
  async lokiAnswers(): Promise<boolean> {
    return fetch(`http://127.0.0.1:${this.ports.loki}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** Of the last hours, oldest first. */
  async query(logql: string, hours = 1): Promise<readonly Found[]> {
    const now = Date.now();
    const range = { start: `${now - hours * 3_600_000}000000`, end: `${now + 60_000}000000` };
    const parameters = new URLSearchParams({ query: logql, limit: "5000", direction: "forward", ...range });
    const answer = await fetch(`http://127.0.0.1:${this.ports.loki}/loki/api/v1/query_range?${parameters.toString()}`, {
      signal: AbortSignal.timeout(10_000),
    });
    if (!answer.ok) throw new Error(`Loki answers ${answer.status}: ${await answer.text()}`);
    const { data } = (await answer.json()) as { data: { result: readonly Stream[] } };
    return data.result.flatMap(({ stream, values }) => values.map(([, line]) => ({ labels: stream, line })));
  }

  /** The sets of labels that Loki has streams for. */
  async series(): Promise<readonly Readonly<Record<string, string>>[]> {
    const answer = await fetch(`http://127.0.0.1:${this.ports.loki}/loki/api/v1/series`);
    return ((await answer.json()) as { data: readonly Readonly<Record<string, string>>[] }).data;
  }

  /** The sum over all series of a metric; NaN where there is none. */
  async metric(of: "loki" | "collector", name: string): Promise<number> {
    const port = of === "loki" ? this.ports.loki : this.ports.metrics;
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))].map(([, v]) => Number(v));
    return values.length === 0 ? NaN : values.reduce((sum, value) => sum + value, 0);
  }

  /** Whether the collector says that it runs. */
  async collectorRuns(): Promise<boolean> {
    return fetch(`http://127.0.0.1:${this.ports.health}/`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  private movedLoki() {
    const config = lokiFor(this.config);
    const folder = join(this.folder, "loki");
    return {
      ...config,
      server: {
        ...config.server,
        http_listen_address: "127.0.0.1",
        http_listen_port: this.ports.loki,
        grpc_listen_address: "127.0.0.1",
        grpc_listen_port: this.ports.lokiGrpc,
      },
      common: {
        ...config.common,
        instance_addr: "127.0.0.1",
        path_prefix: folder,
        storage: { filesystem: { chunks_directory: join(folder, "chunks"), rules_directory: join(folder, "rules") } },
      },
    };
  }

  private movedCollector() {
    const config = collectorFor(this.config, `http://127.0.0.1:${this.ports.loki}`);
    const { telemetry } = config.service;
    const [reader] = telemetry.metrics.readers;
    const prometheus = { ...reader?.pull.exporter.prometheus, host: "127.0.0.1", port: this.ports.metrics };
    return {
      ...config,
      extensions: { ...config.extensions, health_check: { endpoint: `127.0.0.1:${this.ports.health}` } },
      service: {
        ...config.service,
        telemetry: {
          ...telemetry,
          metrics: { ...telemetry.metrics, readers: [{ pull: { exporter: { prometheus } } }] },
        },
      },
    };
  }

  private write(file: string, config: object): void {
    const text = stringify(config, { lineWidth: 0 })
      .replaceAll(POD_LOGS, this.pods)
      .replaceAll(COLLECTOR_STORAGE, join(this.folder, "storage"));
    writeFileSync(join(this.folder, file), text);
  }

  private spawn(name: "loki" | "collector", program: string, args: readonly string[]): void {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], NODE_NAME: NODE },
      cwd: this.folder,
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (this.output = `${this.output}${chunk.toString()}`.slice(-20_000)));
    this.children.set(name, child);
  }
}

interface Stream {
  readonly stream: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [string, string])[];
}
