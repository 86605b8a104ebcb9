import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { stringify } from "yaml";
import type { Plan } from "../../infra/plan/types";
import { formatBytes, type Millis } from "../../infra/units";
import { labels, selectorLabels } from "../labels";
import { RESTRICTED_POD } from "../security";
import { CONTAINER, contentHash, probes, resources, ROLLING_UPDATE } from "../workload";
import type { DashboardModel } from "./dashboards";
import {
  CONFIG_FOLDER,
  dashboardProvider,
  DASHBOARDS_FOLDER,
  dataSources,
  DATA_FOLDER,
  GRAFANA_PORT,
  SECRET_FILES,
  SECRETS_FOLDER,
  settings,
} from "./grafana-config";
import { createPolicies, createService } from "../network";
import { account } from "./pods";

/** User and group of its official image. */
const GRAFANA_USER = 472;
/** An empty database goes through its makers' migrations first, some hundred of them. */
const SECONDS_TO_START = 300;
/** Of the memory that it may use, what Go collects its garbage for. */
const GO_MEMORY_SHARE = 0.8;
const MiB = 2 ** 20;
const TEMPORARY_BYTES = 16 * MiB;
/** What the API server takes of a ConfigMap, all together. */
const LARGEST_CONFIG_MAP = MiB;
const PASSWORD_LENGTH = 32;

/** Something that dashboards are made of. */
export interface GrafanaSource {
  /** Where its Service is, by name. */
  readonly url: string;
  /** Labels and port of its pods, which are in Grafana's own namespace. */
  readonly podLabels: Record<string, string>;
  readonly port: number;
}

export interface GrafanaArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly namespace: pulumi.Input<string>;
  /** Reference of the official image, of Grafana 12.3 or later. */
  readonly image: string;
  /** From the plan. */
  readonly sized: Plan["observability"]["grafana"];
  /** By file name without its ending. */
  readonly dashboards: Readonly<Record<string, DashboardModel>>;
  readonly scrapeInterval: Millis;
  readonly sources: Readonly<Record<"prometheus" | "loki" | "alertmanager", GrafanaSource>>;
  readonly priorityClassName: pulumi.Input<string>;
}

/** Labels that select Grafana's pods, for who lets it in. */
export function grafanaLabels(name: string): Record<string, string> {
  return selectorLabels({ name, component: "dashboards" });
}

/**
 * Grafana with the stack's data sources and dashboards, and nothing that is kept: what it shows is in Prometheus and Loki, what it
 * shows it by is in this program. So its database is in the pod and made anew with it; users, stars and what is tried out
 * in it go with it. That is also why there is one replica, and no PodDisruptionBudget: it would either allow every
 * eviction or none, and a node must be drained.
 *
 * No Service leads to it from outside, and no pod may ask it but Prometheus. `kubectl port-forward` reaches it: who may use that, and
 * read the Secret with its password, is decided by the cluster's roles.
 */
export class Grafana extends pulumi.ComponentResource {
  readonly serviceName: pulumi.Output<string>;
  readonly deploymentName: pulumi.Output<string>;
  /** Name of the Secret that has the password of `admin`, as `admin-password`. */
  readonly secretName: pulumi.Output<string>;
  /** Secret. */
  readonly adminPassword: pulumi.Output<string>;
  readonly port: number = GRAFANA_PORT;
  /** Labels of its pods. */
  readonly podLabels: Record<string, string>;

  /** @throws where a dashboard is larger than a ConfigMap may be */
  constructor(name: string, args: GrafanaArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:observability:Grafana", name, {}, opts);
    const selector = grafanaLabels(name);
    const common = labels({ name, component: "dashboards", environment: args.environment });
    const inside = { parent: this };
    const metadata = (objectName: string) => ({ name: objectName, namespace: args.namespace, labels: common });

    const config = createConfig(name, args, metadata, inside);
    const dashboards = createDashboards(name, args.dashboards, metadata, inside);
    const adminPassword = password(`${name}-admin-password`, inside);
    const secret = new k8s.core.v1.Secret(
      `${name}-secrets`,
      {
        metadata: metadata(`${name}-secrets`),
        type: "Opaque",
        stringData: {
          [SECRET_FILES.adminPassword]: adminPassword,
          [SECRET_FILES.secretKey]: password(`${name}-secret-key`, inside),
        },
      },
      inside,
    );
    const identity = account(name, metadata(name), inside);
    createPolicies(name, metadata, policies(selector, args), inside);
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata: metadata(name),
        spec: {
          replicas: 1,
          selector: { matchLabels: selector },
          strategy: ROLLING_UPDATE,
          template: {
            metadata: {
              labels: common,
              // The database has the password that it was made with: a new one makes a new pod.
              annotations: { "wasm-functions.dev/secrets-version": secret.metadata.resourceVersion },
            },
            spec: {
              serviceAccountName: identity.metadata.name,
              automountServiceAccountToken: false,
              // Or the Service's address would be in the environment, as a setting of Grafana's.
              enableServiceLinks: false,
              priorityClassName: args.priorityClassName,
              securityContext: {
                ...RESTRICTED_POD,
                runAsUser: GRAFANA_USER,
                runAsGroup: GRAFANA_USER,
                fsGroup: GRAFANA_USER,
              },
              containers: [container(args)],
              volumes: [
                { name: "config", configMap: { name: config.metadata.name, items: CONFIG_ITEMS } },
                {
                  name: "dashboards",
                  projected: { sources: dashboards.map((map) => ({ configMap: { name: map.metadata.name } })) },
                },
                { name: "secrets", secret: { secretName: secret.metadata.name, defaultMode: 0o440 } },
                { name: "data", emptyDir: { sizeLimit: formatBytes(args.sized.storage) } },
                { name: "tmp", emptyDir: { sizeLimit: formatBytes(TEMPORARY_BYTES) } },
              ],
            },
          },
        },
      },
      inside,
    );
    const service = createService(
      name,
      metadata(name),
      { selector, ports: [{ name: "http", protocol: "TCP", port: GRAFANA_PORT, targetPort: "http" }] },
      inside,
    );

    this.serviceName = service.metadata.name;
    this.deploymentName = deployment.metadata.name;
    this.secretName = secret.metadata.name;
    this.adminPassword = adminPassword;
    this.podLabels = selector;
    this.registerOutputs({ serviceName: this.serviceName, adminPassword });
  }
}

