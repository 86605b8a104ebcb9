import { readFileSync } from "node:fs";
import * as path from "node:path";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { bundle } from "../bundle";
import { labels, selectorLabels } from "../labels";
import { createPolicies, createService, fromPods, type Peer } from "../network";
import { RESTRICTED_POD } from "../security";
import {
  autoscaler,
  CONTAINER,
  contentHash,
  disruptionBudget,
  probes,
  resources,
  ROLLING_UPDATE,
  spread,
} from "../workload";
import { authorizerSettings, AUTHORIZER_PORTS, PROPAGATION_SECONDS, STORE_FOLDER, type SettingsArgs } from "./settings";

const GRACE_MARGIN_SECONDS = 10;
/** Of a container's memory, what is for objects of JavaScript; the rest is for the policy's module, buffers and code. */
const HEAP_SHARE = 0.6;

export interface AuthorizerArgs extends Omit<SettingsArgs, "peers"> {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly namespace: pulumi.Input<string>;
  /** Its name as text, since it becomes part of names of DNS in the settings. */
  readonly namespaceName: string;
  /** Labels of the gateway's pods, which alone may ask. */
  readonly gatewayLabels: Record<string, string>;
  /** Reference of Node's official image. */
  readonly image: string;
  /** The most pods, from the plan. */
  readonly maxReplicas: number;
  readonly priorityClassName: pulumi.Input<string>;
  /** Who reads its metrics. Default: nobody. */
  readonly prometheus?: Peer | undefined;
  /** Password of the store that budgets are shared in. */
  readonly storePassword?: pulumi.Input<string> | undefined;
}

/**
 * The authorizer: asked by the gateway before each request, it verifies the token, keeps the client's budget and has the
 * policy decide, compiled to WebAssembly. Official Node runs it; script, policy and settings are a ConfigMap named by
 * its content, so that a change of any rolls the pods.
 */
export class Authorizer extends pulumi.ComponentResource {
  readonly deploymentName: pulumi.Output<string>;
  /** Where it is asked, by name. */
  readonly url: string;
  /** The same by its Service's address, for who would else ask DNS for each connection. */
  readonly addressUrl: pulumi.Output<string>;
  readonly port: number = AUTHORIZER_PORTS.gate;
  /** Labels of its pods. */
  readonly podLabels: Record<string, string>;

  constructor(name: string, args: AuthorizerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:authorization:Authorizer", name, {}, opts);
    const selector = selectorLabels({ name, component: "authorizer" });
    const common = labels({ name, component: "authorizer", environment: args.environment });
    const inside = { parent: this };
    const metadata = (objectName: string) => ({ name: objectName, namespace: args.namespace, labels: common });
    const domain = `${args.namespaceName}.svc.cluster.local`;
    const peers = `${name}-peers`;

    const program = createProgram(name, { ...args, peers: `${peers}.${domain}` }, metadata, inside);
    const store = createStoreSecret(name, args, metadata, inside);
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata: metadata(name), automountServiceAccountToken: false },
      inside,
    );
    createPolicies(name, metadata, policies(selector, args), inside);
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata: metadata(name),
        spec: {
          replicas: args.authorization.replicas.min,
          selector: { matchLabels: selector },
          strategy: ROLLING_UPDATE,
          template: {
            metadata: { labels: common, annotations: store.annotations },
            spec: {
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              priorityClassName: args.priorityClassName,
              terminationGracePeriodSeconds: PROPAGATION_SECONDS + GRACE_MARGIN_SECONDS,
              securityContext: RESTRICTED_POD,
              topologySpreadConstraints: spread(selector),
              containers: [container(args, store.mounts)],
              volumes: [{ name: "program", configMap: { name: program.metadata.name } }, ...store.volumes],
            },
          },
        },
      },
      { ...inside, ignoreChanges: ["spec.replicas"] },
    );
    // Ready pods only: who is leaving or not ready yet is no one to share a budget with.
    const service = createService(
      name,
      metadata(name),
      { selector, ports: [{ name: "gate", protocol: "TCP", port: AUTHORIZER_PORTS.gate, targetPort: "gate" }] },
      inside,
    );
    createService(
      peers,
      metadata(peers),
      {
        selector,
        clusterIP: "None",
        ports: [{ name: "gate", protocol: "TCP", port: AUTHORIZER_PORTS.gate, targetPort: "gate" }],
      },
      inside,
    );
    new k8s.autoscaling.v2.HorizontalPodAutoscaler(
      `${name}-autoscaler`,
      { metadata: metadata(name), spec: autoscaler(name, args.authorization.replicas, args.maxReplicas) },
      inside,
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      { metadata: metadata(name), spec: disruptionBudget(selector) },
      inside,
    );

    this.deploymentName = deployment.metadata.name;
    this.url = `http://${name}.${domain}:${AUTHORIZER_PORTS.gate}`;
    this.addressUrl = pulumi.interpolate`http://${service.spec.clusterIP}:${AUTHORIZER_PORTS.gate}`;
    this.podLabels = selector;
    this.registerOutputs({ deploymentName: this.deploymentName });
  }
}

