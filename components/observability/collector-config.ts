import type { Plan } from "../../infra/plan/types";
import { selectorLabels } from "../labels";

/** Where the collector tells its own metrics. */
export const COLLECTOR_METRICS_PORT = 8888;
/** Where it says whether it runs. */
export const COLLECTOR_HEALTH_PORT = 13_133;
/** Where kubelets and containerd keep the lines of all containers, as files and not as links. */
export const POD_LOGS = "/var/log/pods";
/** On the host, so that what was read and what is not yet sent outlive the collector's pod. */
export const COLLECTOR_STORAGE = "/var/lib/wasm-functions/collector";
/**
 * Hands lines on within the same call that reads them. By default they wait in memory for up to 100 ms while their place in
 * the file is already noted, and are lost with a collector that is killed meanwhile.
 */
export const COLLECTOR_FEATURE_GATES = ["stanza.synchronousLogEmitter"] as const;

const KiB = 2 ** 10;
const MiB = 2 ** 20;
/** Files are looked for and read on at this interval. Kubelet looks at their size every 10 s. */
const POLL_INTERVAL = "1s";
/** A file is known by so many of its first bytes: its first line's nanosecond is among them. */
const FINGERPRINT_BYTES = 1000;
/** What one line may have; longer ones become several. Loki is told to take more (loki-config.ts). */
export const LONGEST_LINE = 256 * KiB;
/** One request to Loki has no more, and always room for the longest line. */
export const LARGEST_BATCH = MiB;
/** A pod of the platform has up to two containers, each of them the file that is written and those rotated before. */
const CONTAINERS_PER_POD = 2;
const FEWEST_FILES = 1024;
/** For so long Loki may be away: seconds. */
const OUTAGE_SECONDS = 3600;
const DAY_SECONDS = 86_400;
/** Of a line's bytes, with labels, time and severity, where each line is a message of its own: at most so many times. */
const OVERHEAD = 2;
const SMALLEST_QUEUE = 64 * MiB;
/** Of the container's memory: what new lines are refused above, until some are sent. */
const MEMORY_SHARE = 0.8;
const MEMORY_SPIKE_SHARE = 0.2;
/** ReplicaSets append a hash of up to ten and pods five of these characters, in which no word can be. */
const RANDOM = "[bcdfghjklmnpqrstvwxz2456789]";
/** Labels and what the container's path says for them. */
const RESOURCE_LABELS = {
  namespace: "k8s.namespace.name",
  pod: "k8s.pod.name",
  component: "k8s.container.name",
} as const;
/** A pod's name is its ReplicaSet's, cut off after so many characters, and five more. */
const GENERATED_NAME = 58;
const HASH_LENGTH = 10;

export interface CollectorConfigArgs {
  /** The collector's own namespace and name: it does not read what it writes itself. */
  readonly namespaceName: string;
  readonly name: string;
  /** Where Loki is, by name: `http://loki.monitoring.svc.cluster.local:3100`. */
  readonly lokiUrl: string;
  /** Names of the functions, of which long ones are cut in their pods' names. */
  readonly functions: readonly { readonly name: string; readonly tenant: string }[];
  /** From the plan: the load, the collector's memory, how many files of what size a node has. */
  readonly logs: Plan["observability"]["logs"];
  readonly sized: Plan["observability"]["collector"];
  readonly kubelet: Pick<Plan["controlPlane"]["kubelet"], "maxPods" | "containerLogMaxFiles">;
}

/** Labels that select the collector's pods. */
export function collectorLabels(name: string): Record<string, string> {
  return selectorLabels({ name, component: "log-collector" });
}

/**
 * What the collector of a node does: it reads the lines of all containers, labels them and hands them to Loki.
 *
 * No line is lost on the way, and each may be sent twice: a line's place in its file is noted only after the line is in the
 * queue on disk, and it leaves that only after Loki has it. Since a line's time is the one that containerd gave it, Loki
 * knows what it has already. What may be lost nevertheless is told in docs/observability.md.
 */
