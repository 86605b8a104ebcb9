import type { Problem } from "../problems";
import type { Bytes, MilliCpu, Millis, Ratio } from "../units";

/** What the config comes to: computed by `planStack`, read by components and by what prepares the cluster. */
export interface Plan {
  readonly topology: Topology;
  readonly capacity: Capacity;
  /** By tenant name. */
  readonly quotas: Readonly<Record<string, TenantQuota>>;
  /** By function name. */
  readonly scaleOut: Readonly<Record<string, ScaleOut>>;
  readonly requestPath: RequestPathPlan;
  readonly observability: ObservabilityPlan;
  readonly admission: AdmissionPlan;
  readonly controlPlane: ControlPlaneTuning;
  readonly cost: CostComparison;
  /** What holds, but falls short of a target or rests on something old: shown, never hidden. */
  readonly warnings: readonly Problem[];
}

/** The agents and what each must be set to, so that the pods fit. */
export interface Topology {
  readonly agents: number;
  /** Labels that every agent registers with; RuntimeClass `wasmedge` selects them. */
  readonly agentLabels: Readonly<Record<string, string>>;
  /** What one agent has. */
  readonly agentCapacity: Resources;
  /** What of it pods may request: capacity less what is reserved. */
  readonly agentAllocatable: Resources;
  /** kubelet `max-pods`. */
  readonly maxPodsPerAgent: number;
  /** kube-controller-manager `node-cidr-mask-size`. */
  readonly nodeCidrMaskSize: number;
  /** Kernel settings of an agent, by sysctl name. */
  readonly agentSysctls: Readonly<Record<string, number>>;
}

export interface Resources {
  readonly cpu: MilliCpu;
  readonly memory: Bytes;
}

/** The most that runs at once, and what there is for it. */
export interface Capacity {
  /** Pods at the worst moment: every function at max, rolling, with the pods that are still leaving. */
  readonly pods: PodDemand;
  readonly requested: Resources;
  /**
   * With one agent lost (where there is more than one). CPU and memory are less one pod's worth for each agent: what
   * may stay empty where no further pod fits.
   */
  readonly offered: Resources & { readonly pods: number; readonly agents: number };
  /** Requests/s that each pod of a function serves at peak with max replicas, by function name. */
  readonly peakRequestsPerPod: Readonly<Record<string, number>>;
}

export interface PodDemand {
  readonly replicas: number;
  readonly surge: number;
  readonly terminating: number;
  /** The platform's: so many on each agent, gateway and authorizer beside them. */
  readonly system: number;
  readonly total: number;
}

/** What stands between clients and functions. */
export interface RequestPathPlan {
  /** Of all functions together. */
  readonly peakRequestsPerSecond: number;
  readonly gateway: ReplicaPlan;
  readonly authorizer: ReplicaPlan;
  /** Clients' budgets and verified tokens that one authorizer keeps in memory, of each so many. */
  readonly remembered: number;
  /** Whether the gateway sees clients' own addresses, by which those without a token are limited. */
  readonly seesAddresses: boolean;
  /** What a pod of the gateway has beside the gateway itself, where that is Traefik. */
  readonly helper: { readonly requests: Resources; readonly limits: Resources };
}

export interface ReplicaPlan {
  readonly min: number;
  readonly max: number;
  /** That the load at peak needs, each at the autoscaler's target. */
  readonly needed: number;
  /** What the load at peak takes of them all. */
  readonly cpuAtPeak: MilliCpu;
}

/** What is requested for each pod of a part, and what it may use at most. */
export interface Sized {
  readonly requests: Resources;
  readonly limits: Resources;
}

/** What watching the stack takes at peak. */
export interface ObservabilityPlan {
  /** Of one Prometheus, at once. */
  readonly series: number;
  readonly samplesPerSecond: number;
  readonly prometheus: Sized & { readonly storage: Bytes };
  /** After sampling, the load at peak held all day. */
  readonly logs: { readonly linesPerSecond: number; readonly bytesPerDay: Bytes };
  readonly loki: Sized & {
    readonly replicas: number;
    /** Where chunks are kept; with object storage a volume holds what is not there yet. */
    readonly store: "filesystem" | "objectStorage";
    readonly storage: Bytes;
  };
  readonly alertmanager: Sized & { readonly storage: Bytes };
  readonly kubeStateMetrics: Sized;
  /** One on every node, within what the plan counts for system pods. */
  readonly collector: Sized;
  readonly nodeExporter: Sized;
  readonly grafana: Sized & { readonly storage: Bytes };
}

