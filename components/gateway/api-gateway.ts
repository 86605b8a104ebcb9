import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { FunctionConfig, GatewayConfig, RouteConfig } from "../../infra/config";
import type { RequestPathPlan } from "../../infra/plan/types";
import { labels, selectorLabels } from "../labels";
import { createPolicies, fromPods, type ApiServerPeers, type Peer } from "../network";
import { RESTRICTED_POD } from "../security";
import { autoscaler, disruptionBudget, ROLLING_UPDATE, spread } from "../workload";
import { kongPods } from "./kong";
import { fromAnywhere, toUpstreams } from "./network";
import type { GatewayPods, PodContext } from "./pods";
import { PROPAGATION_SECONDS } from "./render";
import { gatewayRoutes, latencyBuckets, publicHttpsPort, upstreams } from "./routes";
import { traefikPods } from "./traefik";

/** The Service that clients come by, whatever stands behind it. */
const SERVICE = "api-gateway";
/** After the last request, a moment to exit. */
const GRACE_MARGIN_SECONDS = 5;

export interface ApiGatewayArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly namespace: pulumi.Input<string>;
  readonly gateway: GatewayConfig;
  readonly routes: readonly RouteConfig[];
  readonly functions: readonly FunctionConfig[];
  /** By tenant name. */
  readonly tenantNamespaces: Readonly<Record<string, pulumi.Input<string>>>;
  /** The authorizer that is asked before each request. */
  readonly authorizer: Peer & {
    readonly url: string;
    /** By its Service's address. */
    readonly addressUrl: pulumi.Input<string>;
    readonly port: number;
  };
  /** References of the gateway's own image and of Node's, which its helper runs in. */
  readonly images: { readonly gateway: string; readonly node: string };
  /** The most pods, from the plan. */
  readonly maxReplicas: number;
  /** Resources of the gateway's helper, from the plan. */
  readonly helper: RequestPathPlan["helper"];
  readonly priorityClassName: pulumi.Input<string>;
  readonly apiServer: ApiServerPeers;
  /** Who reads its metrics. Default: nobody. */
  readonly prometheus?: Peer | undefined;
  /** Annotations of the Service, by which whoever answers for its address knows it. Default: the config's own. */
  readonly serviceAnnotations?: Readonly<Record<string, pulumi.Input<string>>> | undefined;
  /** `certificate` and `key` as PEM. Default: the Secret that the config names is kept by somebody else. */
  readonly certificate?: Readonly<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * The way in: a gateway that routes, asks the authorizer, limits bodies, passes requests to pods that are ready, and is
 * itself several, scaled and rolled without losing one. Depend on the tenants and the authorizer.
 */
export class ApiGateway extends pulumi.ComponentResource {
  readonly serviceName: pulumi.Output<string>;
  readonly deploymentName: pulumi.Output<string>;
  /** Port of HTTPS at the addresses that clients come by. */
  readonly httpsPort: number;

  constructor(name: string, args: ApiGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:gateway:ApiGateway", name, {}, opts);
    const { gateway } = args;
    const selector = selectorLabels({ name: gateway.kind, component: "gateway" });
    const common = labels({ name: gateway.kind, component: "gateway", environment: args.environment });
    const namespace = pulumi.output(args.namespace);
    const inside = { parent: this };
    const metadata = (objectName: string) => ({ name: objectName, namespace, labels: common });

    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata: metadata(name), automountServiceAccountToken: false },
      inside,
    );
    const context: PodContext = {
      name,
      namespace,
      labels: common,
      metadata,
      opts: inside,
      ...certificateOf(name, args, metadata, inside),
    };
    const reached = upstreams(args.routes, args.functions);
    const longest = Math.max(...reached.map(({ timeout }) => timeout));
    const pods = podsOf(args, reached, longest, context);

    const policies = {
      "from-anywhere": fromAnywhere(selector, [pods.ports.http, pods.ports.https]),
      "to-upstreams": toUpstreams(selector, reached, args.authorizer, pods.callsApi ? args.apiServer : undefined),
      ...(args.prometheus && { "from-prometheus": fromPods(selector, [args.prometheus], [pods.ports.admin]) }),
    };
    const network = createPolicies(name, metadata, policies, inside);

    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata: metadata(name),
        spec: {
          replicas: gateway.replicas.min,
          selector: { matchLabels: selector },
          strategy: ROLLING_UPDATE,
          template: {
            metadata: { labels: common },
            spec: {
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              priorityClassName: args.priorityClassName,
              terminationGracePeriodSeconds: PROPAGATION_SECONDS + Math.ceil(longest / 1000) + GRACE_MARGIN_SECONDS,
              securityContext: RESTRICTED_POD,
              // Names here are whole: the cluster's search list would ask four times for nothing.
              dnsConfig: { options: [{ name: "ndots", value: "2" }] },
              topologySpreadConstraints: spread(selector),
              initContainers: pods.initContainers,
              containers: pods.containers,
              volumes: pods.volumes,
            },
          },
        },
      },
      { ...inside, ignoreChanges: ["spec.replicas"], dependsOn: [...network, ...pods.dependsOn] },
    );
    const service = new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata: { ...metadata(SERVICE), annotations: serviceAnnotations(args) },
        spec: serviceSpec(selector, gateway),
      },
      inside,
    );
    new k8s.autoscaling.v2.HorizontalPodAutoscaler(
      `${name}-autoscaler`,
      { metadata: metadata(name), spec: autoscaler(name, gateway.replicas, args.maxReplicas) },
      inside,
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      { metadata: metadata(name), spec: disruptionBudget(selector) },
      inside,
    );

    this.serviceName = service.metadata.name;
    this.deploymentName = deployment.metadata.name;
    this.httpsPort = publicHttpsPort(gateway);
    this.registerOutputs({ serviceName: this.serviceName, deploymentName: this.deploymentName });
  }
}

