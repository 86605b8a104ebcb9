import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labels } from "../labels";
import {
  changePods,
  isWorkload,
  parseManifest,
  registerManifest,
  type ManifestObject,
  type ManifestResources,
  type PodSpec,
} from "../manifest";
import { RESTRICTED_CONTAINER } from "../security";

/**
 * The annotation by which a Service of type LoadBalancer asks for an address of a pool; without it, it gets none. The older
 * `metallb.universe.tf/address-pool` is deprecated since MetalLB 0.14.9.
 */
export const ADDRESS_POOL_ANNOTATION = "metallb.io/address-pool";

/** The manifest's own: roles, webhooks and a CRD name it. */
const NAMESPACE = "metallb-system";
const API_VERSION = "metallb.io/v1beta1";
const POOL = "gateway";
/** Where the controller's webhooks listen: a policy is about a pod's own port, not its Service's. */
const WEBHOOK_PORT = 9443;

export interface MetalLbArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  /** What the pool has: IPv4 networks, or ranges as `first-last`, of the network that the nodes are in. */
  readonly addresses: readonly string[];
  /** The release manifest `metallb-native.yaml`, verified: see `readManifest`. */
  readonly manifest: string;
}

type Container = PodSpec["containers"][number];

interface Workload {
  readonly priorityClassName: string;
  readonly resources: { readonly requests: Record<string, string>; readonly limits: Record<string, string> };
  readonly securityContext: (container: Container) => NonNullable<Container["securityContext"]>;
}

/**
 * What the manifest leaves open. Requests and limits are allowances: MetalLB names none but, as an example in its chart, 100m
 * and 100Mi. It took its limits out after a throttled speaker had answered ARP 15 s late; so CPU may be many times what is
 * requested. Both keep all Services in memory, the speaker all EndpointSlices as well: some MB for 5,000 pods.
 *
 * Without a priority class they would have to leave full nodes for functions, whose class is above none.
 */
const WORKLOADS: Readonly<Record<string, Workload>> = {
  "Deployment/controller": {
    priorityClassName: "system-cluster-critical",
    resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { cpu: "500m", memory: "256Mi" } },
    securityContext: () => RESTRICTED_CONTAINER,
  },
  // It answers ARP: on the node's own network, with NET_RAW. Only a namespace that is `privileged` admits either.
  "DaemonSet/speaker": {
    priorityClassName: "system-node-critical",
    resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "1", memory: "256Mi" } },
    securityContext: (container) => ({ ...container.securityContext, privileged: false }),
  },
};

/**
 * MetalLB, which announces a Service's address in the nodes' network (layer 2): the objects of its release manifest, and
 * one pool of addresses, given to those alone who ask for it by `ADDRESS_POOL_ANNOTATION`. One for each cluster.
 *
 * Of the controller, others reach the webhooks alone. Those are open to everybody, since the API server is no pod that a policy
 * could name; and it may send anywhere, since that server's port differs between clusters. No policy holds for speakers: they
 * are on the nodes' network. So a default deny would add nothing here but a way to cut off the webhooks.
 */
export class MetalLb extends pulumi.ComponentResource {
  /** What `ADDRESS_POOL_ANNOTATION` has to say. */
  readonly poolName: pulumi.Output<string>;

  constructor(name: string, args: MetalLbArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:gateway:MetalLb", name, {}, opts);
    const common = labels({ name: "metallb", component: "load-balancer", environment: args.environment });
    const metadata = (objectName: string) => ({ name: objectName, namespace: NAMESPACE, labels: common });

    const objects = parseManifest(args.manifest).map(harden);
    const manifest = registerManifest(name, objects, common, { parent: this });
    new k8s.networking.v1.NetworkPolicy(
      `${name}-controller`,
      { metadata: metadata("controller"), spec: CONTROLLER_POLICY },
      { parent: this, dependsOn: [...manifest.foundations] },
    );
    this.poolName = announce(name, args.addresses, metadata, { parent: this, dependsOn: [ready(manifest)] });
    this.registerOutputs({ poolName: this.poolName });
  }
}

const CONTROLLER_POLICY: k8s.types.input.networking.v1.NetworkPolicySpec = {
  podSelector: { matchLabels: { app: "metallb", component: "controller" } },
  policyTypes: ["Ingress"],
  ingress: [{ ports: [{ protocol: "TCP", port: WEBHOOK_PORT }] }],
};

/** The controller answers its readiness probe only once its webhooks do. */
function ready(manifest: ManifestResources): pulumi.Resource {
  return manifest.find("Deployment", "controller");
}

function announce(
  name: string,
  addresses: readonly string[],
  metadata: (name: string) => k8s.types.input.meta.v1.ObjectMeta,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const pool = new k8s.apiextensions.CustomResource(
    `${name}-pool`,
    {
      apiVersion: API_VERSION,
      kind: "IPAddressPool",
      metadata: metadata(POOL),
      // Another Service of type LoadBalancer must not use up what is the gateway's.
      spec: { addresses: [...addresses], autoAssign: false },
    },
    opts,
  );
  const poolName = pool.metadata.name;
  new k8s.apiextensions.CustomResource(
    `${name}-advertisement`,
    {
      apiVersion: API_VERSION,
      kind: "L2Advertisement",
      metadata: metadata(POOL),
      spec: { ipAddressPools: [poolName] },
    },
    opts,
  );
  return poolName;
}

/** @throws Error for a workload that a release has added: somebody has to say what it may use and do */
function harden(object: ManifestObject): ManifestObject {
  if (!isWorkload(object)) return object;
  const key = `${object.kind}/${object.metadata.name}`;
  const workload = WORKLOADS[key];
  if (workload === undefined)
    throw new Error(`${key}: say its resources and privileges in components/gateway/metallb.ts`);
  const { priorityClassName, resources, securityContext } = workload;
  return changePods(object, (pod) => ({
    ...pod,
    priorityClassName,
    securityContext: { ...pod.securityContext, seccompProfile: { type: "RuntimeDefault" } },
    containers: pod.containers.map((container) => ({
      ...container,
      resources,
      securityContext: securityContext(container),
    })),
  }));
}
