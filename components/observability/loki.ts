import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import type { ObservabilityConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan/types";
import { labels } from "../labels";
import { createPolicies, createService, podPeer, type Peer } from "../network";
import { CONTAINER, contentHash, disruptionBudget, probes } from "../workload";
import {
  LOKI_FOLDER,
  LOKI_GOSSIP_PORT,
  LOKI_GRPC_PORT,
  LOKI_PORT,
  lokiConfig,
  lokiLabels,
  type LokiConfigArgs,
} from "./loki-config";
import { account, dataResources, dataVolume, podFrame } from "./pods";

const CONFIG_FOLDER = "/etc/loki";
const CONFIG_FILE = "loki.yaml";
const KEYS_FOLDER = "/run/secrets/bucket";
const KEYS_FILE = "credentials";
/** The user of its official image. */
const LOKI_USER = 10_001;
/** Of the memory that it may use, what Go collects its garbage for. */
const GO_MEMORY_SHARE = 0.8;
/** With a bucket, what is not there yet is written there before it ends. */
const GRACE_SECONDS = 300;
/** It reads the log of the last hours again before it is ready: up to so long, once a second. */
const SECONDS_TO_START = 600;

export interface LokiArgs extends Omit<LokiConfigArgs, "peers" | "loki"> {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly namespace: pulumi.Input<string>;
  /** Its name as text, since it becomes part of names of DNS. */
  readonly namespaceName: string;
  readonly image: string;
  readonly storage: ObservabilityConfig["storage"];
  /** From the plan. */
  readonly loki: Plan["observability"]["loki"];
  readonly priorityClassName: pulumi.Input<string>;
  /** Of `objectStorage`; where they are missing, its pods wait for a Secret `<name>-bucket` that someone else keeps. */
  readonly bucketKeys?: { readonly id: pulumi.Input<string>; readonly secret: pulumi.Input<string> } | undefined;
  /** Who hands it lines, and who asks for them or for its metrics. */
  readonly clients: readonly Peer[];
}

/**
 * Loki, which keeps the lines of all containers: one with a volume, or several that share a bucket. Its config is a ConfigMap
 * named by its content, so that a change of it rolls the pods.
 */
export class Loki extends pulumi.ComponentResource {
  readonly statefulSetName: pulumi.Output<string>;
  /** Where it is asked, by name. */
  readonly url: string;
  readonly port: number = LOKI_PORT;
  /** Labels of its pods. */
  readonly podLabels: Record<string, string>;

  constructor(name: string, args: LokiArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:observability:Loki", name, {}, opts);
    const selector = lokiLabels(name);
    const common = labels({ name, component: "logs", environment: args.environment });
    const inside = { parent: this };
    const metadata = (objectName: string) => ({ name: objectName, namespace: args.namespace, labels: common });
    const domain = `${args.namespaceName}.svc.cluster.local`;
    const peers = `${name}-peers`;

    const text = stringify(lokiConfig({ ...args, peers: `${peers}.${domain}` }), { lineWidth: 0 });
    const mapName = `${name}-config-${contentHash(text)}`;
    const config = new k8s.core.v1.ConfigMap(
      mapName,
      { metadata: metadata(mapName), immutable: true, data: { [CONFIG_FILE]: text } },
      inside,
    );
    const keys = createKeys(name, args, metadata, inside);
    const identity = account(name, metadata(name), inside);
    createPolicies(name, metadata, policies(selector, args), inside);
    // Those that start have to find each other before one of them is ready.
    const headless = createService(
      peers,
      metadata(peers),
      {
        selector,
        clusterIP: "None",
        publishNotReadyAddresses: true,
        ports: [
          { name: "grpc", protocol: "TCP", port: LOKI_GRPC_PORT, targetPort: "grpc" },
          { name: "gossip", protocol: "TCP", port: LOKI_GOSSIP_PORT, targetPort: "gossip" },
        ],
      },
      inside,
    );
    createService(
      name,
      metadata(name),
      { selector, ports: [{ name: "http", protocol: "TCP", port: LOKI_PORT, targetPort: "http" }] },
      inside,
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      { metadata: metadata(`${name}-budget`), spec: disruptionBudget(selector) },
      inside,
    );
    const { volumes, claims } = dataVolume("data", args.storage, args.loki.storage);
    const statefulSet = new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata: metadata(name),
        spec: {
          replicas: args.loki.replicas,
          serviceName: headless.metadata.name,
          selector: { matchLabels: selector },
          podManagementPolicy: "Parallel",
          updateStrategy: { type: "RollingUpdate" },
          ...claims,
          template: {
            metadata: { labels: common, annotations: keys.annotations },
            spec: {
              ...podFrame(LOKI_USER, identity.metadata.name, args.priorityClassName),
              terminationGracePeriodSeconds: GRACE_SECONDS,
              topologySpreadConstraints: apart(selector),
              containers: [container(args, keys)],
              volumes: [{ name: "config", configMap: { name: config.metadata.name } }, ...volumes, ...keys.volumes],
            },
          },
        },
      },
      inside,
    );

    this.statefulSetName = statefulSet.metadata.name;
    this.url = `http://${name}.${domain}:${LOKI_PORT}`;
    this.podLabels = selector;
    this.registerOutputs({ statefulSetName: this.statefulSetName });
  }
}