function podsOf(
  args: ApiGatewayArgs,
  reached: ReturnType<typeof upstreams>,
  longest: number,
  context: PodContext,
): GatewayPods {
  const config = {
    gateway: args.gateway,
    routes: gatewayRoutes(args.routes),
    upstreams: reached,
    authorizer: args.authorizer.url,
    buckets: latencyBuckets(args.functions),
    slow: Math.max(...args.functions.map(({ objectives }) => objectives.p99)),
    longest,
  };
  switch (args.gateway.kind) {
    case "traefik":
      return traefikPods(args, config, context);
    case "kong":
      return kongPods(args, config, context);
  }
}

/** The certificate of the config as a Secret, or the name of the one that somebody else keeps. */
function certificateOf(
  name: string,
  { gateway: { tls }, certificate }: ApiGatewayArgs,
  metadata: PodContext["metadata"],
  opts: pulumi.CustomResourceOptions,
): Pick<PodContext, "certificateSecret" | "certificateVersion"> {
  if (tls.kind === "selfSigned") return { certificateSecret: undefined, certificateVersion: undefined };
  const { certificate: crt, key } = certificate ?? {};
  if (crt === undefined || key === undefined) {
    return { certificateSecret: tls.secretName, certificateVersion: undefined };
  }
  const secret = new k8s.core.v1.Secret(
    `${name}-certificate`,
    {
      metadata: metadata(tls.secretName),
      type: "kubernetes.io/tls",
      stringData: { "tls.crt": pulumi.secret(crt), "tls.key": pulumi.secret(key) },
    },
    opts,
  );
  return { certificateSecret: secret.metadata.name, certificateVersion: secret.metadata.resourceVersion };
}

function serviceAnnotations({
  gateway: { entry },
  serviceAnnotations,
}: ApiGatewayArgs): Record<string, pulumi.Input<string>> {
  return {
    ...(entry.kind === "external" && entry.annotations),
    ...serviceAnnotations,
    // Node ports are there at once. An address has to come from somebody, and an `up` says so when nobody gives one.
    ...(entry.kind === "nodePort" && { "pulumi.com/skipAwait": "true" }),
  };
}

function serviceSpec(selector: Record<string, string>, { entry }: GatewayConfig): k8s.types.input.core.v1.ServiceSpec {
  const ports = { http: 80, https: 443 };
  const nodePorts = entry.kind === "nodePort" ? { http: entry.http, https: entry.https } : undefined;
  // servicelb's pods pass packets on from every node, so there is nothing to be local to.
  const policy = entry.kind === "servicelb" ? "cluster" : entry.trafficPolicy;
  return {
    type: entry.kind === "nodePort" ? "NodePort" : "LoadBalancer",
    selector,
    externalTrafficPolicy: policy === "local" ? "Local" : "Cluster",
    ...(entry.kind === "external" &&
      entry.loadBalancerClass !== undefined && { loadBalancerClass: entry.loadBalancerClass }),
    ports: (["http", "https"] as const).map((port) => ({
      name: port,
      protocol: "TCP",
      port: ports[port],
      targetPort: port,
      ...(nodePorts && { nodePort: nodePorts[port] }),
    })),
  };
}
