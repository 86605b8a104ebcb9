import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import type { ObservabilityPlan } from "../../infra/plan/types";
import {
  createPolicies,
  createService,
  fromPods,
  podPeer,
  tcp,
  toApiServer,
  type ApiServerPeers,
  type Peer,
} from "../network";
import { CREDENTIALS } from "../security";
import { CONTAINER, disruptionBudget, probes, spread } from "../workload";
import { account, dataResources, dataVolume, part, podFrame, type PartArgs } from "./pods";
import { prometheusConfig, PROMETHEUS_FOLDER, PROMETHEUS_PORT, type PrometheusConfigArgs } from "./prometheus-config";

/** `nobody` of the official image. */
const USER = 65534;
/** Kubelets, node-exporter. */
const HOST_PORTS = [10250, 9100];
/** Of its volume, what blocks may take; the rest is for the log of what is not yet in one. */
const BLOCKS_SHARE = 0.8;

export interface PrometheusArgs extends PartArgs {
  readonly config: PrometheusConfigArgs;
  /** The rules, as Prometheus reads them. */
  readonly rules: string;
  readonly plan: ObservabilityPlan["prometheus"];
  /** Namespaces whose pods are scraped, by name. */
  readonly scraped: Readonly<Record<string, pulumi.Input<string>>>;
  /** Pods that are scraped, with the ports that they tell at. */
  readonly targets: readonly (Peer & { readonly ports: readonly number[] })[];
  /** Networks in which hosts and their kubelets are, and where the control plane tells its metrics. */
  readonly hosts: ApiServerPeers;
  readonly apiServer: ApiServerPeers;
  /** Who may query it. */
  readonly readers: readonly Peer[];
}

/**
 * Prometheus. Configuration and rules keep their ConfigMap's name and are taken over while it runs, some two minutes after a
 * change: a restart would read its log of the last hours again. Each of several replicas scrapes everything.
 */
export class Prometheus extends pulumi.ComponentResource {
  readonly serviceName: pulumi.Output<string>;

  constructor(name: string, args: PrometheusArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:observability:Prometheus", name, {}, opts);
    const { selector, common, metadata } = part(name, args);
    const inside = { parent: this };
    const { observability } = args.config;
    const { replicas } = observability.metrics;
    const { volumes, claims } = dataVolume("data", observability.storage, args.plan.storage);

    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata: metadata(`${name}-config`),
        data: { "prometheus.yaml": stringify(prometheusConfig(args.config)), "rules.yaml": args.rules },
      },
      inside,
    );
    const identity = account(name, metadata(name), inside);
    const access = grantReading(name, args, identity, common, inside);
    const policies = {
      "from-readers": fromPods(
        selector,
        [...args.readers, { namespace: args.namespace, labels: selector }],
        [PROMETHEUS_PORT],
      ),
      "to-targets": toTargets(selector, args),
    };
    createPolicies(name, metadata, policies, inside);
    const headless = createService(
      `${name}-pods`,
      metadata(`${name}-pods`),
      {
        selector,
        clusterIP: "None",
        ports: [{ name: "http", protocol: "TCP", port: PROMETHEUS_PORT, targetPort: "http" }],
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
            metadata: { labels: common },
            spec: {
              ...podFrame(USER, identity.metadata.name, args.priorityClassName),
              topologySpreadConstraints: spread(selector),
              // It writes what it has in memory.
              terminationGracePeriodSeconds: 120,
              containers: [container(args)],
              volumes: [{ name: "config", configMap: { name: config.metadata.name } }, CREDENTIALS.volume, ...volumes],
            },
          },
          ...claims,
        },
      },
      { ...inside, dependsOn: access },
    );
    this.serviceName = createService(
      `${name}-service`,
      metadata(name),
      {
        selector,
        // Of two, each scrapes at moments of its own: who asks both in turn sees graphs that jump.
        sessionAffinity: "ClientIP",
        ports: [{ name: "http", protocol: "TCP", port: PROMETHEUS_PORT, targetPort: "http" }],
      },
      inside,
    ).metadata.name;
    // Of one alone, a drain would wait for ever; of two, one has to stay.
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      { metadata: metadata(name), spec: disruptionBudget(selector) },
      inside,
    );
    this.registerOutputs({ serviceName: this.serviceName });
  }
}

