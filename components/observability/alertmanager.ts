import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import type { ObservabilityConfig } from "../../infra/config";
import type { ObservabilityPlan } from "../../infra/plan/types";
import { createPolicies, createService, podPeer, tcp, type Peer } from "../network";
import { CONTAINER, contentHash, disruptionBudget, probes, spread } from "../workload";
import { alertmanagerConfig, RECEIVERS_FOLDER } from "./alertmanager-config";
import { account, dataResources, dataVolume, part, podFrame, type PartArgs } from "./pods";
import { ALERTMANAGER_PORT } from "./prometheus-config";

/** `nobody` of the official image. */
const USER = 65534;
/** Where replicas tell each other who was told what. */
const CLUSTER_PORT = 9094;
const CONFIG_FOLDER = "/etc/alertmanager/config";

export interface AlertmanagerArgs extends PartArgs {
  readonly observability: ObservabilityConfig;
  readonly plan: ObservabilityPlan["alertmanager"];
  /** By the receiver's name; what is not here has its URL in the config. */
  readonly receivers: Readonly<Record<string, pulumi.Input<string>>>;
  /** Who may send it alerts, and look. */
  readonly clients: readonly Peer[];
}

/** Alertmanager: one message for what belongs together, to whom it concerns. Silences are kept with its data. */
export class Alertmanager extends pulumi.ComponentResource {
  readonly serviceName: pulumi.Output<string>;

  constructor(name: string, args: AlertmanagerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:observability:Alertmanager", name, {}, opts);
    const { selector, common, metadata } = part(name, args);
    const inside = { parent: this };
    const { observability } = args;
    const { replicas } = observability.metrics;
    const { volumes, claims } = dataVolume("data", observability.storage, args.plan.storage);

    const text = stringify(alertmanagerConfig(observability));
    const configName = `${name}-config-${contentHash(text)}`;
    const config = new k8s.core.v1.ConfigMap(
      configName,
      { metadata: metadata(configName), immutable: true, data: { "alertmanager.yaml": text } },
      inside,
    );
    const receivers = receiverSecret(name, args, metadata, inside);
    const identity = account(name, metadata(name), inside);
    createPolicies(name, metadata, policies(selector, args), inside);
    const headless = createService(
      `${name}-pods`,
      metadata(`${name}-pods`),
      {
        selector,
        clusterIP: "None",
        // They look for one another before they are ready.
        publishNotReadyAddresses: true,
        ports: [{ name: "http", protocol: "TCP", port: ALERTMANAGER_PORT, targetPort: "http" }],
      },
      inside,
    );
    new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata: metadata(name),
        spec: {
          replicas,
          serviceName: headless.metadata.name,
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector },
          template: {
            metadata: { labels: common, annotations: receivers.annotations },
            spec: {
              ...podFrame(USER, identity.metadata.name, args.priorityClassName),
              topologySpreadConstraints: spread(selector),
              containers: [container(name, args, receivers.mounts)],
              volumes: [
                { name: "config", configMap: { name: config.metadata.name } },
                ...receivers.volumes,
                ...volumes,
              ],
            },
          },
          ...claims,
        },
      },
      inside,
    );
    this.serviceName = createService(
      `${name}-service`,
      metadata(name),
      { selector, ports: [{ name: "http", protocol: "TCP", port: ALERTMANAGER_PORT, targetPort: "http" }] },
      inside,
    ).metadata.name;
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      { metadata: metadata(name), spec: disruptionBudget(selector) },
      inside,
    );
    this.registerOutputs({ serviceName: this.serviceName });
  }
}

/**
 * What opens the way to receivers, a key for each; a changed one rolls the pods. Where the config has none, somebody else
 * keeps the Secret, and the pods wait for it.
 */
function receiverSecret(
  name: string,
  { receivers, observability }: AlertmanagerArgs,
  metadata: (name: string) => k8s.types.input.meta.v1.ObjectMeta,
  opts: pulumi.CustomResourceOptions,
) {
  if (observability.receivers.every(({ url }) => url !== undefined))
    return { annotations: {}, volumes: [], mounts: [] };
  const secretName = `${name}-receivers`;
  const secret =
    Object.keys(receivers).length === 0
      ? undefined
      : new k8s.core.v1.Secret(
          secretName,
          {
            metadata: metadata(secretName),
            type: "Opaque",
            stringData: Object.fromEntries(
              Object.entries(receivers).map(([key, value]) => [key, pulumi.secret(value)]),
            ),
          },
          opts,
        );
  return {
    annotations: secret ? { "wasm-functions.dev/receivers-version": secret.metadata.resourceVersion } : {},
    volumes: [{ name: "receivers", secret: { secretName: secret?.metadata.name ?? secretName, defaultMode: 0o440 } }],
    mounts: [{ name: "receivers", mountPath: RECEIVERS_FOLDER, readOnly: true }],
  };
}

function container(
  name: string,
  { image, plan, observability }: AlertmanagerArgs,
  mounts: k8s.types.input.core.v1.VolumeMount[],
): k8s.types.input.core.v1.Container {
  const { replicas } = observability.metrics;
  const peers = Array.from({ length: replicas }, (_, index) => `${name}-${index}.${name}-pods:${CLUSTER_PORT}`);
  return {
    ...CONTAINER,
    name: "alertmanager",
    image,
    command: ["/bin/alertmanager"],
    args: [
      `--config.file=${CONFIG_FOLDER}/alertmanager.yaml`,
      "--storage.path=/alertmanager",
      `--web.listen-address=:${ALERTMANAGER_PORT}`,
      "--log.format=json",
      // Alone it has nobody to tell.
      ...(replicas === 1
        ? ["--cluster.listen-address="]
        : [`--cluster.listen-address=:${CLUSTER_PORT}`, ...peers.map((peer) => `--cluster.peer=${peer}`)]),
    ],
    ports: [{ name: "http", containerPort: ALERTMANAGER_PORT, protocol: "TCP" }],
    ...probes({ ready: "/-/ready", live: "/-/healthy" }, "http"),
    resources: dataResources(plan, observability.storage),
    volumeMounts: [
      { name: "config", mountPath: CONFIG_FOLDER, readOnly: true },
      { name: "data", mountPath: "/alertmanager" },
      ...mounts,
    ],
  };
}

function policies(
  selector: Record<string, string>,
  { observability, clients, namespace }: AlertmanagerArgs,
): Record<string, k8s.types.input.networking.v1.NetworkPolicySpec> {
  const podSelector = { matchLabels: selector };
  const peers = podPeer({ namespace, labels: selector });
  const gossip = ["TCP", "UDP"].map((protocol) => ({ protocol, port: CLUSTER_PORT }));
  const alone = observability.metrics.replicas === 1;
  return {
    "from-clients": {
      podSelector,
      policyTypes: ["Ingress"],
      ingress: [
        { from: clients.map(podPeer), ports: tcp(ALERTMANAGER_PORT) },
        ...(alone ? [] : [{ from: [peers], ports: gossip }]),
      ],
    },
    ...((observability.receivers.length > 0 || !alone) && {
      "to-receivers": {
        podSelector,
        policyTypes: ["Egress"],
        egress: [
          ...observability.receivers.map(({ addresses, port }) => ({
            to: addresses.map((network) => ({ ipBlock: { cidr: network.text } })),
            ports: tcp(port),
          })),
          ...(alone ? [] : [{ to: [peers], ports: gossip }]),
        ],
      },
    }),
  };
}
