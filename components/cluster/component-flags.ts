import type { ControlPlaneTuning } from "../../infra/plan/types";
import { formatBytes, formatCpu, formatGoDuration } from "../../infra/units";

/** Flags of a Kubernetes program by their name, without the dashes. */
export type Flags = Readonly<Record<string, string | number | boolean>>;

/** The kernel's own period, at which the kubelet needs no feature gate. */
const DEFAULT_CFS_QUOTA_PERIOD = 100;

/**
 * The plan's tuning as flags of Kubernetes' components: the one place that knows which value goes where, for K3s and
 * for the embedded control plane. The controller-manager has `nodeMonitorFlags` besides.
 */
export function tuningFlags({ apiServer, controllerManager, scheduler, kubelet }: ControlPlaneTuning) {
  return {
    "kube-apiserver": {
      "max-requests-inflight": apiServer.maxRequestsInflight,
      "max-mutating-requests-inflight": apiServer.maxMutatingRequestsInflight,
      "default-not-ready-toleration-seconds": apiServer.notReadyTolerationSeconds,
      "default-unreachable-toleration-seconds": apiServer.unreachableTolerationSeconds,
    },
    "kube-controller-manager": {
      "kube-api-qps": controllerManager.kubeApiQps,
      "kube-api-burst": controllerManager.kubeApiBurst,
      "concurrent-deployment-syncs": controllerManager.concurrentDeploymentSyncs,
      "concurrent-replicaset-syncs": controllerManager.concurrentReplicaSetSyncs,
      "concurrent-horizontal-pod-autoscaler-syncs": controllerManager.concurrentHpaSyncs,
      // The controller of endpoint slices, in spite of its name.
      "concurrent-service-endpoint-syncs": controllerManager.concurrentEndpointSliceSyncs,
      "endpointslice-updates-batch-period": formatGoDuration(controllerManager.endpointSliceBatchPeriod),
      "endpoint-updates-batch-period": formatGoDuration(controllerManager.endpointsBatchPeriod),
      "horizontal-pod-autoscaler-sync-period": formatGoDuration(controllerManager.hpaSyncPeriod),
      "horizontal-pod-autoscaler-cpu-initialization-period": formatGoDuration(
        controllerManager.hpaCpuInitializationPeriod,
      ),
      "horizontal-pod-autoscaler-initial-readiness-delay": formatGoDuration(controllerManager.hpaInitialReadinessDelay),
      "terminated-pod-gc-threshold": controllerManager.terminatedPodGcThreshold,
    },
    "kube-scheduler": { "kube-api-qps": scheduler.kubeApiQps, "kube-api-burst": scheduler.kubeApiBurst },
    kubelet: {
      "max-pods": kubelet.maxPods,
      "kube-api-qps": kubelet.kubeApiQps,
      "kube-api-burst": kubelet.kubeApiBurst,
      "registry-qps": kubelet.registryPullQps,
      "serialize-image-pulls": kubelet.serializeImagePulls,
      "pod-max-pids": kubelet.podPidsLimit,
      ...cfsQuotaPeriod(kubelet.cpuCfsQuotaPeriod),
      "container-log-max-size": formatBytes(kubelet.containerLogMaxSize),
      "container-log-max-files": kubelet.containerLogMaxFiles,
      "system-reserved": `cpu=${formatCpu(kubelet.systemReserved.cpu)},memory=${formatBytes(kubelet.systemReserved.memory)}`,
    },
  } satisfies Record<string, Flags>;
}

/** When the controller-manager counts a node as lost; kwokctl has options of its own for these. */
export function nodeMonitorFlags({ controllerManager }: ControlPlaneTuning): Flags {
  return {
    "node-monitor-period": formatGoDuration(controllerManager.nodeMonitorPeriod),
    "node-monitor-grace-period": formatGoDuration(controllerManager.nodeMonitorGracePeriod),
  };
}

/** Any other period than the kernel's is behind a feature gate, alpha at 1.30. */
function cfsQuotaPeriod(period: number): Flags {
  if (period === DEFAULT_CFS_QUOTA_PERIOD) return {};
  return { "cpu-cfs-quota-period": formatGoDuration(period), "feature-gates": "CustomCPUCFSQuotaPeriod=true" };
}
