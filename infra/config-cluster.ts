import { z } from "zod";
import { overlaps } from "./addresses";
import * as field from "./config-fields";
import { check, duplicates, section } from "./config-fields";
import { formatBytes, formatCpu, formatDuration } from "./units";
import { host } from "./config-host";
import { DEFAULT_K3S_VERSION, DEFAULT_SHIM_VERSION } from "./versions";

/**
 * What every agent has, and what of it the system keeps for itself. Ten of the default's hold the reference workload with
 * one lost, of which the way in takes more than the functions: so the plan has it.
 */
const agentShape = section({
  cpu: field.cpu.prefault("32"),
  memory: field.bytes.prefault("128Gi"),
  /** Kept for the operating system, K3s and containerd, never given to pods. */
  reserved: field.resources({ cpu: "500m", memory: "2Gi" }),
}).superRefine(
  check((shape) => [
    shape.reserved.cpu >= shape.cpu && {
      path: ["reserved", "cpu"],
      value: formatCpu(shape.reserved.cpu),
      limit: `nothing is left of the agent's ${formatCpu(shape.cpu)}`,
      fix: "reserve less or use larger agents",
    },
    shape.reserved.memory >= shape.memory && {
      path: ["reserved", "memory"],
      value: formatBytes(shape.reserved.memory),
      limit: `nothing is left of the agent's ${formatBytes(shape.memory)}`,
      fix: "reserve less or use larger agents",
    },
  ]),
);

const network = section({
  podCidr: field.cidr.prefault("10.42.0.0/16"),
  serviceCidr: field.cidr.prefault("10.43.0.0/16"),
  /** The size of each node's share of podCidr, fixed when a node joins. Default: the smallest that holds the planned pods. */
  nodeCidrMaskSize: z.int().min(16).max(28).optional(),
}).superRefine(
  check((net) => [
    overlaps(net.podCidr, net.serviceCidr) && {
      path: ["serviceCidr"],
      value: net.serviceCidr.text,
      limit: `overlaps podCidr ${net.podCidr.text}`,
      fix: 'use apart networks, for example "10.42.0.0/16" and "10.43.0.0/16"',
    },
    net.nodeCidrMaskSize !== undefined &&
      net.nodeCidrMaskSize < net.podCidr.prefix && {
        path: ["nodeCidrMaskSize"],
        value: String(net.nodeCidrMaskSize),
        limit: `is wider than podCidr ${net.podCidr.text}`,
        fix: "leave it out, or widen podCidr",
      },
  ]),
);

const k3sVersion = field.pattern(/^v\d+\.\d+\.\d+\+k3s\d+$/, {
  limit: "must be a K3s release, which is a semantic version with its K3s build",
  fix: `for example "${DEFAULT_K3S_VERSION}"`,
});

const clusterCommon = {
  version: k3sVersion.prefault(DEFAULT_K3S_VERSION),
  agentShape: agentShape.prefault({}),
  network: network.prefault({}),
  /** Pods of the platform itself that each agent runs, beside gateway and authorizer: DNS, collector, exporter. */
  systemPodsPerAgent: field.count.default(10),
  /** Pods an agent may hold. Default: what the plan needs when one agent is lost. */
  maxPodsPerAgent: field.positiveCount.optional(),
};

const sha256 = field.pattern(/^[0-9a-f]{64}$/, {
  limit: "must be a SHA-256 in hexadecimal",
  fix: "compute it with sha256sum from a file whose origin was verified",
});

/** By Go's name of the architecture, for the hosts that there are. */
const checksums = section({ amd64: sha256.optional(), arm64: sha256.optional() });

const baseUrl = field
  .pattern(/^https?:\/\/[^\s/]+(?:\/[^\s]*[^\s/])?$/, {
    limit: "must be a URL without a slash at its end",
    fix: 'for example "https://mirror.example.com/k3s"',
  })
  .superRefine(
    check((url) => [
      /^https?:\/\/[^/]*@/.test(url) && {
        path: [],
        value: "(not shown)",
        limit: "a URL must not hold a user and a password: it shows in previews and on hosts",
        fix: "serve it to the hosts without one",
      },
    ]),
  );

/** K3s itself, as it is downloaded to each host. */
const k3sBinary = section({
  /** The folder that holds one for each version, as K3s's releases are laid out. */
  url: baseUrl.prefault("https://github.com/k3s-io/k3s/releases/download"),
  /** Of the binaries. Default: those of the list that the release itself publishes beside them. */
  sha256: checksums.prefault({}),
  /** Hosts also get the archive of K3s's own images that lies beside its binary, so that they need no registry for those. */
  airgapImages: z.boolean().default(false),
});

