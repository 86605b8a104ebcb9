import * as pulumi from "@pulumi/pulumi";
import type {
  AuthorizationConfig,
  FunctionConfig,
  GatewayConfig,
  ObservabilityConfig,
  RouteConfig,
  TenantConfig,
} from "../../infra/config";
import type { Plan } from "../../infra/plan/types";
import { selectorLabels } from "../labels";
import type { ApiServerPeers, Peer } from "../network";
import { Alertmanager } from "./alertmanager";
import { LogCollector } from "./collector";
import { COLLECTOR_METRICS_PORT, collectorLabels } from "./collector-config";
import { dashboards, samplingInterval } from "./dashboards";
import { Grafana, grafanaLabels } from "./grafana";
import { GRAFANA_PORT } from "./grafana-config";
import { KubeStateMetrics, KUBE_STATE_METRICS_PORT } from "./kube-state-metrics";
import { Loki } from "./loki";
import { LOKI_PORT, lokiLabels } from "./loki-config";
import { hostsNamespaceName } from "./names";
import { NodeExporter } from "./node-exporter";
import { part } from "./pods";
import { Prometheus } from "./prometheus";
import { ALERTMANAGER_PORT, PROMETHEUS_PORT } from "./prometheus-config";
import { ruleFile, ruleGroups } from "./rules";

/** What runs in the pods, by part. */
export type Images = Readonly<
  Record<"prometheus" | "alertmanager" | "loki" | "collector" | "kubeStateMetrics" | "nodeExporter" | "grafana", string>
>;

/** Pods that tell metrics, with the ports that they do it at. */
export type ScrapedPeer = Peer & { readonly ports: readonly number[] };

export interface ObservabilityArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly clusterKind: "existing" | "k3s";
  readonly observability: ObservabilityConfig;
  readonly functions: readonly FunctionConfig[];
  readonly tenants: readonly TenantConfig[];
  readonly gateway: GatewayConfig;
  readonly routes: readonly RouteConfig[];
  readonly authorization: AuthorizationConfig;
  readonly plan: Plan;
  readonly images: Images;
  /** Where what watches is, and what has to see hosts themselves. */
  readonly namespace: pulumi.Input<string>;
  readonly hostsNamespace: pulumi.Input<string>;
  /** Of the request path. */
  readonly requestPath: readonly ScrapedPeer[];
  /** Who asks Prometheus what to scale by. */
  readonly autoscaler?: Peer | undefined;
  /** Gatekeeper's pods, where this stack has them. */
  readonly admission?: (ScrapedPeer & { readonly namespace: string; readonly component: string }) | undefined;
  readonly apiServer: ApiServerPeers;
  /** Networks in which hosts are, and ports of the control plane there. */
  readonly hosts: ApiServerPeers;
  readonly priorityClassName: pulumi.Input<string>;
  /** What opens the way to receivers of alerts, by name. */
  readonly receivers: Readonly<Record<string, pulumi.Input<string>>>;
  /** What opens the bucket that logs are kept in. */
  readonly bucketKeys?: { readonly id: pulumi.Input<string>; readonly secret: pulumi.Input<string> } | undefined;
}

/** Labels of Prometheus' pods, which those that are scraped let in. */
export const PROMETHEUS_LABELS = selectorLabels({ name: "prometheus", component: "prometheus" });

/** Everything that watches: metrics, logs, objectives, alerts and who hears of them, dashboards. */
export class Observability extends pulumi.ComponentResource {
  readonly prometheusService: pulumi.Output<string>;
  readonly alertmanagerService: pulumi.Output<string>;
  readonly grafanaService: pulumi.Output<string> | undefined;