export function collectorConfig(args: CollectorConfigArgs) {
  return {
    extensions: extensions(),
    receivers: { file_log: fileLog(args) },
    processors: { memory_limiter: memoryLimiter(args), transform: transform(args.functions) },
    exporters: { otlp_http: exporter(args) },
    service: {
      extensions: ["health_check", "file_storage"],
      pipelines: {
        logs: { receivers: ["file_log"], processors: ["memory_limiter", "transform"], exporters: ["otlp_http"] },
      },
      telemetry: telemetry(),
    },
  };
}

/**
 * The database is not flushed to disk with each line (`fsync`): a collector that is killed loses nothing by that, a host
 * that loses power loses the last half minute of its containers' own files as well. One that is broken by it is put aside,
 * and what kubelet still has is read again. What an outage left behind is given back to the file system.
 */
function extensions() {
  return {
    health_check: { endpoint: `0.0.0.0:${COLLECTOR_HEALTH_PORT}` },
    file_storage: {
      directory: COLLECTOR_STORAGE,
      // The pod before may still be on its way out.
      timeout: "30s",
      recreate: true,
      compaction: { directory: COLLECTOR_STORAGE, on_rebound: true, cleanup_on_start: true },
    },
  };
}

/**
 * Files that kubelet has renamed are read as well: where the collector was not there in time, their end is found in them. They
 * are known again by their first bytes. What kubelet has compressed was read long before.
 */
function fileLog({ namespaceName, name, kubelet }: CollectorConfigArgs) {
  const files = kubelet.maxPods * CONTAINERS_PER_POD * kubelet.containerLogMaxFiles;
  return {
    include: [`${POD_LOGS}/*/*/*.log`, `${POD_LOGS}/*/*/*.log.????????-??????`],
    exclude: [`${POD_LOGS}/${namespaceName}_${name}-*/*/*`],
    start_at: "beginning",
    storage: "file_storage",
    poll_interval: POLL_INTERVAL,
    fingerprint_size: FINGERPRINT_BYTES,
    // Half of them are kept open from one look to the next, so that a file that is gone then is read to its end.
    max_concurrent_files: 2 * Math.max(FEWEST_FILES, files),
    max_log_size: LONGEST_LINE,
    include_file_path: true,
    include_file_name: false,
    // A line of more than 16 KiB comes in parts, and these may begin or end with a space.
    preserve_leading_whitespaces: true,
    preserve_trailing_whitespaces: true,
    // Memory that is short, or a queue that is full, stops reading: the lines wait in their files.
    retry_on_failure: { enabled: true, max_elapsed_time: "0s" },
    operators: [{ type: "container", format: "containerd", max_log_size: LONGEST_LINE }],
  };
}

function memoryLimiter({ sized }: CollectorConfigArgs) {
  const limit = Math.floor((sized.limits.memory * MEMORY_SHARE) / MiB);
  return { check_interval: "1s", limit_mib: limit, spike_limit_mib: Math.floor(limit * MEMORY_SPIKE_SHARE) };
}

/**
 * Labels are few and have few values: node, namespace, component (the container's name) and, of functions, their name. A
 * node's lines are streams of its own, so that none is too late for a stream that other nodes have gone on with.
 */
function transform(functions: CollectorConfigArgs["functions"]) {
  const functionOf = (pattern: string) => `ExtractPatterns(attributes["k8s.pod.name"], "${pattern}")`;
  const ofFunctions = 'attributes["k8s.container.name"] == "function"';
  return {
    // A statement that fails leaves the line as it is; not each line that only looks like JSON is worth a word.
    error_mode: "silent",
    log_statements: [
      {
        context: "resource",
        statements: [
          'set(attributes["node"], "${env:NODE_NAME}")',
          ...Object.entries(RESOURCE_LABELS).map(([label, from]) => rename(label, from)),
          `merge_maps(attributes, ${functionOf(`^(?P<function>.+)-${RANDOM}{1,${HASH_LENGTH}}-${RANDOM}{5}$`)}, "upsert") where ${ofFunctions}`,
          ...functions
            .filter(({ name }) => isCut(name))
            .map(
              ({ name, tenant }) =>
                `set(attributes["function"], "${name}") where ${ofFunctions} and attributes["namespace"] == "${tenant}" and HasPrefix(attributes["pod"], "${`${name}-`.slice(0, GENERATED_NAME)}")`,
            ),
          'keep_keys(attributes, ["node", "namespace", "pod", "component", "function"])',
        ],
      },
      {
        context: "log",
        statements: [
          rename("stream", "log.iostream"),
          'keep_keys(attributes, ["stream"])',
          // Another one each time that a line is read, so that it would not be the same line.
          "set(observed_time_unix_nano, 0) where time_unix_nano > 0",
        ],
      },
      severity(),
    ],
  };
}