/** containerd's shim for WasmEdge, on every agent. */
const shim = section({
  version: field
    .pattern(/^v\d+\.\d+\.\d+$/, {
      limit: "must be a release of the shim",
      fix: `for example "${DEFAULT_SHIM_VERSION}"`,
    })
    .prefault(DEFAULT_SHIM_VERSION),
  /** The folder that holds one for each release, as runwasi's releases are laid out. */
  url: baseUrl.prefault("https://github.com/containerd/runwasi/releases/download"),
  /** Of the archives. None are published: without them the signature is verified, by `cosign` on the host. */
  sha256: checksums.prefault({}),
});

/** Where snapshots are kept besides: an S3 bucket, opened by the secret `snapshotStorage`. */
const s3 = section({
  bucket: field.pattern(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, {
    limit: "must be a bucket's name",
    fix: 'for example "my-etcd-snapshots"',
  }),
  /** Host, and port where it is not 443. Default: Amazon's. */
  endpoint: field
    .pattern(/^[A-Za-z0-9.-]+(?::\d+)?$/, {
      limit: "must be a host, without https://",
      fix: 'for example "s3.example.com"',
    })
    .prefault("s3.amazonaws.com"),
  region: z.string().min(1).default("us-east-1"),
  /** A folder in the bucket. */
  folder: z.string().min(1).optional(),
});

/** Snapshots of etcd, kept on each server. */
const snapshots = section({
  schedule: field
    .pattern(/^(?:\S+ ){4}\S+$/, { limit: "must be a cron schedule of five fields", fix: 'for example "0 */6 * * *"' })
    .prefault("0 */6 * * *"),
  /** How many each server keeps. */
  retention: field.positiveCount.default(12),
  s3: s3.optional(),
});

/** How a change reaches agents that run already. */
const rollout = section({
  /** How many are away at once while they are drained or start again. The plan keeps room for one that is lost. */
  maxUnavailable: field.positiveCount.default(1),
  /** How long an agent's pods may take to leave it, where disruption budgets hold them back. */
  drainTimeout: field.duration.prefault("5m"),
}).superRefine(
  check(({ drainTimeout }) => [
    (drainTimeout < 1000 || drainTimeout % 1000 !== 0) && {
      path: ["drainTimeout"],
      value: formatDuration(drainTimeout),
      limit: "must be whole seconds, from 1s on",
      fix: 'write it as "300s"',
    },
  ]),
);

/** A cluster that is already there, reached by a kubeconfig. */
const existingCluster = section({
  kind: z.literal("existing"),
  ...clusterCommon,
  /** Path of its kubeconfig, from the project's folder; or set the secret key `kubeconfig` instead. */
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).optional(),
  /** Names the cluster for good: a new address or port of the same cluster replaces nothing while this stays. */
  identifier: field.dnsLabel.prefault("wasm-functions"),
  /** How many agents (nodes that run functions) it has. */
  agents: field.positiveCount.default(10),
  /**
   * Set where `make up` itself starts this cluster on this machine: with simulated nodes, in whose pods nothing runs, or
   * with one real node, which needs root. To the Pulumi program it says only that nobody else uses the cluster.
   */
  embedded: z.enum(["simulated-nodes", "wasm-node"]).optional(),
});

/** A cluster that this program makes from bare Linux hosts. */
const k3sCluster = section({
  kind: z.literal("k3s"),
  ...clusterCommon,
  servers: z.array(host).min(1),
  agents: z.array(host).min(1),
  rollout: rollout.prefault({}),
  /**
   * Another number makes a new token that agents join by. The servers' own stays: K3s takes a new one as an argument of a
   * command alone, for every process on the host to see.
   */
  agentTokenGeneration: field.positiveCount.default(1),
  /** An address in front of the servers, by which agents join and `kubectl` comes. Default: the first server's. */
  registrationAddress: z.string().min(1).optional(),
  /** How packets of pods go from node to node: encrypted by WireGuard, or plainly. */
  flannelBackend: z.enum(["wireguard-native", "vxlan", "host-gw"]).default("wireguard-native"),
  k3s: k3sBinary.prefault({}),
  shim: shim.prefault({}),
  snapshots: snapshots.prefault({}),
  /** Where images of a registry are pulled from instead, by the registry's name or `*`. */
  mirrors: z.record(z.string(), z.array(baseUrl).min(1)).default({}),
}).superRefine(
  check((cluster) => [
    cluster.servers.length % 2 === 0 && {
      path: ["servers"],
      value: `${cluster.servers.length} servers`,
      limit: "etcd needs an odd number to hold a majority when one is lost",
      fix: "use 1 for a disposable cluster, 3 or 5 for one that must survive",
    },
    ...duplicates(
      [
        ...cluster.servers.map((h) => ({ at: "servers", ...h })),
        ...cluster.agents.map((h) => ({ at: "agents", ...h })),
      ],
      (h) => h.name,
    ).map((h) => ({ path: [h.at], value: h.name, limit: "names two hosts", fix: "give each host a name of its own" })),
  ]),
);

/** Which cluster it is, how large, and how it is reached. */
export const clusterSchema = z.discriminatedUnion("kind", [existingCluster, k3sCluster]);