  constructor(name: string, args: ObservabilityArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:observability:Observability", name, {}, opts);
    const { environment, namespace, hostsNamespace, observability, plan, images, priorityClassName, apiServer } = args;
    const sizes = plan.observability;
    const inside = { parent: this };
    const common = { environment, namespace, priorityClassName };
    const onHosts = { ...common, namespace: hostsNamespace };
    const peer = (of: string): Peer => ({ namespace, labels: part(of, common).selector });
    const prometheus = peer("prometheus");
    const grafana: Peer = { namespace, labels: grafanaLabels("grafana") };
    const collector: Peer = { namespace: hostsNamespace, labels: collectorLabels("collector") };
    const logs: Peer = { namespace, labels: lokiLabels("loki") };

    const loki = new Loki(
      "loki",
      {
        ...common,
        ...{ image: images.loki, loki: sizes.loki, logs: sizes.logs },
        namespaceName: observability.namespace,
        storage: observability.storage,
        retention: observability.logs.retention,
        objectStorage: observability.logs.objectStorage,
        nodes: plan.topology.agents,
        functions: args.functions.length,
        bucketKeys: args.bucketKeys,
        clients: [prometheus, collector, grafana],
      },
      inside,
    );
    new LogCollector(
      "collector",
      {
        ...onHosts,
        ...{ image: images.collector, sized: sizes.collector, logs: sizes.logs, loki: logs, prometheus },
        namespaceName: hostsNamespaceName(observability),
        lokiUrl: loki.url,
        functions: args.functions,
        kubelet: plan.controlPlane.kubelet,
      },
      inside,
    );
    const alertmanager = new Alertmanager(
      "alertmanager",
      {
        ...common,
        ...{ image: images.alertmanager, plan: sizes.alertmanager, observability, receivers: args.receivers },
        clients: [prometheus, grafana],
      },
      inside,
    );
    new KubeStateMetrics(
      "kube-state-metrics",
      { ...common, image: images.kubeStateMetrics, sized: sizes.kubeStateMetrics, apiServer, prometheus },
      inside,
    );
    new NodeExporter("node-exporter", { ...onHosts, image: images.nodeExporter, sized: sizes.nodeExporter }, inside);
    const watched = {
      functions: args.functions,
      tenants: args.tenants,
      gateway: args.gateway,
      routes: args.routes,
      authorization: args.authorization,
      clusterKind: args.clusterKind,
      observability,
      plan,
    };
    const server = new Prometheus(
      "prometheus",
      {
        ...common,
        ...{ image: images.prometheus, plan: sizes.prometheus, apiServer, hosts: args.hosts },
        config: {
          ...watched,
          environment,
          hostsNamespace: hostsNamespaceName(observability),
          admission: args.admission,
          alertmanager: { service: "alertmanager-pods", replicas: observability.metrics.replicas },
        },
        rules: ruleFile(ruleGroups(watched)),
        scraped: {
          [args.gateway.namespace]: args.gateway.namespace,
          [observability.namespace]: namespace,
          [hostsNamespaceName(observability)]: hostsNamespace,
          ...(args.admission && { [args.admission.namespace]: args.admission.namespace }),
        },
        targets: [
          ...args.requestPath,
          ...(args.admission ? [args.admission] : []),
          { ...peer("alertmanager"), ports: [ALERTMANAGER_PORT] },
          { ...logs, ports: [LOKI_PORT] },
          { ...peer("kube-state-metrics"), ports: [KUBE_STATE_METRICS_PORT] },
          { ...prometheus, ports: [PROMETHEUS_PORT] },
          { ...collector, ports: [COLLECTOR_METRICS_PORT] },
          ...(observability.grafana.enabled ? [{ ...grafana, ports: [GRAFANA_PORT] }] : []),
        ],
        readers: [grafana, ...(args.autoscaler ? [args.autoscaler] : [])],
      },
      inside,
    );
    const source = (of: string, port: number, podLabels: Record<string, string>) => ({
      url: `http://${of}.${observability.namespace}.svc.cluster.local:${port}`,
      podLabels,
      port,
    });
    const boards = observability.grafana.enabled
      ? new Grafana(
          "grafana",
          {
            ...common,
            ...{ image: images.grafana, sized: sizes.grafana, scrapeInterval: samplingInterval(observability) },
            dashboards: dashboards({ ...watched, etcd: args.clusterKind === "k3s" }),
            sources: {
              prometheus: source("prometheus", PROMETHEUS_PORT, prometheus.labels),
              loki: source("loki", LOKI_PORT, logs.labels),
              alertmanager: source("alertmanager", ALERTMANAGER_PORT, peer("alertmanager").labels),
            },
          },
          inside,
        )
      : undefined;
    this.prometheusService = server.serviceName;
    this.alertmanagerService = alertmanager.serviceName;
    this.grafanaService = boards?.serviceName;
    this.registerOutputs({ prometheusService: this.prometheusService });
  }
}
