import { join } from "node:path";
import { METRICS_RESOLUTION } from "../../infra/plan/scale-out";
import { apply, type Kubectl } from "./kubectl";
import type { Ports } from "./ports";
import type { Daemon } from "./processes";

/** How often metrics-server reads: as K3s', so that an autoscaler here sees a load as late as there. */
export const READING_ARGS = [
  `--metric-resolution=${METRICS_RESOLUTION}s`,
  // One reading ends before the next begins: metrics-server takes at most nine tenths.
  `--kubelet-request-timeout=${Math.floor(0.9 * METRICS_RESOLUTION)}s`,
];

/** metrics-server as a process beside the control plane: on simulated nodes no pod could run it. */
export function metricsServerDaemon(binary: string, clusterDir: string, ports: Ports): Daemon {
  const kubeconfig = join(clusterDir, "kubeconfig.yaml");
  const certificate = join(clusterDir, "pki", "admin");
  return {
    pidFile: join(clusterDir, "pids", "metrics-server.pid"),
    logFile: join(clusterDir, "logs", "metrics-server.log"),
    command: binary,
    args: [
      "--bind-address=127.0.0.1",
      `--secure-port=${ports.metricsServer}`,
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      `--tls-cert-file=${certificate}.crt`,
      `--tls-private-key-file=${certificate}.key`,
      // KWOK serves every node's kubelet endpoint on localhost, on the port in the node's status, with its own certificate.
      "--kubelet-preferred-address-types=Hostname,InternalIP",
      "--kubelet-use-node-status-port",
      "--kubelet-insecure-tls",
      ...READING_ARGS,
    ],
  };
}

/** Lets the API server find that process: a Service that is only a name for localhost, and the metrics API behind it. */
export async function registerMetricsApi(kubectl: Kubectl, ports: Ports): Promise<void> {
  await apply(kubectl, [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "metrics-server", namespace: "kube-system" },
      spec: { type: "ExternalName", externalName: "localhost" },
    },
    // Its certificate names the API server; both ends are processes of ours on loopback.
    metricsApi({ name: "metrics-server", namespace: "kube-system", port: ports.metricsServer }),
  ]);
}

/** The metrics API, served by whom a Service leads to; metrics-server's certificate is not one that could be verified. */
export function metricsApi(service: object): object {
  return {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: "v1beta1.metrics.k8s.io" },
    spec: {
      group: "metrics.k8s.io",
      version: "v1beta1",
      groupPriorityMinimum: 100,
      versionPriority: 100,
      insecureSkipTLSVerify: true,
      service,
    },
  };
}
