import type { FunctionConfig, ObservabilityConfig } from "../../infra/config";
import { CREDENTIALS } from "../security";

/** A job of Prometheus' configuration; what of its form is used here. */
export interface ScrapeJob {
  readonly job_name: string;
  readonly [setting: string]: unknown;
}

interface Relabel {
  readonly source_labels?: readonly string[];
  readonly regex?: string;
  readonly target_label?: string;
  readonly replacement?: string;
  readonly separator?: string;
  readonly action?: "replace" | "keep" | "drop" | "labeldrop";
}

/** Pods that are scraped: by the `app.kubernetes.io/component` label, at the container port of this name. */
export interface PodJob {
  readonly job: string;
  readonly namespace: string;
  readonly component: string;
  readonly port: string;
  /** Labels of the metrics themselves stand: they are about other objects than the pod that tells them. */
  readonly honorLabels?: boolean;
  readonly metrics?: readonly Relabel[];
}

const TOKEN = CREDENTIALS.mount.mountPath;
const POD_LABEL = "__meta_kubernetes_pod_label_app_kubernetes_io_component";

/** Pods of the platform: those that are not ready as well, since their numbers tell why. */
export function podJob({ job, namespace, component, port, honorLabels = false, metrics = [] }: PodJob): ScrapeJob {
  return {
    job_name: job,
    ...(honorLabels && { honor_labels: true }),
    kubernetes_sd_configs: [
      {
        role: "pod",
        namespaces: { names: [namespace] },
        selectors: [{ role: "pod", label: `app.kubernetes.io/component=${component}` }],
      },
    ],
    relabel_configs: [
      { source_labels: [POD_LABEL], regex: component, action: "keep" },
      { source_labels: ["__meta_kubernetes_pod_container_port_name"], regex: port, action: "keep" },
      // A pod that has ended, or has no address yet, is nothing to be alarmed about.
      { source_labels: ["__meta_kubernetes_pod_phase"], regex: "Succeeded|Failed|Pending", action: "drop" },
      { source_labels: ["__meta_kubernetes_namespace"], target_label: "namespace" },
      { source_labels: ["__meta_kubernetes_pod_name"], target_label: "pod" },
      { source_labels: ["__meta_kubernetes_pod_node_name"], target_label: "node" },
    ],
    ...(metrics.length > 0 && { metric_relabel_configs: metrics }),
  };
}

/** Over TLS, with the token by which the API server knows Prometheus. */
function authorized(verify: boolean) {
  return {
    scheme: "https",
    authorization: { credentials_file: `${TOKEN}/token` },
    tls_config: verify ? { ca_file: `${TOKEN}/ca.crt` } : { insecure_skip_verify: true },
  };
}

/** Families of which nothing is asked are not kept: at 5,000 pods they are what a Prometheus drowns in. */
function keep(families: readonly string[]): Relabel {
  return { source_labels: ["__name__"], regex: families.join("|"), action: "keep" };
}

/** What a kubelet says of itself. On K3s, whose parts share one process, its endpoint tells everybody else's as well. */
const KUBELET_FAMILIES = [
  "kubelet_pod_start_sli_duration_seconds_(?:bucket|count|sum)",
  "kubelet_running_(?:pods|containers)",
  "kubelet_started_pods_(?:errors_)?total",
  "kubelet_volume_stats_(?:capacity|available)_bytes",
  "kubelet_node_name",
  "process_(?:cpu_seconds_total|resident_memory_bytes)",
];
const CADVISOR_FAMILIES = [
  "container_cpu_usage_seconds_total",
  "container_cpu_cfs_(?:periods|throttled_periods)_total",
  "container_memory_working_set_bytes",
];
const RESOURCE_FAMILIES = ["node_(?:cpu_usage_seconds_total|memory_working_set_bytes)", "pod_.*"];

const API_FAMILIES = [
  "apiserver_request_total",
  "apiserver_request_duration_seconds_(?:bucket|count|sum)",
  "apiserver_current_inflight_requests",
  "apiserver_admission_webhook_(?:rejection_count|fail_open_count|request_total)",
  "apiserver_admission_webhook_admission_duration_seconds_(?:bucket|count|sum)",
  "apiserver_storage_objects",
  "apiserver_client_certificate_expiration_seconds_(?:bucket|count|sum)",
  "etcd_request_duration_seconds_(?:bucket|count|sum)",
  "process_(?:cpu_seconds_total|resident_memory_bytes)",
];
const SCHEDULER_FAMILIES = [
  "scheduler_pod_scheduling_sli_duration_seconds_(?:bucket|count|sum)",
  "scheduler_pending_pods",
  "scheduler_schedule_attempts_total",
];
const CONTROLLER_FAMILIES = ["workqueue_depth", "horizontal_pod_autoscaler_controller_.*"];
const ETCD_FAMILIES = [
  "etcd_server_(?:has_leader|leader_changes_seen_total|quota_backend_bytes)",
  "etcd_mvcc_db_total_size_in_bytes",
  "etcd_disk_wal_fsync_duration_seconds_(?:bucket|count|sum)",
];

/** Buckets of requests' durations that an answer is sought in; there are twenty, for each verb and resource. */
const API_BUCKETS: Relabel = {
  source_labels: ["__name__", "le"],
  regex:
    "apiserver_request_duration_seconds_bucket;(?:0\\.025|0\\.15|0\\.3|0\\.4|0\\.7|1\\.5|2|3|4|6|8|15|20|30|45)(?:\\.0)?",
  action: "drop",
};

