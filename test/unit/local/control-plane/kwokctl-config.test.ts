import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { ControlPlaneTuning } from "../../../../infra/plan";
import { planStack } from "../../../../infra/plan";
import {
  componentFlags,
  renderKwokctlConfig,
  type Component,
  type NodesSide,
} from "../../../../local/control-plane/kwokctl-config";
import type { Ports } from "../../../../local/control-plane/ports";
import { prodConfig } from "../../infra/support";

const TUNING = planStack(prodConfig()).controlPlane;

const PORTS: Ports = {
  kubeApiserver: 20_001,
  etcd: 20_002,
  etcdPeer: 20_003,
  kubeControllerManager: 20_004,
  kubeScheduler: 20_005,
  kwokController: 20_006,
  metricsServer: 20_007,
  gatekeeperWebhook: 20_008,
  gatekeeperHealth: 20_009,
  kedaAdapter: 20_010,
  kedaOperator: 20_011,
  kedaHealth: 20_012,
  prometheus: 20_013,
  gatewayMetrics: 20_014,
};

const BINARIES = {
  etcd: "/bin/of/etcd",
  "kube-apiserver": "/bin/of/kube-apiserver",
  "kube-controller-manager": "/bin/of/kube-controller-manager",
  "kube-scheduler": "/bin/of/kube-scheduler",
  kubectl: "/bin/of/kubectl",
  kwok: "/bin/of/kwok",
};

interface Rendered {
  readonly options: Readonly<Record<string, unknown>>;
  readonly componentsPatches: readonly {
    readonly name: string;
    readonly extraArgs: readonly { readonly key: string; readonly value: string; readonly override?: boolean }[];
  }[];
}

const SIMULATED: NodesSide = {
  kwok: { stagesFile: "/state/stages.yaml" },
  processes: [],
  flags: {},
  certificateNames: [],
};

function rendered(tuning: ControlPlaneTuning = TUNING, nodes: NodesSide = SIMULATED): Rendered {
  return parse(renderKwokctlConfig(tuning, PORTS, BINARIES, "v1.30.4", nodes)) as Rendered;
}

function flagsOf(config: Rendered, component: string): Record<string, string> {
  const patches = config.componentsPatches.filter(({ name }) => name === component);
  expect(patches).toHaveLength(1);
  return Object.fromEntries(patches[0]!.extraArgs.map(({ key, value }) => [key, value]));
}

type Section = "apiServer" | "controllerManager" | "scheduler";

/** Where each value of the tuning goes. */
const FLAGS: Readonly<Record<Section, Readonly<Record<string, readonly [Component, string]>>>> = {
  apiServer: {
    maxRequestsInflight: ["kube-apiserver", "max-requests-inflight"],
    maxMutatingRequestsInflight: ["kube-apiserver", "max-mutating-requests-inflight"],
    notReadyTolerationSeconds: ["kube-apiserver", "default-not-ready-toleration-seconds"],
    unreachableTolerationSeconds: ["kube-apiserver", "default-unreachable-toleration-seconds"],
  },
  controllerManager: {
    kubeApiQps: ["kube-controller-manager", "kube-api-qps"],
    kubeApiBurst: ["kube-controller-manager", "kube-api-burst"],
    concurrentDeploymentSyncs: ["kube-controller-manager", "concurrent-deployment-syncs"],
    concurrentReplicaSetSyncs: ["kube-controller-manager", "concurrent-replicaset-syncs"],
    concurrentHpaSyncs: ["kube-controller-manager", "concurrent-horizontal-pod-autoscaler-syncs"],
    concurrentEndpointSliceSyncs: ["kube-controller-manager", "concurrent-service-endpoint-syncs"],
    endpointSliceBatchPeriod: ["kube-controller-manager", "endpointslice-updates-batch-period"],
    endpointsBatchPeriod: ["kube-controller-manager", "endpoint-updates-batch-period"],
    hpaSyncPeriod: ["kube-controller-manager", "horizontal-pod-autoscaler-sync-period"],
    hpaCpuInitializationPeriod: ["kube-controller-manager", "horizontal-pod-autoscaler-cpu-initialization-period"],
    hpaInitialReadinessDelay: ["kube-controller-manager", "horizontal-pod-autoscaler-initial-readiness-delay"],
    terminatedPodGcThreshold: ["kube-controller-manager", "terminated-pod-gc-threshold"],
  },
  scheduler: {
    kubeApiQps: ["kube-scheduler", "kube-api-qps"],
    kubeApiBurst: ["kube-scheduler", "kube-api-burst"],
  },
};

