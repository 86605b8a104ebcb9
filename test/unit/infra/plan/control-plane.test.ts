import { describe, expect, it } from "vitest";
import { planStack } from "../../../../infra/plan";
import { planOf, problemsOf, prodConfig, rawConfig, withFunction } from "../support";

const MI = 2 ** 20;

describe("control-plane tuning", () => {
  it("comes from the config's client limit and the plan's topology", () => {
    expect(planStack(prodConfig()).controlPlane).toEqual({
      apiServer: {
        maxRequestsInflight: 400,
        maxMutatingRequestsInflight: 200,
        notReadyTolerationSeconds: 10,
        unreachableTolerationSeconds: 10,
      },
      controllerManager: {
        kubeApiQps: 90,
        kubeApiBurst: 90,
        concurrentDeploymentSyncs: 5,
        concurrentReplicaSetSyncs: 5,
        concurrentHpaSyncs: 5,
        concurrentEndpointSliceSyncs: 5,
        endpointSliceBatchPeriod: 500,
        endpointsBatchPeriod: 500,
        hpaSyncPeriod: 5000,
        hpaCpuInitializationPeriod: 20_000,
        hpaInitialReadinessDelay: 5000,
        nodeMonitorPeriod: 5000,
        nodeMonitorGracePeriod: 20_000,
        terminatedPodGcThreshold: 1250,
      },
      scheduler: { kubeApiQps: 180, kubeApiBurst: 360 },
      kubelet: {
        maxPods: 890,
        kubeApiQps: 90,
        kubeApiBurst: 180,
        registryPullQps: 5,
        serializeImagePulls: false,
        podPidsLimit: 1024,
        cpuCfsQuotaPeriod: 10,
        containerLogMaxSize: 4 * MI,
        containerLogMaxFiles: 2,
        systemReserved: { cpu: 500, memory: 2048 * MI },
      },
    });
  });

  it("never goes below Kubernetes' defaults of the API server", () => {
    const { apiServer } = planOf(rawConfig({ controlPlane: { clientQps: 20 } })).controlPlane;
    expect(apiServer).toMatchObject({ maxRequestsInflight: 400, maxMutatingRequestsInflight: 200 });
  });

  it("gives each function a worker, and a rollout two", () => {
    const functions = Array.from({ length: 20 }, (_, index) => ({
      name: `fn-${index}`,
      scaling: { max: 100 },
      workload: { peakRequestsPerSecond: 100 },
    }));
    expect(planOf(rawConfig({ functions })).controlPlane.controllerManager).toMatchObject({
      concurrentDeploymentSyncs: 20,
      concurrentReplicaSetSyncs: 40,
      concurrentHpaSyncs: 20,
    });
  });
});

describe("the CFS quota period", () => {
  it("is refused where the quota falls below the kubelet's 1 ms", () => {
    expect(problemsOf(() => planOf(withFunction({}, { controlPlane: { cfsQuotaPeriod: "5ms" } })))).toEqual([
      "controlPlane.cfsQuotaPeriod: 5ms: with checkout's CPU limit of 100m the quota is 500us, which the kubelet raises to 1ms; raise it to 10ms, or functions.checkout.resources.limits.cpu to 200m",
    ]);
  });

  it("is taken where the quota is exactly 1 ms", () => {
    expect(planOf(rawConfig()).controlPlane.kubelet.cpuCfsQuotaPeriod).toBe(10);
  });

  it("is refused where throttling alone breaks the latency objective", () => {
    expect(problemsOf(() => planOf(withFunction({}, { controlPlane: { cfsQuotaPeriod: "100ms" } })))).toEqual([
      "controlPlane.cfsQuotaPeriod: 100ms: checkout's CPU limit of 100m makes a request wait up to 90ms, its p99 objective is 20ms; lower it to 22ms",
    ]);
    expect(planOf(rawConfig({ controlPlane: { cfsQuotaPeriod: "22ms" } })).controlPlane.kubelet.cpuCfsQuotaPeriod).toBe(
      22,
    );
  });

  it("cannot be mended where the limit is too small for any period", () => {
    const fn = { resources: { limits: { cpu: "20m" } }, workload: { cpuPerRequest: "50us" } };
    expect(problemsOf(() => planOf(withFunction(fn, { controlPlane: { cfsQuotaPeriod: "50ms" } })))).toEqual([
      "controlPlane.cfsQuotaPeriod: 50ms: checkout's CPU limit of 20m makes a request wait up to 49ms, its p99 objective is 20ms; raise functions.checkout.resources.limits.cpu: with this limit no period does",
    ]);
  });

  it("throttles no function that has a whole core", () => {
    const fn = { resources: { limits: { cpu: "1" } } };
    const plan = planOf(withFunction(fn, { controlPlane: { cfsQuotaPeriod: "100ms" } }));
    expect(plan.warnings.map((warning) => warning.path)).not.toContain("controlPlane.cfsQuotaPeriod");
  });
});

describe("a function is refused where", () => {
  it("its pods at max cannot serve the peak within their CPU limit", () => {
    const fn = { scaling: { max: 20, initial: 10 } };
    expect(problemsOf(() => planOf(withFunction(fn)))).toEqual([
      "functions.checkout.workload.peakRequestsPerSecond: 100,000/s over 20 replicas, 5,000/s and 900m of CPU each: a pod at its limit of 100m serves 555.6/s; raise scaling.max to 181, or resources.limits.cpu to 901m",
    ]);
    expect(planOf(withFunction({ scaling: { max: 181 } })).capacity.pods.replicas).toBe(181);
  });

  it("its log files outgrow its storage", () => {
    const controlPlane = { containerLog: { maxSize: "4Mi", maxFiles: 4 } };
    expect(problemsOf(() => planOf(withFunction({}, { controlPlane })))).toEqual([
      "functions.checkout.resources.ephemeralStorage.limit: 16Mi: 4 log files of 4Mi, and one more that outgrows its size, need 20Mi; raise it to 20Mi, or lower controlPlane.containerLog",
    ]);
  });

  it("its CPU limit keeps usage from ever passing the autoscaler's target", () => {
    const fn = {
      resources: { requests: { cpu: "100m" }, limits: { cpu: "100m" } },
      scaling: { max: 200, cpuTarget: "95%" },
    };
    expect(problemsOf(() => planOf(withFunction(fn)))).toEqual([
      "functions.checkout.scaling.cpuTarget: 95%: of 100m, while 100m is the limit: usage never passes the target by more than the autoscaler's tolerance of 10%, so it never scales out; lower it, or raise resources.limits.cpu",
    ]);
  });
});