type Metadata = (name: string) => { name: string; namespace: pulumi.Input<string>; labels: Record<string, string> };

/** Immutable and named by its content, as a function's config is. */
function createProgram(name: string, settings: SettingsArgs, metadata: Metadata, opts: pulumi.CustomResourceOptions) {
  const script = bundle("authorizer");
  const policy = readFileSync(path.join(__dirname, "..", "..", "policies", "authorization", "policy.wasm"));
  const text = JSON.stringify(authorizerSettings(settings));
  const mapName = `${name}-program-${contentHash(Buffer.concat([Buffer.from(script + text), policy]))}`;
  return new k8s.core.v1.ConfigMap(
    mapName,
    {
      metadata: metadata(mapName),
      immutable: true,
      data: { "authorizer.js": script, "settings.json": text },
      binaryData: { "policy.wasm": policy.toString("base64") },
    },
    opts,
  );
}

/** The password that opens the store, where budgets are shared; a changed one rolls the pods. */
function createStoreSecret(name: string, args: AuthorizerArgs, metadata: Metadata, opts: pulumi.CustomResourceOptions) {
  if (args.authorization.budgets.kind === "divided" || args.storePassword === undefined) {
    return { annotations: {}, volumes: [], mounts: [] };
  }
  const secret = new k8s.core.v1.Secret(
    `${name}-store`,
    {
      metadata: metadata(`${name}-store`),
      type: "Opaque",
      stringData: { password: pulumi.secret(args.storePassword) },
    },
    opts,
  );
  return {
    annotations: { "wasm-functions.dev/store-secret-version": secret.metadata.resourceVersion },
    volumes: [{ name: "store", secret: { secretName: secret.metadata.name, defaultMode: 0o440 } }],
    mounts: [{ name: "store", mountPath: STORE_FOLDER, readOnly: true }],
  };
}

function container(
  { image, authorization }: AuthorizerArgs,
  mounts: k8s.types.input.core.v1.VolumeMount[],
): k8s.types.input.core.v1.Container {
  const heap = Math.floor((authorization.replicas.limits.memory * HEAP_SHARE) / 2 ** 20);
  return {
    ...CONTAINER,
    name: "authorizer",
    image,
    command: ["node", `--max-old-space-size=${heap}`, "/app/authorizer.js", "/app/settings.json", "/app/policy.wasm"],
    ports: [
      { name: "gate", containerPort: AUTHORIZER_PORTS.gate, protocol: "TCP" },
      { name: "admin", containerPort: AUTHORIZER_PORTS.admin, protocol: "TCP" },
    ],
    ...probes({ ready: "/readyz", live: "/livez" }, "admin"),
    resources: resources(authorization.replicas),
    volumeMounts: [{ name: "program", mountPath: "/app", readOnly: true }, ...mounts],
  };
}

/** Asked by the gateway alone; it reaches where keys are published and budgets are kept. */
function policies(
  selector: Record<string, string>,
  { authorization: { jwt, budgets }, gatewayLabels, prometheus }: AuthorizerArgs,
): Record<string, k8s.types.input.networking.v1.NetworkPolicySpec> {
  const podSelector = { matchLabels: selector };
  const outside = [
    ...(jwt?.keysUrl === undefined
      ? []
      : [{ networks: jwt.keysAddresses, port: Number(new URL(jwt.keysUrl).port || "443") }]),
    ...(budgets.kind === "divided" ? [] : [{ networks: budgets.addresses, port: budgets.port }]),
  ];
  return {
    "from-gateway": {
      podSelector,
      policyTypes: ["Ingress"],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: gatewayLabels } }],
          ports: [{ protocol: "TCP", port: AUTHORIZER_PORTS.gate }],
        },
      ],
    },
    ...(prometheus && { "from-prometheus": fromPods(selector, [prometheus], [AUTHORIZER_PORTS.admin]) }),
    ...(outside.length > 0 && {
      "to-issuer-and-store": {
        podSelector,
        policyTypes: ["Egress"],
        egress: outside.map(({ networks, port }) => ({
          to: networks.map((network) => ({ ipBlock: { cidr: network.text } })),
          ports: [{ protocol: "TCP", port }],
        })),
      },
    }),
  };
}