/** What kwokctl has options of its own for. */
const OPTIONS: Readonly<Record<string, string>> = {
  nodeMonitorPeriod: "kubeControllerManagerNodeMonitorPeriodMilliseconds",
  nodeMonitorGracePeriod: "kubeControllerManagerNodeMonitorGracePeriodMilliseconds",
};

const DURATIONS = [
  ...["endpointSliceBatchPeriod", "endpointsBatchPeriod"],
  ...["hpaSyncPeriod", "hpaCpuInitializationPeriod", "hpaInitialReadinessDelay"],
];

function tuned(section: Section, field: string, value: number): ControlPlaneTuning {
  return { ...TUNING, [section]: { ...TUNING[section], [field]: value } };
}

const ROWS = (Object.keys(FLAGS) as Section[]).flatMap((section) =>
  Object.entries(FLAGS[section]).map(([field, [component, flag]]) => ({ section, field, component, flag })),
);

describe("the plan's tuning", () => {
  it.each(ROWS)("sets --$flag of $component to $section.$field", ({ section, field, component, flag }) => {
    const value = 7777;
    const config = rendered(tuned(section, field, value));
    expect(flagsOf(config, component)).toEqual({
      ...flagsOf(rendered(), component),
      [flag]: DURATIONS.includes(field) ? "7777ms" : "7777",
    });
    expect(config.options).toEqual(rendered().options);
  });

  it.each(Object.entries(OPTIONS))("sets the option for controllerManager.%s", (field, option) => {
    const config = rendered(tuned("controllerManager", field, 33_000));
    expect(config.options[option]).toBe(33_000);
    expect(config.componentsPatches).toEqual(rendered().componentsPatches);
  });

  it("has no value that goes nowhere", () => {
    for (const section of Object.keys(FLAGS) as Section[]) {
      const known = [...Object.keys(FLAGS[section]), ...(section === "controllerManager" ? Object.keys(OPTIONS) : [])];
      expect(Object.keys(TUNING[section]).sort()).toEqual(known.sort());
    }
  });

  it("is all that components are given, beside the leader's election and the controllers' accounts", () => {
    for (const [component, flags] of Object.entries(componentFlags(TUNING))) {
      const tunedFlags = ROWS.filter((row) => row.component === component).map((row) => row.flag);
      const extra = {
        "kube-apiserver": [],
        "kube-controller-manager": ["leader-elect", "use-service-account-credentials"],
        "kube-scheduler": ["leader-elect"],
      }[component as Component];
      expect(Object.keys(flags).sort()).toEqual([...tunedFlags, ...extra].sort());
    }
    expect(flagsOf(rendered(), "kube-controller-manager")["leader-elect"]).toBe("false");
    expect(flagsOf(rendered(), "kube-scheduler")["leader-elect"]).toBe("false");
    expect(flagsOf(rendered(), "kube-controller-manager")["use-service-account-credentials"]).toBe("true");
  });

  it("writes durations as Go reads them, which knows no days", () => {
    const day = rendered(tuned("controllerManager", "hpaSyncPeriod", 86_400_000));
    expect(flagsOf(day, "kube-controller-manager")["horizontal-pod-autoscaler-sync-period"]).toBe("24h");
  });
});

