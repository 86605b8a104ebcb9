import type { StackConfig } from "../config";
import type { ControlPlaneTuning, Topology } from "./types";
import { clamp } from "./numbers";
import { POD_PIDS_LIMIT } from "./topology";

/** Writes of a kubelet for a pod that starts while another leaves: status patches and events. Counted, not measured. */
const KUBELET_WRITES_PER_POD = 20;
/** Kubernetes' own defaults, below which nothing is set: of the API server, kubelet, and the controllers' workers. */
const DEFAULTS = { inflight: 400, mutatingInflight: 200, kubeletQps: 50, registryPullQps: 5, workers: 5 } as const;
/** More workers than this make no controller faster (Kubernetes refuses more for endpoint slices). */
const MOST_WORKERS = 50;

/**
 * For how long changes of pods are gathered until a Service's endpoints are written anew. Without it, Kubernetes' default, each
 * pod that gets ready has the controllers go through all of a function's pods, and write an object of up to a thousand
 * addresses. Gateways hear of a pod that much later, a tenth of the time for which leaving pods serve on.
 */
const ENDPOINTS_BATCH_PERIOD = 500;

/** Everything the control plane and kubelets are set to; both the embedded one and K3s are made from this value. */
export function planControlPlane(config: StackConfig, topology: Topology): ControlPlaneTuning {
  const { controlPlane, cluster, functions } = config;
  const tolerationSeconds = controlPlane.lostNodeToleration / 1000;
  // The scheduler writes about twice per pod, where the ReplicaSet controller writes once.
  const schedulerQps = 2 * controlPlane.clientQps;
  // Room for what the scheduler, the busiest writer, sends in a second in which nothing is answered.
  const mutating = Math.max(DEFAULTS.mutatingInflight, schedulerQps);
  const kubeletQps = Math.max(DEFAULTS.kubeletQps, Math.ceil(config.runtime.startRate * KUBELET_WRITES_PER_POD));
  // A controller works on one object at a time per worker: one for each function.
  const workers = (objects: number) => clamp(objects, DEFAULTS.workers, MOST_WORKERS);
  return {
    apiServer: {
      // Reads to writes as in Kubernetes' defaults of 400 and 200.
      maxRequestsInflight: Math.max(DEFAULTS.inflight, 2 * mutating),
      maxMutatingRequestsInflight: mutating,
      notReadyTolerationSeconds: tolerationSeconds,
      unreachableTolerationSeconds: tolerationSeconds,
    },
    controllerManager: {
      kubeApiQps: controlPlane.clientQps,
      // What is saved up between two steps of an autoscaler is sent at once, and waits in the scheduler's queue: a second's worth.
      kubeApiBurst: controlPlane.clientQps,
      concurrentDeploymentSyncs: workers(functions.length),
      // The old and the new one during a rollout.
      concurrentReplicaSetSyncs: workers(2 * functions.length),
      concurrentHpaSyncs: workers(functions.length),
      concurrentEndpointSliceSyncs: workers(functions.length),
      endpointSliceBatchPeriod: ENDPOINTS_BATCH_PERIOD,
      endpointsBatchPeriod: ENDPOINTS_BATCH_PERIOD,
      hpaSyncPeriod: controlPlane.hpaSyncPeriod,
      hpaCpuInitializationPeriod: controlPlane.hpaCpuInitializationPeriod,
      hpaInitialReadinessDelay: controlPlane.hpaInitialReadinessDelay,
      // Kubernetes' default.
      nodeMonitorPeriod: 5000,
      nodeMonitorGracePeriod: controlPlane.nodeMonitorGracePeriod,
      // The hardening guide asks for less than Kubernetes' 12,500; a tenth leaves failed pods to look at.
      terminatedPodGcThreshold: 1250,
    },
    scheduler: { kubeApiQps: schedulerQps, kubeApiBurst: 2 * schedulerQps },
    kubelet: {
      maxPods: topology.maxPodsPerAgent,
      kubeApiQps: kubeletQps,
      kubeApiBurst: 2 * kubeletQps,
      // A new agent pulls each function's image once.
      registryPullQps: clamp(functions.length, DEFAULTS.registryPullQps, MOST_WORKERS),
      serializeImagePulls: false,
      podPidsLimit: POD_PIDS_LIMIT,
      cpuCfsQuotaPeriod: controlPlane.cfsQuotaPeriod,
      containerLogMaxSize: controlPlane.containerLog.maxSize,
      containerLogMaxFiles: controlPlane.containerLog.maxFiles,
      systemReserved: cluster.agentShape.reserved,
    },
  };
}
