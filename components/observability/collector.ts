import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import { labels } from "../labels";
import { ALLOW_DNS, podPeer, type Peer } from "../network";
import { contentHash, probes, resources } from "../workload";
import {
  COLLECTOR_FEATURE_GATES,
  COLLECTOR_HEALTH_PORT,
  COLLECTOR_METRICS_PORT,
  COLLECTOR_STORAGE,
  collectorConfig,
  collectorLabels,
  POD_LOGS,
  type CollectorConfigArgs,
} from "./collector-config";
import { LOKI_PORT } from "./loki-config";
import { account } from "./pods";

const CONFIG_FOLDER = "/etc/collector";
const CONFIG_FILE = "config.yaml";
/** Of the memory that it may use, what Go collects its garbage for. */
const GO_MEMORY_SHARE = 0.8;
/** What is being sent is sent; what is not stays in the queue. */
const GRACE_SECONDS = 30;

export interface LogCollectorArgs extends Omit<CollectorConfigArgs, "name"> {
  /** Goes into the `environment` label. */
  readonly environment: string;
  /** Of pods that may see their host. */
  readonly namespace: pulumi.Input<string>;
  /** Reference of the image, `otelcol-contrib` or another that has the same components. */
  readonly image: string;
  readonly priorityClassName: pulumi.Input<string>;
  readonly loki: Peer;
  readonly prometheus: Peer;
}

/**
 * The collector of logs, one on each node and whatever taints that has: it hands the lines of all containers to Loki. See
 * `collectorConfig` for what it does with them.
 */
export class LogCollector extends pulumi.ComponentResource {
  readonly daemonSetName: pulumi.Output<string>;
  /** Labels of its pods. */
  readonly podLabels: Record<string, string>;

  constructor(name: string, args: LogCollectorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:observability:LogCollector", name, {}, opts);
    const selector = collectorLabels(name);
    const common = labels({ name, component: "log-collector", environment: args.environment });
    const inside = { parent: this };
    const metadata = (objectName: string) => ({ name: objectName, namespace: args.namespace, labels: common });

    const text = stringify(collectorConfig({ ...args, name }), { lineWidth: 0 });
    const mapName = `${name}-config-${contentHash(text)}`;
    const config = new k8s.core.v1.ConfigMap(
      mapName,
      { metadata: metadata(mapName), immutable: true, data: { [CONFIG_FILE]: text } },
      inside,
    );
    const identity = account(name, metadata(name), inside);
    new k8s.networking.v1.NetworkPolicy(
      `${name}-policy`,
      { metadata: metadata(name), spec: policy(selector, args) },
      inside,
    );
    const daemonSet = new k8s.apps.v1.DaemonSet(
      name,
      {
        metadata: metadata(name),
        spec: {
          selector: { matchLabels: selector },
          // A node without one for a moment loses nothing: its lines wait in their files.
          updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } },
          template: {
            metadata: { labels: common },
            spec: {
              serviceAccountName: identity.metadata.name,
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              priorityClassName: args.priorityClassName,
              terminationGracePeriodSeconds: GRACE_SECONDS,
              // Whatever a node is set aside for, its pods write lines.
              tolerations: [{ operator: "Exists" }],
              securityContext: AS_ROOT_WITHOUT_RIGHTS,
              containers: [container(args)],
              volumes: volumes(config.metadata.name),
            },
          },
        },
      },
      inside,
    );

    this.daemonSetName = daemonSet.metadata.name;
    this.podLabels = selector;
    this.registerOutputs({ daemonSetName: this.daemonSetName });
  }
}

/**
 * Containers' lines are files of root that nobody else may read (0640), and kubelet makes the folder of its storage for root
 * as well. As their owner it reads and writes both without a single capability; what is not root's on the host is closed
 * to it as to anyone.
 */
const AS_ROOT_WITHOUT_RIGHTS = {
  runAsUser: 0,
  runAsGroup: 0,
  seccompProfile: { type: "RuntimeDefault" },
} as const satisfies k8s.types.input.core.v1.PodSecurityContext;

function container({ image, sized }: LogCollectorArgs): k8s.types.input.core.v1.Container {
  return {
    name: "collector",
    image,
    imagePullPolicy: "IfNotPresent",
    args: [`--config=${CONFIG_FOLDER}/${CONFIG_FILE}`, `--feature-gates=${COLLECTOR_FEATURE_GATES.join(",")}`],
    env: [
      { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      { name: "GOMEMLIMIT", value: String(Math.floor(sized.limits.memory * GO_MEMORY_SHARE)) },
    ],
    ports: [
      { name: "metrics", containerPort: COLLECTOR_METRICS_PORT, protocol: "TCP" },
      { name: "health", containerPort: COLLECTOR_HEALTH_PORT, protocol: "TCP" },
    ],
    ...probes({ ready: "/", live: "/" }, "health"),
    resources: resources(sized),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      privileged: false,
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [
      { name: "config", mountPath: CONFIG_FOLDER, readOnly: true },
      { name: "logs", mountPath: POD_LOGS, readOnly: true },
      { name: "storage", mountPath: COLLECTOR_STORAGE },
    ],
  };
}

function volumes(configMapName: pulumi.Input<string>): k8s.types.input.core.v1.Volume[] {
  return [
    { name: "config", configMap: { name: configMapName } },
    { name: "logs", hostPath: { path: POD_LOGS, type: "DirectoryOrCreate" } },
    { name: "storage", hostPath: { path: COLLECTOR_STORAGE, type: "DirectoryOrCreate" } },
  ];
}

/** It reaches Loki, by name, and nothing else; Prometheus asks it for its metrics. */
function policy(
  selector: Record<string, string>,
  { loki, prometheus }: LogCollectorArgs,
): k8s.types.input.networking.v1.NetworkPolicySpec {
  return {
    podSelector: { matchLabels: selector },
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: [podPeer(prometheus)], ports: [{ protocol: "TCP", port: COLLECTOR_METRICS_PORT }] }],
    egress: [
      { to: [podPeer(loki)], ports: [{ protocol: "TCP", port: LOKI_PORT }] },
      ...(ALLOW_DNS.egress as k8s.types.input.networking.v1.NetworkPolicyEgressRule[]),
    ],
  };
}
