import { execFile } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { COLLECTOR_FEATURE_GATES, COLLECTOR_STORAGE } from "../../components/observability/collector-config";
import { LOKI_FOLDER } from "../../components/observability/loki-config";
import type { StackConfig } from "../../infra/config";
import { readStackFile } from "../../local/engine/stack-file";
import { projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { ensureTools } from "../../local/tools/resolve";
import { collectorFor, LogPipeline, lokiFor, NODE } from "../support/logs/pipeline";
import { PodLog } from "../support/logs/pod-log";
import { prodConfig } from "../unit/infra/support";

const REPOSITORY = resolve(__dirname, "../..");
const PATHS = projectPaths(REPOSITORY);
const run = promisify(execFile);

beforeAll(async () => {
  await ensureTools(["loki", "otelcol"], { paths: PATHS, progress: silentProgress });
});

const stack = (name: string) => readStackFile(REPOSITORY, name).config;
const BUCKET = { endpoint: "https://s3.example.com:9000", bucket: "stack-logs", addresses: ["198.51.100.30/32"] };
const CONFIGS: readonly (readonly [string, () => StackConfig])[] = [
  ...["local", "dev", "prod", "real"].map((name) => [`the stack ${name}`, () => stack(name)] as const),
  ["a bucket", () => prodConfig({ observability: { logs: { objectStorage: BUCKET } } })],
  [
    "a bucket and several Lokis",
    () => prodConfig({ gateway: { accessLog: "all" }, observability: { logs: { objectStorage: BUCKET } } }),
  ],
  ["nothing that stays", () => prodConfig({ observability: { storage: { kind: "ephemeral" } } })],
];

describe("what is rendered", () => {
  const folder = mkdtempSync(join(tmpdir(), "wasm-logs-config-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** It ends with an error, and says why, where it is none. */
  const verify = (file: string) => run(join(PATHS.bin, "loki"), ["-verify-config", `-config.file=${file}`]);

  it("is told from what is none", async () => {
    const file = join(folder, "wrong.yaml");
    writeFileSync(file, stringify({ ...lokiFor(stack("dev")), auth_enable: true }));
    await expect(verify(file)).rejects.toThrow("auth_enable not found");
  });

  it.each(CONFIGS)("is a config to Loki: %s", async (name, config) => {
    const file = join(folder, "loki.yaml");
    const text = stringify(lokiFor(config()), { lineWidth: 0 });
    // Loki begins to look at its folders.
    writeFileSync(file, text.replaceAll(LOKI_FOLDER, join(folder, "loki")));
    await verify(file);
    expect(lokiFor(config()).common.replication_factor).toBe(name.includes("several") ? 3 : 1);
  });

  it.each(CONFIGS)("is a config to the collector: %s", async (_, config) => {
    const storage = join(folder, "storage");
    mkdirSync(storage, { recursive: true });
    const file = join(folder, "collector.yaml");
    writeFileSync(file, stringify(collectorFor(config())).replaceAll(COLLECTOR_STORAGE, storage));
    const gates = `--feature-gates=${COLLECTOR_FEATURE_GATES.join(",")}`;
    // It ends with an error, and says why, where it is none.
    await run(join(PATHS.bin, "otelcol"), ["validate", `--config=${file}`, gates], { env: { NODE_NAME: NODE } });
  });
});

describe("lines of containers", () => {
  const pipeline = new LogPipeline(stack("real"));
  /** Of a pod that is read from its files alone, as its namespace, name and container. */
  const pod = (namespace: string, name: string, container: string) =>
    new PodLog(pipeline.pods, namespace, name, container);
  let functions: readonly PodLog[];
  let authorizer: PodLog;
  const all = () => [...functions, authorizer];
  let writing: NodeJS.Timeout | undefined;

  beforeAll(async () => {
    await pipeline.prepare();
    functions = ["x2x4z", "b5c7d"].map((id) => pod("shop", `checkout-7d9c5b8f6d-${id}`, "function"));
    authorizer = pod("gateway", "authorizer-6c5d4f7b9-q2w4r", "authorizer");
    pipeline.startLoki();
    pipeline.startCollector();
    write();
    await until(() => pipeline.lokiAnswers());
  });
  afterAll(async () => {
    clearInterval(writing);
    await pipeline.end();
  });

  const write = () => {
    writing = setInterval(() => {
      for (const log of functions) log.line('{"level":"info","event":"request"}');
      // One in ten is longer than what containerd writes at once; its parts begin and end with spaces.
      authorizer.line(authorizer.written % 10 === 0 ? `${" ".repeat(16 * 1024)}long${" ".repeat(20_000)}` : "short ");
    }, WRITE_INTERVAL);
  };

  /** Has nobody write for a moment, and tells how many lines were written, and how many Loki was given, when it has all. */
  const settle = async (mostDoubled: number) => {
    clearInterval(writing);
    await expectNoneLost(mostDoubled);
    const state = await counted();
    write();
    return state;
  };

  /** Lines that were written, and lines that Loki was sent. */
  const counted = async () => ({
    written: all().reduce((total, { written }) => total + written, 0),
    received: await pipeline.metric("loki", "loki_distributor_lines_received_total"),
  });

  /** Numbers of a pod's lines as Loki has them. */
  const numbers = async (log: PodLog) =>
    (await pipeline.query(`{namespace="${log.namespace}"} | pod="${log.pod}"`)).map(({ line }) =>
      Number(/number=(\d+)$/.exec(line)?.[1]),
    );

  /** Of so many lines, those that Loki has not, and how many it has more than once. */
  const compare = async (log: PodLog, written: number) => {
    const found = await numbers(log);
    const have = new Set(found);
    const lost = Array.from({ length: written }, (_, index) => index + 1).filter((number) => !have.has(number));
    return { lost, doubled: found.length - have.size };
  };

  /** Waits until Loki has what was written until now, and expects none lost and so many doubled among all. */
  const expectNoneLost = async (mostDoubled = 0) => {
    let doubles = 0;
    for (const log of all()) {
      const { written } = log;
      await until(async () => (await compare(log, written)).lost.length === 0, pipeline).catch(() => undefined);
      const { lost, doubled } = await compare(log, written);
      expect({ pod: log.pod, lost }).toEqual({ pod: log.pod, lost: [] });
      doubles += doubled;
    }
    expect(doubles).toBeLessThanOrEqual(mostDoubled);
  };

  const rotateAll = () => all().forEach((log) => log.rotate());
  const passes = (milliseconds: number) => new Promise((resume) => setTimeout(resume, milliseconds));

  it("are all there, each once, also when their files are rotated", async () => {
    for (let rotation = 0; rotation < 3; rotation++) {
      await passes(2 * POLL);
      rotateAll();
    }
    await expectNoneLost();
    const [long] = await pipeline.query('{component="authorizer"} |= "long"');
    expect(long?.line).toBe(`${" ".repeat(16 * 1024)}long${" ".repeat(20_000)} number=1`);
  });

  it("have few labels, and their pod beside", async () => {
    expect(
      [...(await pipeline.series())].sort((a, b) => (a["component"] ?? "").localeCompare(b["component"] ?? "")),
    ).toEqual([
      { node: NODE, namespace: "gateway", component: "authorizer" },
      { node: NODE, namespace: "shop", component: "function", function: "checkout" },
    ]);
    const [first] = await pipeline.query('{function="checkout"} | pod="checkout-7d9c5b8f6d-x2x4z"');
    expect(first?.labels).toMatchObject({ pod: "checkout-7d9c5b8f6d-x2x4z", stream: "stdout", detected_level: "info" });
  });

  it("say how grave they are", async () => {
    const grave = pod("other", "mixed-6c5d4f7b9-q2w4r", "traefik");
    const severities: Readonly<Record<string, string>> = {
      '{"level":"error","event":"database"}': "ERROR",
      '{"level":"WARN","msg":"slow"}': "WARN",
      '{"level":"info","DownstreamStatus":502}': "ERROR",
      '{"event":"decision","status":403}': "WARN",
      '{"event":"decision","status":200}': "none",
      "level=error but no JSON": "none",
      '{"level":"error", is no JSON either': "none",
    };
    Object.keys(severities).forEach((text) => grave.raw(`${new Date().toISOString()} stdout F ${text}\n`));
    const query = () => pipeline.query('{component="traefik"}');
    await until(async () => (await query()).length === Object.keys(severities).length, pipeline);
    const found = (await query()).map(({ line, labels }) => [line, labels["severity_text"] ?? "none"]);
    expect(Object.fromEntries(found)).toEqual(severities);
  });

  it("that are not in containerd's form, or empty, or of a pod that is deleted at once, are kept as well", async () => {
    const odd = pod("other", "odd", "kong");
    odd.raw(`no time at all\n${new Date().toISOString()} stderr F \n`);
    const brief = pod("other", "brief-7d9c5b8f6d-x2x4z", "function");
    brief.line("first");
    await until(async () => (await numbers(brief)).length === 1, pipeline);
    brief.line("last words");
    brief.delete();
    await until(async () => (await numbers(brief)).length === 2, pipeline);
    expect(await pipeline.query('{node="node-1", namespace=""}')).toMatchObject([{ line: "no time at all" }]);
    expect(await pipeline.query('{component="kong"} | stream="stderr"')).toMatchObject([{ line: "" }]);
  });

  it("wait on the node's disk while Loki is away, though the collector is killed meanwhile", async () => {
    await pipeline.stop("loki", "SIGKILL");
    await passes(OUTAGE / 2);
    expect(await pipeline.metric("collector", "otelcol_exporter_queue_size")).toBeGreaterThan(0);
    await pipeline.stop("collector", "SIGKILL");
    rotateAll();
    pipeline.startCollector();
    await passes(OUTAGE / 2);
    pipeline.startLoki();
    await until(() => pipeline.lokiAnswers());
    await expectNoneLost(LINES_OF_A_KILL);
    expect(await pipeline.metric("collector", SEND_FAILED)).not.toBeGreaterThan(0);
  });

  it("are not lost with a collector that is killed or told to end, and few are sent twice", async () => {
    const before = await settle(LINES_OF_A_KILL);
    for (const signal of ["SIGTERM", ...Array<"SIGKILL">(KILLS).fill("SIGKILL")] as const) {
      // Within a look at the files, and within a request to Loki.
      await passes(POLL / 2 + Math.random() * POLL);
      await pipeline.stop("collector", signal);
      pipeline.startCollector();
    }
    const after = await settle((KILLS + 1) * LINES_OF_A_KILL);
    const twice = after.received - before.received - (after.written - before.written);
    expect(twice).toBeGreaterThanOrEqual(0);
    expect(twice).toBeLessThanOrEqual(KILLS * LINES_OF_A_KILL);
  });

  it("are not lost with what a collector knew of them: it reads again what there is", async () => {
    const before = await settle((KILLS + 1) * LINES_OF_A_KILL);
    await pipeline.flushLoki();
    await pipeline.stop("collector", "SIGKILL");
    pipeline.forget();
    pipeline.startCollector();
    // Loki has these lines: that none is lost says nothing before they come again.
    await until(async () => {
      const { written, received } = await counted();
      return received - before.received > written - before.written;
    }, pipeline);
    await settle(before.written);
  });

  it("are refused by no limit of Loki's, and its own metrics say so", async () => {
    for (const name of [DISCARDED, "loki_ingester_wal_disk_full_failures_total"]) {
      expect(await pipeline.metric("loki", name)).not.toBeGreaterThan(0);
    }
    expect(await pipeline.metric("collector", "otelcol_receiver_refused_log_records_total")).toBe(0);
    expect(await pipeline.metric("collector", "otelcol_receiver_accepted_log_records_total")).toBeGreaterThan(0);
  });

  it("are taken half a day late, and refused later than that, which Loki counts", async () => {
    const late = pod("shop", "checkout-7d9c5b8f6d-l7t8r", "function");
    const hoursLate = (hours: number) =>
      late.raw(`${new Date(Date.now() - hours * 3_600_000).toISOString()} stdout F ${hours} hours late\n`);
    hoursLate(11.9);
    await until(async () => (await pipeline.query('{function="checkout"} |= "hours late"', 12)).length === 1, pipeline);
    expect(await pipeline.metric("loki", DISCARDED)).toBeNaN();
    hoursLate(12.1);
    await until(async () => (await pipeline.metric("loki", DISCARDED)) === 1, pipeline);
  });
});

const DISCARDED = "loki_discarded_samples_total";
const SEND_FAILED = "otelcol_exporter_send_failed_log_records_total";
/** A line of each pod, milliseconds. */
const WRITE_INTERVAL = 25;
const PODS = 3;
/** How often the collector looks at files, milliseconds. */
const POLL = 1000;
/** Long enough for several requests to fail, milliseconds. */
const OUTAGE = 8000;
/** Enough that lines are lost where a collector notes their place before it hands them on. */
const KILLS = 8;
/** What was read and not yet noted, and what was sent and not yet taken from the queue: at most of so many looks at the files. */
const LOOKS_OF_A_KILL = 3;
const LINES_OF_A_KILL = (LOOKS_OF_A_KILL * POLL * PODS) / WRITE_INTERVAL;

/** What Loki does not answer is asked again. */
async function until(holds: () => Promise<boolean>, pipeline?: LogPipeline, milliseconds = 40_000): Promise<void> {
  let failure = "";
  for (const end = Date.now() + milliseconds; Date.now() < end;) {
    const held = await holds().catch(
      (error: unknown) => ((failure = error instanceof Error ? error.message : "no answer"), false),
    );
    if (held) return;
    await new Promise((resume) => setTimeout(resume, 200));
  }
  throw new Error(`did not come true within ${milliseconds} ms:\n${failure}\n${pipeline?.output ?? ""}`);
}