function container({ image, plan, config }: PrometheusArgs): k8s.types.input.core.v1.Container {
  const { retention } = config.observability.metrics;
  return {
    ...CONTAINER,
    name: "prometheus",
    image,
    command: ["/bin/prometheus"],
    args: [
      `--config.file=${PROMETHEUS_FOLDER}/prometheus.yaml`,
      "--enable-feature=auto-reload-config",
      "--config.auto-reload-interval=15s",
      "--storage.tsdb.path=/prometheus",
      `--storage.tsdb.retention.time=${Math.floor(retention / 1000)}s`,
      `--storage.tsdb.retention.size=${Math.floor((plan.storage * BLOCKS_SHARE) / 2 ** 20)}MB`,
      `--web.listen-address=:${PROMETHEUS_PORT}`,
      "--log.format=json",
    ],
    env: [
      { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "GOMEMLIMIT", value: String(Math.floor(plan.limits.memory * 0.9)) },
    ],
    ports: [{ name: "http", containerPort: PROMETHEUS_PORT, protocol: "TCP" }],
    ...probes({ ready: "/-/ready", live: "/-/healthy" }, "http"),
    // Reading its log again takes minutes where there are millions of series.
    startupProbe: {
      httpGet: { path: "/-/ready", port: "http" },
      periodSeconds: 2,
      timeoutSeconds: 2,
      failureThreshold: 450,
    },
    resources: dataResources(plan, config.observability.storage),
    volumeMounts: [
      { name: "config", mountPath: PROMETHEUS_FOLDER, readOnly: true },
      { name: "data", mountPath: "/prometheus" },
      CREDENTIALS.mount,
    ],
  };
}

/** It may see where to scrape, and read metrics; nothing else, and nothing may it change. */
function grantReading(
  name: string,
  { scraped }: PrometheusArgs,
  identity: k8s.core.v1.ServiceAccount,
  common: Record<string, string>,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  const subjects = [{ kind: "ServiceAccount", name: identity.metadata.name, namespace: identity.metadata.namespace }];
  const watch = ["get", "list", "watch"];
  const role = new k8s.rbac.v1.ClusterRole(
    `${name}-metrics`,
    {
      metadata: { name: `wasm-functions-${name}`, labels: common },
      rules: [
        { apiGroups: [""], resources: ["nodes"], verbs: watch },
        { apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] },
        { nonResourceURLs: ["/metrics"], verbs: ["get"] },
      ],
    },
    opts,
  );
  const binding = new k8s.rbac.v1.ClusterRoleBinding(
    `${name}-metrics`,
    {
      metadata: { name: `wasm-functions-${name}`, labels: common },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role.metadata.name },
      subjects,
    },
    opts,
  );
  const discover = (id: string, namespace: pulumi.Input<string>, rules: k8s.types.input.rbac.v1.PolicyRule[]) => {
    const metadata = { name: `${name}-targets`, namespace, labels: common };
    const role = new k8s.rbac.v1.Role(`${name}-targets-${id}`, { metadata, rules }, opts);
    return new k8s.rbac.v1.RoleBinding(
      `${name}-targets-${id}`,
      {
        metadata,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.metadata.name },
        subjects,
      },
      opts,
    );
  };
  return [
    binding,
    ...Object.entries(scraped).map(([id, namespace]) =>
      discover(id, namespace, [{ apiGroups: [""], resources: ["pods"], verbs: watch }]),
    ),
    // The slice of the Service `kubernetes`, with what its discovery looks up beside it.
    discover("api", "default", [
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: watch },
      { apiGroups: [""], resources: ["services", "pods"], verbs: watch },
    ]),
  ];
}

function toTargets(
  selector: Record<string, string>,
  { targets, hosts, apiServer }: PrometheusArgs,
): k8s.types.input.networking.v1.NetworkPolicySpec {
  return {
    podSelector: { matchLabels: selector },
    policyTypes: ["Egress"],
    egress: [
      ...targets.map((target) => ({ to: [podPeer(target)], ports: tcp(...target.ports) })),
      toApiServer({ ...hosts, ports: [...HOST_PORTS, ...hosts.ports] }),
      toApiServer(apiServer),
    ],
  };
}
