import type { ObservabilityConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan/types";
import { formatGoDuration } from "../../infra/units";
import { selectorLabels } from "../labels";
import { LARGEST_BATCH, LONGEST_LINE } from "./collector-config";

/** Where Loki is asked and handed lines, by HTTP; its own metrics are there too. */
export const LOKI_PORT = 3100;
/** Where Lokis ask each other. */
export const LOKI_GRPC_PORT = 9095;
/** Where Lokis tell each other who is there. */
export const LOKI_GOSSIP_PORT = 7946;
/** Where a pod's volume is mounted: everything that Loki writes is below. */
export const LOKI_FOLDER = "/loki";

const MiB = 2 ** 20;
const DAY_SECONDS = 86_400;
/**
 * The first day of the index' form, before any line. Lines of before that day could not be kept, and a form is never changed
 * backwards: a new one begins at a day to come.
 */
const SCHEMA_FROM = "2024-01-01";
/**
 * A stream takes lines up to half this age behind its newest one: so late may a collector be, whose node was away or which
 * reads what lay there before it came. A chunk is written out earlier, when it is full or its stream has been silent.
 */
const CHUNK_AGE = "24h";
const STREAM_SILENT = "30m";
/** Chunks are asked for where they are written, as long as they may not be written out. */
const ASK_INGESTERS_WITHIN = "25h";
/** Of memory: what the log of the last lines may take while it is read again at start, and each of two caches. */
const REPLAY_SHARE = 0.5;
const CACHE_SHARE = 0.1;
/** After an outage all nodes send at once what they kept: at so many times the load, or as fast as a small one may. */
const CATCH_UP = 20;
const SLOWEST_CATCH_UP_MB = 16;
/** Streams that a node has besides its functions': containers of the platform and the cluster. */
const STREAMS_PER_NODE = 40;
const FEWEST_STREAMS = 5000;
/** Copies of each line among several Lokis: one may be lost and two still agree. */
const COPIES = 3;

type ObjectStorage = NonNullable<ObservabilityConfig["logs"]["objectStorage"]>;

export interface LokiConfigArgs {
  readonly retention: ObservabilityConfig["logs"]["retention"];
  /** Where chunks are kept, where that is not the volume. */
  readonly objectStorage?: ObjectStorage | undefined;
  /** From the plan: the load, Loki's replicas and memory. */
  readonly logs: Plan["observability"]["logs"];
  readonly loki: Pick<Plan["observability"]["loki"], "replicas" | "limits">;
  /** A DNS name that has an address for each replica. */
  readonly peers: string;
  /** How many nodes and functions there are, for the streams that come of them. */
  readonly nodes: number;
  readonly functions: number;
}

/** Labels that select Loki's pods. */
export function lokiLabels(name: string): Record<string, string> {
  return selectorLabels({ name, component: "logs" });
}

/** One Loki with all its parts in one process, or several of them that share a bucket. */
export function lokiConfig(args: LokiConfigArgs) {
  const { objectStorage, loki } = args;
  const store = objectStorage === undefined ? "filesystem" : "s3";
  const ring = loki.replicas > 1;
  const cache = { embedded_cache: { enabled: true, max_size_mb: megabytes(loki.limits.memory * CACHE_SHARE) } };
  // A line, with its labels, many times over: what Lokis tell each other is not refused for its size.
  const largestMessage = 64 * MiB;
  return {
    auth_enabled: false,
    server: {
      http_listen_port: LOKI_PORT,
      grpc_listen_port: LOKI_GRPC_PORT,
      grpc_server_max_recv_msg_size: largestMessage,
      grpc_server_max_send_msg_size: largestMessage,
      log_level: "warn",
      log_format: "json",
    },
    common: {
      path_prefix: LOKI_FOLDER,
      replication_factor: ring ? COPIES : 1,
      ring: { kvstore: { store: ring ? "memberlist" : "inmemory" } },
      storage: objectStorage === undefined ? volume() : bucket(objectStorage),
    },
    ...(ring && {
      memberlist: {
        bind_port: LOKI_GOSSIP_PORT,
        join_members: [`${args.peers}:${LOKI_GOSSIP_PORT}`],
        // The first one is alone for a while.
        abort_if_cluster_join_fails: false,
      },
    }),
    schema_config: {
      configs: [
        {
          from: SCHEMA_FROM,
          store: "tsdb",
          object_store: store,
          schema: "v13",
          index: { prefix: "index_", period: "24h" },
        },
      ],
    },
    ingester: {
      max_chunk_age: CHUNK_AGE,
      chunk_idle_period: STREAM_SILENT,
      chunk_target_size: MiB,
      // Alone, it need not wait for others to see it.
      ...(!ring && { lifecycler: { min_ready_duration: "0s" } }),
      // What was taken is on the volume before that is said; with a bucket it is there before the pod ends.
      wal: {
        enabled: true,
        flush_on_shutdown: objectStorage !== undefined,
        replay_memory_ceiling: `${megabytes(loki.limits.memory * REPLAY_SHARE)}MB`,
      },
    },
    querier: { query_ingesters_within: ASK_INGESTERS_WITHIN, max_concurrent: 4 },
    query_range: { results_cache: { cache } },
    chunk_store_config: { chunk_cache_config: cache },
    compactor: { retention_enabled: true, delete_request_store: store },
    limits_config: limits(args),
    analytics: { reporting_enabled: false },
  };
}

function volume() {
  return { filesystem: { chunks_directory: `${LOKI_FOLDER}/chunks`, rules_directory: `${LOKI_FOLDER}/rules` } };
}

/** The keys are in a file that Amazon's library looks for by AWS_SHARED_CREDENTIALS_FILE: this is a ConfigMap. */
function bucket({ endpoint, bucket: name, region }: ObjectStorage) {
  const { protocol, host, pathname } = new URL(endpoint);
  return {
    s3: {
      endpoint: `${host}${pathname.replace(/\/$/, "")}`,
      bucketnames: name,
      region,
      insecure: protocol === "http:",
      s3forcepathstyle: true,
    },
  };
}

/**
 * A limit that is met for a while (429) makes collectors wait and loses nothing. What is refused for good (400) would be lost:
 * so no line is too old, none too long, and a stream takes late ones.
 */
function limits({ retention, logs, nodes, functions }: LokiConfigArgs) {
  const rate = Math.max(SLOWEST_CATCH_UP_MB, megabytes((logs.bytesPerDay / DAY_SECONDS) * CATCH_UP));
  return {
    retention_period: formatGoDuration(retention),
    reject_old_samples: false,
    max_line_size: `${(2 * LONGEST_LINE) / 1024}KB`,
    ingestion_rate_mb: rate,
    ingestion_burst_size_mb: Math.max(rate, (8 * LARGEST_BATCH) / MiB),
    per_stream_rate_limit: `${rate}MB`,
    per_stream_rate_limit_burst: `${2 * rate}MB`,
    max_global_streams_per_user: Math.max(FEWEST_STREAMS, 2 * nodes * (functions + STREAMS_PER_NODE)),
    volume_enabled: true,
    // Labels are those that the collector gives, and no other.
    discover_service_name: [],
    otlp_config: {
      resource_attributes: {
        ignore_defaults: true,
        attributes_config: [{ action: "index_label", attributes: ["node", "namespace", "component", "function"] }],
      },
    },
  };
}

function megabytes(bytes: number): number {
  return Math.max(1, Math.floor(bytes / MiB));
}