type Metadata = (name: string) => { name: string; namespace: pulumi.Input<string>; labels: Record<string, string> };

/** Keys of a ConfigMap have no slashes: which is which file. */
const CONFIG_ITEMS = [
  { key: "grafana.ini", path: "grafana.ini" },
  { key: "sources.yaml", path: "provisioning/datasources/sources.yaml" },
  { key: "folder.yaml", path: "provisioning/dashboards/folder.yaml" },
];

/** Immutable and named by its content, so that a change rolls the pod. */
function createConfig(name: string, args: GrafanaArgs, metadata: Metadata, opts: pulumi.CustomResourceOptions) {
  const { prometheus, loki, alertmanager } = args.sources;
  const urls = { prometheus: prometheus.url, loki: loki.url, alertmanager: alertmanager.url };
  const data = {
    "grafana.ini": settings(),
    "sources.yaml": stringify(dataSources(urls, args.scrapeInterval)),
    "folder.yaml": stringify(dashboardProvider()),
  };
  const mapName = `${name}-config-${contentHash(JSON.stringify(data))}`;
  return new k8s.core.v1.ConfigMap(mapName, { metadata: metadata(mapName), immutable: true, data }, opts);
}

/** One for each: all together they might be more than a ConfigMap takes. */
function createDashboards(
  name: string,
  dashboards: GrafanaArgs["dashboards"],
  metadata: Metadata,
  opts: pulumi.CustomResourceOptions,
): k8s.core.v1.ConfigMap[] {
  return Object.entries(dashboards).map(([dashboard, model]) => {
    const text = JSON.stringify(model);
    const size = Buffer.byteLength(text);
    if (size >= LARGEST_CONFIG_MAP) {
      throw new Error(
        `dashboard ${dashboard} has ${size} bytes, a ConfigMap takes ${LARGEST_CONFIG_MAP}; ` +
          "show fewer functions in it, or divide it",
      );
    }
    const mapName = `${name}-dashboard-${dashboard}-${contentHash(text)}`;
    return new k8s.core.v1.ConfigMap(
      mapName,
      { metadata: metadata(mapName), immutable: true, data: { [`${dashboard}.json`]: text } },
      opts,
    );
  });
}

/** Letters and digits: in an INI file others would have to be quoted. */
function password(name: string, opts: pulumi.CustomResourceOptions): pulumi.Output<string> {
  return pulumi.secret(new random.RandomPassword(name, { length: PASSWORD_LENGTH, special: false }, opts).result);
}

function container({ image, sized }: GrafanaArgs): k8s.types.input.core.v1.Container {
  const paths = probes({ ready: "/api/health", live: "/healthz" }, "http");
  const { requests, limits } = resources(sized);
  return {
    ...CONTAINER,
    name: "grafana",
    image,
    env: [{ name: "GOMEMLIMIT", value: String(Math.floor(sized.limits.memory * GO_MEMORY_SHARE)) }],
    ports: [{ name: "http", containerPort: GRAFANA_PORT, protocol: "TCP" }],
    ...paths,
    startupProbe: { ...paths.startupProbe, failureThreshold: SECONDS_TO_START },
    // What is written in the pod counts as the container's, beside its logs.
    resources: {
      requests,
      limits: { ...limits, "ephemeral-storage": formatBytes(sized.storage + TEMPORARY_BYTES + 64 * MiB) },
    },
    volumeMounts: [
      { name: "config", mountPath: CONFIG_FOLDER, readOnly: true },
      { name: "dashboards", mountPath: DASHBOARDS_FOLDER, readOnly: true },
      { name: "secrets", mountPath: SECRETS_FOLDER, readOnly: true },
      { name: "data", mountPath: DATA_FOLDER },
      { name: "tmp", mountPath: "/tmp" },
    ],
  };
}

/** It asks its sources and nobody else. Prometheus asks for its metrics; people come by their kubelet, which no policy stops. */
function policies(
  selector: Record<string, string>,
  { sources }: GrafanaArgs,
): Record<string, k8s.types.input.networking.v1.NetworkPolicySpec> {
  const podSelector = { matchLabels: selector };
  return {
    "to-sources": {
      podSelector,
      policyTypes: ["Egress"],
      egress: Object.values(sources).map(({ podLabels, port }) => ({
        to: [{ podSelector: { matchLabels: podLabels } }],
        ports: [{ protocol: "TCP", port }],
      })),
    },
    "from-prometheus": {
      podSelector,
      policyTypes: ["Ingress"],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: sources.prometheus.podLabels } }],
          ports: [{ protocol: "TCP", port: GRAFANA_PORT }],
        },
      ],
    },
  };
}