describe("kwokctl's configuration", () => {
  it("listens on loopback alone, each process on the port that was chosen for it", () => {
    expect(rendered().options).toMatchObject({
      runtime: "binary",
      bindAddress: "127.0.0.1",
      securePort: true,
      kubeApiserverPort: 20_001,
      etcdPort: 20_002,
      etcdPeerPort: 20_003,
      kubeControllerManagerPort: 20_004,
      kubeSchedulerPort: 20_005,
      kwokControllerPort: 20_006,
    });
  });

  it("runs the programs that it is given, and has none to download", () => {
    const { options } = rendered();
    expect(options).toMatchObject({
      kubeVersion: "v1.30.4",
      etcdBinary: "/bin/of/etcd",
      kubeApiserverBinary: "/bin/of/kube-apiserver",
      kubeControllerManagerBinary: "/bin/of/kube-controller-manager",
      kubeSchedulerBinary: "/bin/of/kube-scheduler",
      kubectlBinary: "/bin/of/kubectl",
      kwokControllerBinary: "/bin/of/kwok",
    });
    expect(Object.keys(options).filter((key) => key.endsWith("Binary"))).toHaveLength(Object.keys(BINARIES).length);
  });

  it("overrides no flag but the node address, since kwokctl then drops every other flag that it does not set", () => {
    const overrides = rendered().componentsPatches.flatMap(({ name, extraArgs }) =>
      extraArgs.filter((arg) => arg.override !== undefined).map(({ key, value }) => ({ name, key, value })),
    );
    expect(overrides).toEqual([{ name: "kwok-controller", key: "node-ip", value: "127.0.0.1" }]);
  });

  it("gives KWOK the stages of simulated kubelets", () => {
    expect(flagsOf(rendered(), "kwok-controller")).toEqual({ config: "/state/stages.yaml", "node-ip": "127.0.0.1" });
  });

  it("lets a lease run out well before its node counts as lost", () => {
    expect(rendered().options["nodeLeaseDurationSeconds"]).toBe(10);
    // From 20 s, the least that a config may set, to an hour.
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 3600 }), (seconds) => {
        const { options } = rendered(tuned("controllerManager", "nodeMonitorGracePeriod", seconds * 1000));
        const lease = Number(options["nodeLeaseDurationSeconds"]);
        expect(lease).toBeGreaterThanOrEqual(10);
        expect(lease * 2).toBeLessThanOrEqual(seconds);
        expect(options["heartbeatFactor"]).toBe(1);
      }),
      { numRuns: 30 },
    );
  });
});

describe("a control plane that a real node joins", () => {
  const REAL: NodesSide = {
    kwok: undefined,
    processes: [],
    flags: { "kube-apiserver": { "advertise-address": "198.18.0.1", "max-requests-inflight": 5 } },
    certificateNames: ["198.18.0.1", "10.43.0.1"],
  };

  it("runs without KWOK and its resource types", () => {
    const { options, componentsPatches } = rendered(TUNING, REAL);
    expect(options["disable"]).toEqual(["kwok-controller"]);
    expect(options["enableCRDs"]).toBeUndefined();
    expect(componentsPatches.map(({ name }) => name)).not.toContain("kwok-controller");
  });

  it("adds the node's flags to the plan's, and lets them win", () => {
    expect(flagsOf(rendered(TUNING, REAL), "kube-apiserver")).toEqual({
      ...flagsOf(rendered(), "kube-apiserver"),
      "advertise-address": "198.18.0.1",
      "max-requests-inflight": "5",
    });
    expect(flagsOf(rendered(TUNING, REAL), "kube-scheduler")).toEqual(flagsOf(rendered(), "kube-scheduler"));
  });

  it("adds no value to a list of kwokctl's own, but replaces it", () => {
    const flags = { "kube-scheduler": { "authorization-always-allow-paths": "/livez", v: 4 } };
    const { componentsPatches } = rendered(TUNING, { ...REAL, flags });
    const scheduler = componentsPatches.find(({ name }) => name === "kube-scheduler");
    expect(scheduler?.extraArgs.slice(-2)).toEqual([
      { key: "authorization-always-allow-paths", value: "/livez", override: true },
      { key: "v", value: "4" },
    ]);
  });

  it("has a certificate for the addresses that it is reached by", () => {
    expect(rendered(TUNING, REAL).options["kubeApiserverCertSANs"]).toEqual(["198.18.0.1", "10.43.0.1"]);
  });
});