/** A line that is not of containerd's form has neither. */
function rename(attribute: string, from: string): string {
  return `set(attributes["${attribute}"], attributes["${from}"]) where attributes["${from}"] != nil`;
}

/** Whether a pod's name has not all of its ReplicaSet's. */
function isCut(name: string): boolean {
  return name.length + HASH_LENGTH + 2 > GENERATED_NAME;
}

/**
 * Lines of JSON say themselves how grave they are (`level`), or by the status that was answered: Traefik's as
 * `DownstreamStatus`, the authorizer's and functions' as `status`. Where both are there, the graver one counts.
 */
function severity() {
  const status = (from: string) =>
    `set(cache["status"], cache["json"]["${from}"]) where cache["json"]["${from}"] != nil`;
  const levels = [
    ["ERROR", "(?i)^(error|err)$"],
    ["WARN", "(?i)^(warn|warning)$"],
    ["INFO", "(?i)^(info|notice)$"],
    ["DEBUG", "(?i)^(debug|trace)$"],
    ["FATAL", "(?i)^(fatal|panic|critical)$"],
  ] as const;
  const as = (level: string, where: string) => [
    `set(severity_text, "${level}") where ${where}`,
    `set(severity_number, SEVERITY_NUMBER_${level}) where ${where}`,
  ];
  return {
    context: "log",
    conditions: ['IsString(body) and IsMatch(body, "^\\\\s*\\\\{")'],
    statements: [
      'set(cache["json"], ParseJSON(body))',
      status("status"),
      status("DownstreamStatus"),
      ...levels.flatMap(([level, pattern]) => as(level, `IsMatch(cache["json"]["level"], "${pattern}")`)),
      ...as(
        "WARN",
        `IsInt(Int(cache["status"])) and Int(cache["status"]) >= 400 and severity_number < SEVERITY_NUMBER_WARN`,
      ),
      ...as(
        "ERROR",
        `IsInt(Int(cache["status"])) and Int(cache["status"]) >= 500 and severity_number < SEVERITY_NUMBER_ERROR`,
      ),
    ],
  };
}

/**
 * The queue is a limit, not a reservation: it holds what the whole stack writes while Loki may be away, since nothing says
 * how pods are spread. One request at a time keeps the lines in order.
 */
function exporter({ lokiUrl, logs }: CollectorConfigArgs) {
  const outage = (logs.bytesPerDay / DAY_SECONDS) * OUTAGE_SECONDS * OVERHEAD;
  return {
    endpoint: `${lokiUrl}/otlp`,
    timeout: "30s",
    // 0: never given up.
    retry_on_failure: { enabled: true, initial_interval: "1s", max_interval: "15s", max_elapsed_time: "0s" },
    sending_queue: {
      enabled: true,
      storage: "file_storage",
      sizer: "bytes",
      queue_size: Math.ceil(Math.max(SMALLEST_QUEUE, outage) / MiB) * MiB,
      block_on_overflow: true,
      num_consumers: 1,
      batch: { flush_timeout: "1s", min_size: LARGEST_BATCH / 4, max_size: LARGEST_BATCH },
    },
  };
}

/** Names of its metrics as Prometheus has them: counters end in `_total`. */
function telemetry() {
  const prometheus = {
    host: "0.0.0.0",
    port: COLLECTOR_METRICS_PORT,
    without_type_suffix: false,
    without_units: true,
    without_scope_info: true,
  };
  return {
    logs: { level: "info", encoding: "json" },
    metrics: {
      level: "normal",
      readers: [{ pull: { exporter: { prometheus } } }],
    },
  };
}