type Metadata = (name: string) => { name: string; namespace: pulumi.Input<string>; labels: Record<string, string> };

interface Keys {
  readonly annotations: Record<string, pulumi.Input<string>>;
  readonly env: k8s.types.input.core.v1.EnvVar[];
  readonly mounts: k8s.types.input.core.v1.VolumeMount[];
  readonly volumes: k8s.types.input.core.v1.Volume[];
}

/** What opens the bucket, as the file that Amazon's library reads: not in the environment, on no command line. */
function createKeys(name: string, args: LokiArgs, metadata: Metadata, opts: pulumi.CustomResourceOptions): Keys {
  if (args.objectStorage === undefined) return { annotations: {}, env: [], mounts: [], volumes: [] };
  const secretName = `${name}-bucket`;
  const secret =
    args.bucketKeys &&
    new k8s.core.v1.Secret(
      secretName,
      {
        metadata: metadata(secretName),
        type: "Opaque",
        stringData: {
          [KEYS_FILE]: pulumi.secret(
            pulumi.interpolate`[default]\naws_access_key_id = ${args.bucketKeys.id}\naws_secret_access_key = ${args.bucketKeys.secret}\n`,
          ),
        },
      },
      opts,
    );
  return {
    annotations: secret ? { "wasm-functions.dev/bucket-secret-version": secret.metadata.resourceVersion } : {},
    env: [{ name: "AWS_SHARED_CREDENTIALS_FILE", value: `${KEYS_FOLDER}/${KEYS_FILE}` }],
    mounts: [{ name: "bucket", mountPath: KEYS_FOLDER, readOnly: true }],
    volumes: [{ name: "bucket", secret: { secretName: secret?.metadata.name ?? secretName, defaultMode: 0o440 } }],
  };
}

function container(args: LokiArgs, keys: Keys): k8s.types.input.core.v1.Container {
  const paths = probes({ ready: "/ready", live: "/metrics" }, "http");
  return {
    ...CONTAINER,
    name: "loki",
    image: args.image,
    args: [`-config.file=${CONFIG_FOLDER}/${CONFIG_FILE}`],
    env: [{ name: "GOMEMLIMIT", value: String(Math.floor(args.loki.limits.memory * GO_MEMORY_SHARE)) }, ...keys.env],
    ports: [
      { name: "http", containerPort: LOKI_PORT, protocol: "TCP" },
      { name: "grpc", containerPort: LOKI_GRPC_PORT, protocol: "TCP" },
      { name: "gossip", containerPort: LOKI_GOSSIP_PORT, protocol: "TCP" },
    ],
    ...paths,
    startupProbe: { ...paths.startupProbe, failureThreshold: SECONDS_TO_START },
    resources: dataResources(args.loki, args.storage),
    volumeMounts: [
      { name: "config", mountPath: CONFIG_FOLDER, readOnly: true },
      { name: "data", mountPath: LOKI_FOLDER },
      ...keys.mounts,
    ],
  };
}

/** Each on a node of its own, where there are as many. */
function apart(selector: Record<string, string>): k8s.types.input.core.v1.TopologySpreadConstraint[] {
  return [
    {
      maxSkew: 1,
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: selector },
    },
  ];
}

function policies(
  selector: Record<string, string>,
  { clients, loki, objectStorage }: LokiArgs,
): Record<string, k8s.types.input.networking.v1.NetworkPolicySpec> {
  const podSelector = { matchLabels: selector };
  const amongPeers = [
    { protocol: "TCP", port: LOKI_GRPC_PORT },
    { protocol: "TCP", port: LOKI_GOSSIP_PORT },
  ];
  return {
    "from-clients": {
      podSelector,
      policyTypes: ["Ingress"],
      ingress: [{ from: clients.map(podPeer), ports: [{ protocol: "TCP", port: LOKI_PORT }] }],
    },
    ...(loki.replicas > 1 && {
      "among-peers": {
        podSelector,
        policyTypes: ["Ingress", "Egress"],
        ingress: [{ from: [{ podSelector }], ports: amongPeers }],
        egress: [{ to: [{ podSelector }], ports: amongPeers }],
      },
    }),
    ...(objectStorage && {
      "to-bucket": {
        podSelector,
        policyTypes: ["Egress"],
        egress: [
          {
            to: objectStorage.addresses.map((network) => ({ ipBlock: { cidr: network.text } })),
            ports: [{ protocol: "TCP", port: objectStorage.port }],
          },
        ],
      },
    }),
  };
}