/** What Gatekeeper's pods take. */
export interface AdmissionPlan {
  /** Each of those that answer the API server. */
  readonly webhook: Sized;
  /** The one that audits, with room on disk for what it reads. */
  readonly audit: Sized & { readonly scratch: Bytes };
}

/** Hard limits of a tenant's namespace: its functions at the worst moment. */
export interface TenantQuota {
  readonly pods: number;
  readonly requests: Resources & { readonly ephemeralStorage: Bytes };
  readonly limits: Resources & { readonly ephemeralStorage: Bytes };
  readonly services: number;
  readonly configMaps: number;
  readonly secrets: number;
}

/** How a function gets from min to max. */
export interface ScaleOut {
  /** Replicas at peak load that each metric asks for, before bounds. */
  readonly wantedAtPeak: { readonly cpu: number; readonly requestRate: number };
  /** Seconds from the jump in load until max replicas are ready, all parts counted. */
  readonly secondsToMax: number;
  /** The same with node start queues left out: what simulated nodes can show. */
  readonly secondsToMaxControlPlaneOnly: number;
  /** The metric that takes it there: CPU where that asks for max at peak, else the request rate. */
  readonly drivenBy: "cpu" | "requestRate";
  /** Which part takes most of that time: the autoscaler's steps, the client limits, or the nodes' start rate. */
  readonly bottleneck: "autoscaler" | "control-plane" | "nodes";
  readonly curve: readonly ScaleOutPoint[];
}

export interface ScaleOutPoint {
  readonly second: number;
  readonly desired: number;
  readonly created: number;
  readonly ready: number;
}

/** One value from which both the embedded control plane and K3s are set up, so that what is measured is what is shipped. */
export interface ControlPlaneTuning {
  readonly apiServer: {
    readonly maxRequestsInflight: number;
    readonly maxMutatingRequestsInflight: number;
    /** Default tolerations of the not-ready and unreachable taints. */
    readonly notReadyTolerationSeconds: number;
    readonly unreachableTolerationSeconds: number;
  };
  readonly controllerManager: {
    readonly kubeApiQps: number;
    readonly kubeApiBurst: number;
    readonly concurrentDeploymentSyncs: number;
    readonly concurrentReplicaSetSyncs: number;
    readonly concurrentHpaSyncs: number;
    readonly concurrentEndpointSliceSyncs: number;
    readonly endpointSliceBatchPeriod: Millis;
    /** Of the Endpoints that came before the slices, and are still written. */
    readonly endpointsBatchPeriod: Millis;
    readonly hpaSyncPeriod: Millis;
    readonly hpaCpuInitializationPeriod: Millis;
    readonly hpaInitialReadinessDelay: Millis;
    readonly nodeMonitorPeriod: Millis;
    readonly nodeMonitorGracePeriod: Millis;
    readonly terminatedPodGcThreshold: number;
  };
  readonly scheduler: { readonly kubeApiQps: number; readonly kubeApiBurst: number };
  readonly kubelet: {
    readonly maxPods: number;
    readonly kubeApiQps: number;
    readonly kubeApiBurst: number;
    readonly registryPullQps: number;
    readonly serializeImagePulls: boolean;
    readonly podPidsLimit: number;
    /** Feature gate CustomCPUCFSQuotaPeriod, alpha at 1.30. */
    readonly cpuCfsQuotaPeriod: Millis;
    readonly containerLogMaxSize: Bytes;
    readonly containerLogMaxFiles: number;
    readonly systemReserved: Resources;
  };
}

export interface CostComparison {
  /** This platform, at peak. */
  readonly platform: CostSide;
  /** The reference's container platform and the lean native container, for the same load. */
  readonly baselines: readonly (CostSide & {
    readonly savedHosts: Ratio;
    readonly savedCpu: Ratio;
    readonly savedMemory: Ratio;
  })[];
  /** What the figures rest on, each a sentence with its source. */
  readonly assumptions: readonly string[];
}

export interface CostSide {
  readonly name: string;
  readonly replicas: number;
  readonly requested: Resources;
  /** Hosts of the agents' shape, by whichever of CPU and memory needs more; fractional, before rounding up. */
  readonly hosts: number;
  readonly boundBy: "cpu" | "memory";
  /** Replica-hours per day at peak load all day: hosts cost the same whether or not pods scale in, so these stand apart. */
  readonly replicaHoursPerDay: number;
}
