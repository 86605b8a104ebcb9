import { stringify } from "yaml";
import { formatGoDuration } from "../../infra/units";
import type { ControlPlaneTuning } from "../../infra/plan";
import type { Ports } from "./ports";

/** The components that kwokctl runs for us, as it calls them. */
export type Component = "kube-apiserver" | "kube-controller-manager" | "kube-scheduler";

/** Absolute paths of the programs that kwokctl starts; it would download any that it is not given. */
export interface Binaries {
  readonly etcd: string;
  readonly "kube-apiserver": string;
  readonly "kube-controller-manager": string;
  readonly "kube-scheduler": string;
  readonly kubectl: string;
  readonly kwok: string;
}

/**
 * kwokctl's own configuration: which programs on which ports, and the plan's tuning as their flags. Every listener
 * is bound to loopback, which is not kwokctl's default.
 */
export function renderKwokctlConfig(
  tuning: ControlPlaneTuning,
  ports: Ports,
  binaries: Binaries,
  kubeVersion: string,
  stagesFile: string,
): string {
  return stringify({
    apiVersion: "config.kwok.x-k8s.io/v1alpha1",
    kind: "KwokctlConfiguration",
    metadata: { name: "kwok" },
    options: {
      runtime: "binary",
      kubeVersion,
      bindAddress: "127.0.0.1",
      securePort: true,
      quietPull: true,
      etcdBinary: binaries.etcd,
      kubeApiserverBinary: binaries["kube-apiserver"],
      kubeControllerManagerBinary: binaries["kube-controller-manager"],
      kubeSchedulerBinary: binaries["kube-scheduler"],
      kubectlBinary: binaries.kubectl,
      kwokControllerBinary: binaries.kwok,
      kubeApiserverPort: ports.kubeApiserver,
      etcdPort: ports.etcd,
      etcdPeerPort: ports.etcdPeer,
      kubeControllerManagerPort: ports.kubeControllerManager,
      kubeSchedulerPort: ports.kubeScheduler,
      kwokControllerPort: ports.kwokController,
      enableCRDs: ["ClusterResourceUsage", "Metric"],
      // The periods are meant as they stand; kwokctl would stretch them fivefold.
      heartbeatFactor: 1,
      // A restarted KWOK takes a node over when its predecessor's lease has run out. That must be sooner than the
      // node counts as lost, as a real kubelet, which keeps its identity, renews at once.
      nodeLeaseDurationSeconds: Math.floor(tuning.controllerManager.nodeMonitorGracePeriod / 2000),
      kubeControllerManagerNodeMonitorPeriodMilliseconds: tuning.controllerManager.nodeMonitorPeriod,
      kubeControllerManagerNodeMonitorGracePeriodMilliseconds: tuning.controllerManager.nodeMonitorGracePeriod,
    },
    componentsPatches: [
      // Added to kwokctl's own flags. With `override` it would drop every flag that it does not set itself.
      ...Object.entries(componentFlags(tuning)).map(([name, flags]) => ({
        name,
        extraArgs: Object.entries(flags).map(([key, value]) => ({ key, value: String(value) })),
      })),
      {
        name: "kwok-controller",
        extraArgs: [
          { key: "config", value: stagesFile },
          // kwokctl leaves it empty, and a node that was lost for a while then comes back without any address.
          { key: "node-ip", value: "127.0.0.1", override: true },
        ],
      },
    ],
  });
}

/** The plan's tuning as flags of the three components. */
export function componentFlags(
  tuning: ControlPlaneTuning,
): Record<Component, Record<string, string | number | boolean>> {
  const { apiServer, controllerManager, scheduler } = tuning;
  // One of each runs here, so there is nobody to elect; after a kill the successor would wait for the old lease.
  const alone = { "leader-elect": false };
  return {
    "kube-apiserver": {
      "max-requests-inflight": apiServer.maxRequestsInflight,
      "max-mutating-requests-inflight": apiServer.maxMutatingRequestsInflight,
      "default-not-ready-toleration-seconds": apiServer.notReadyTolerationSeconds,
      "default-unreachable-toleration-seconds": apiServer.unreachableTolerationSeconds,
    },
    "kube-controller-manager": {
      ...alone,
      "kube-api-qps": controllerManager.kubeApiQps,
      "kube-api-burst": controllerManager.kubeApiBurst,
      "concurrent-deployment-syncs": controllerManager.concurrentDeploymentSyncs,
      "concurrent-replicaset-syncs": controllerManager.concurrentReplicaSetSyncs,
      "concurrent-horizontal-pod-autoscaler-syncs": controllerManager.concurrentHpaSyncs,
      "concurrent-service-endpoint-syncs": controllerManager.concurrentEndpointSliceSyncs,
      "horizontal-pod-autoscaler-sync-period": formatGoDuration(controllerManager.hpaSyncPeriod),
      "horizontal-pod-autoscaler-cpu-initialization-period": formatGoDuration(
        controllerManager.hpaCpuInitializationPeriod,
      ),
      "horizontal-pod-autoscaler-initial-readiness-delay": formatGoDuration(controllerManager.hpaInitialReadinessDelay),
      "terminated-pod-gc-threshold": controllerManager.terminatedPodGcThreshold,
    },
    "kube-scheduler": { ...alone, "kube-api-qps": scheduler.kubeApiQps, "kube-api-burst": scheduler.kubeApiBurst },
  };
}