/** Every node's kubelet: itself, its containers, its pods' resources. */
export function kubeletJobs({ verifyKubelets }: ObservabilityConfig): ScrapeJob[] {
  const job = (name: string, path: string, families: readonly string[], metrics: readonly Relabel[] = []) => ({
    job_name: name,
    ...authorized(verifyKubelets),
    metrics_path: path,
    kubernetes_sd_configs: [{ role: "node" }],
    relabel_configs: [{ source_labels: ["__meta_kubernetes_node_name"], target_label: "node" }],
    metric_relabel_configs: [keep(families), ...metrics],
  });
  // They say when each value was taken. Without this, those of pods that have ended would be counted for five minutes more.
  const timed = (...args: Parameters<typeof job>) => ({ ...job(...args), track_timestamps_staleness: true });
  return [
    job("kubelet", "/metrics", KUBELET_FAMILIES),
    // Groups of the system's and the sandboxes' are in no namespace.
    timed("cadvisor", "/metrics/cadvisor", CADVISOR_FAMILIES, [
      { source_labels: ["namespace"], regex: "", action: "drop" },
      { source_labels: ["container", "name"], regex: ";.+", action: "drop" },
      { regex: "id|image|name|cpu", action: "labeldrop" },
    ]),
    timed("resources", "/metrics/resource", RESOURCE_FAMILIES),
  ];
}

/**
 * The API servers, found by the slice of the Service `kubernetes`. On K3s they tell what scheduler, controllers and etcd
 * do as well: each family goes under the name of the job that it would have elsewhere.
 */
export function controlPlaneJobs(kind: "existing" | "k3s", { controlPlane }: ObservabilityConfig): ScrapeJob[] {
  const own = keep(API_FAMILIES);
  if (kind === "k3s") {
    const others = { scheduler: SCHEDULER_FAMILIES, "controller-manager": CONTROLLER_FAMILIES, etcd: ETCD_FAMILIES };
    const renamed = Object.entries(others).map(([job, families]) => ({
      source_labels: ["__name__"],
      regex: families.join("|"),
      target_label: "job",
      replacement: job,
    }));
    return [apiServerJob([keep([...API_FAMILIES, ...Object.values(others).flat()]), API_BUCKETS, ...renamed])];
  }
  const { scheduler, controllerManager } = controlPlane;
  return [
    apiServerJob([own, API_BUCKETS]),
    ...besideApiServers("scheduler", scheduler, SCHEDULER_FAMILIES),
    ...besideApiServers("controller-manager", controllerManager, CONTROLLER_FAMILIES),
  ];
}

const API_SERVERS = {
  kubernetes_sd_configs: [{ role: "endpointslice", namespaces: { names: ["default"] } }],
  relabel_configs: [
    {
      source_labels: ["__meta_kubernetes_service_name", "__meta_kubernetes_endpointslice_port_name"],
      regex: "kubernetes;https",
      action: "keep",
    },
  ],
} as const;

function apiServerJob(metrics: readonly Relabel[]): ScrapeJob {
  return {
    job_name: "apiserver",
    ...authorized(true),
    // The certificate is for names; the address of a single server need not be among them.
    tls_config: { ca_file: `${TOKEN}/ca.crt`, server_name: "kubernetes.default.svc" },
    ...API_SERVERS,
    metric_relabel_configs: metrics,
  };
}

const GATEKEEPER_FAMILIES = [
  "gatekeeper_validation_request_(?:count_total|duration_seconds_(?:bucket|count|sum))",
  "gatekeeper_violations",
  "gatekeeper_audit_(?:duration_seconds_(?:bucket|count|sum)|last_run_end_time)",
  "gatekeeper_constraints",
  "process_(?:cpu_seconds_total|resident_memory_bytes)",
];

/** What Gatekeeper answered, and what its audit found. */
export function gatekeeperJob({ namespace, component }: Pick<PodJob, "namespace" | "component">): ScrapeJob {
  return podJob({ job: "gatekeeper", namespace, component, port: "metrics", metrics: [keep(GATEKEEPER_FAMILIES)] });
}

/** What runs on the API servers' hosts, at a port of its own. */
function besideApiServers(job: string, port: number | undefined, families: readonly string[]): ScrapeJob[] {
  if (port === undefined) return [];
  return [
    {
      job_name: job,
      // It makes a certificate for itself when it starts.
      ...authorized(false),
      ...API_SERVERS,
      relabel_configs: [
        ...API_SERVERS.relabel_configs,
        { source_labels: ["__address__"], regex: "(.+):\\d+", target_label: "__address__", replacement: `$1:${port}` },
      ],
      metric_relabel_configs: [keep(families)],
    },
  ];
}

/**
 * What a gateway says of each function: label `function` for what it calls a service, and the function's tenant. Services that
 * are no function, such as the split of a route between two, only repeat what theirs say.
 */
export function functionLabels(functions: readonly FunctionConfig[]): Relabel[] {
  const tenants = [...new Set(functions.map(({ tenant }) => tenant))];
  const names = (of: readonly FunctionConfig[]) => of.map(({ name }) => name).join("|");
  return [
    { source_labels: ["service"], regex: `(${names(functions)})@file`, target_label: "function", replacement: "$1" },
    { source_labels: ["__name__", "function"], regex: "traefik_service_[^;]*;", action: "drop" },
    ...tenants.map((tenant) => ({
      source_labels: ["function"],
      regex: names(functions.filter((fn) => fn.tenant === tenant)),
      target_label: "tenant",
      replacement: tenant,
    })),
  ];
}
