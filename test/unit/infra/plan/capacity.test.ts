import { describe, expect, it } from "vitest";
import { planStack } from "../../../../infra/plan";
import { caught, existing, k3s, planOf, problemsOf, prodConfig, rawConfig, withFunction } from "../support";

const MI = 2 ** 20;

/**
 * What 100,000 requests/s take at most: 79 gateways (55 cores at 700m) and 75 authorizers (26 cores at 350m), one more of
 * each, and a tenth of that while they roll. A gateway has its helper's 10m and 48Mi with it.
 */
const GATEWAYS = 80 + 8;
const AUTHORIZERS = 76 + 8;
/** Prometheus, Alertmanager, Loki, kube-state-metrics and Grafana, one of each. */
const WATCHING = 5;
/** Three Gatekeepers that answer, one more while a new one starts, and one that audits. */
const GUARDING = 5;

describe("the reference production stack", () => {
  const plan = planStack(prodConfig());

  it("holds a rollout of 5,000 replicas with one agent lost", () => {
    // 9 agents start 40.5 pods/s; each that leaves stays for 5 s + 30 s.
    expect(plan.capacity.pods).toEqual({
      replicas: 5000,
      surge: 1250,
      terminating: 1418,
      system: 90 + GATEWAYS + AUTHORIZERS + WATCHING + GUARDING,
      total: 7668 + 90 + 172 + WATCHING + GUARDING,
    });
    const { prometheus, alertmanager, loki, kubeStateMetrics, grafana } = plan.observability;
    const { webhook, audit } = plan.admission;
    const guarding = [webhook, webhook, webhook, webhook, audit];
    const parts = [prometheus, alertmanager, loki, kubeStateMetrics, grafana, ...guarding];
    const single = parts.map(({ requests }) => requests);
    const sum = (key: "cpu" | "memory") => single.reduce((total, requests) => total + requests[key], 0);
    expect(plan.capacity.requested).toEqual({
      cpu: 7668 * 10 + 90 * 50 + GATEWAYS * 1010 + AUTHORIZERS * 500 + sum("cpu"),
      memory: (7668 * 40 + 90 * 64 + GATEWAYS * 176 + AUTHORIZERS * 192) * MI + sum("memory"),
    });
    expect(plan.capacity.offered).toEqual({
      agents: 9,
      pods: 8010,
      // An agent may have a bit less left than a gateway's CPU, and than Prometheus' memory.
      cpu: 9 * (31_500 - 1009),
      memory: 9 * (126 * 1024 * MI - prometheus.requests.memory + 1),
    });
    expect(plan.capacity.peakRequestsPerPod).toEqual({ "serverless-function": 20 });
  });

  it("gives each agent 890 pods and a network of 1,021 addresses", () => {
    expect(plan.topology).toMatchObject({
      agents: 10,
      agentLabels: { "wasm-functions.dev/runtime": "wasmedge" },
      agentCapacity: { cpu: 32_000, memory: 128 * 1024 * MI },
      agentAllocatable: { cpu: 31_500, memory: 126 * 1024 * MI },
      // 7,840 pods over 9 agents are 872, and 10 of the system.
      maxPodsPerAgent: 890,
      nodeCidrMaskSize: 22,
    });
  });

  it("raises the kernel's limits to what so many pods need", () => {
    expect(plan.topology.agentSysctls).toEqual({
      "fs.inotify.max_user_instances": 8192,
      "fs.inotify.max_user_watches": 524_288,
      // 890 pods and 13 nodes are under the first threshold.
      "net.ipv4.neigh.default.gc_thresh1": 1024,
      "net.ipv4.neigh.default.gc_thresh2": 2048,
      "net.ipv4.neigh.default.gc_thresh3": 4096,
      // 890 pods of 1,024 processes, and 32,768.
      "kernel.pid_max": 1_048_576,
      // 100,000 requests/s over 9 agents, each tracked for 120 s, are 1.33 million.
      "net.netfilter.nf_conntrack_max": 2_097_152,
      "vm.panic_on_oom": 0,
      "vm.overcommit_memory": 1,
      "kernel.panic": 10,
      "kernel.panic_on_oops": 1,
    });
  });

  it("lets the tenant's quota hold a rollout at max with all agents there", () => {
    // 10 agents start 45 pods/s: 1,575 leave.
    const pods = 5000 + 1250 + 1575;
    expect(plan.quotas).toEqual({
      shop: {
        pods,
        requests: { cpu: pods * 10, memory: pods * 40 * MI, ephemeralStorage: pods * 8 * MI },
        limits: { cpu: pods * 100, memory: pods * 72 * MI, ephemeralStorage: pods * 16 * MI },
        services: 12,
        configMaps: 21,
        secrets: 14,
      },
    });
  });
});

describe("5,000 replicas on one agent", () => {
  it("fail by pods, CPU and memory, each with the agents that would hold them", () => {
    const error = caught(() => planOf(rawConfig({ cluster: existing({ agents: 1 }) })));
    expect(error.message).toBe(
      [
        "The plan cannot hold (3 problems):",
        "  - functions.serverless-function.scaling.max: 5,000 replicas and the way in need 6,600 pods (surge 1,250, leaving 158, system 192): 1 agent offers 1,023 (an agent's network bridge has 1,023 ports); lower max, or add agents (9 hold it)",
        "  - functions.serverless-function.scaling.max: 5,000 replicas and the way in need 196.8 CPU: 1 agent offers 31.5 CPU; lower max, or add agents (9 hold it)",
        "  - functions.serverless-function.scaling.max: 5,000 replicas and the way in need 285.9Gi of memory: 1 agent offers 126Gi; lower max, or add agents (9 hold it)",
      ].join("\n"),
    );
  });

  it("fail by bridge and addresses too where max-pods is simply raised", () => {
    const cluster = existing({ agents: 1, maxPodsPerAgent: 5000, network: { nodeCidrMaskSize: 24 } });
    expect(problemsOf(() => planOf(rawConfig({ cluster }))).slice(0, 3)).toEqual([
      "cluster.maxPodsPerAgent: 5,000: an agent's network bridge has 1,023 ports, whatever its addresses; lower it to 1023, and add agents",
      "cluster.network.nodeCidrMaskSize: 24: a /24 has 253 addresses, an agent is to hold 5,000 pods; set 21, or leave it out",
      "cluster.maxPodsPerAgent: 5,000: 1 agent offers 1,023 pods, needed are 6,600 pods (surge 1,250, leaving 158, system 192); lower max, or add agents (9 hold it)",
    ]);
  });

  it("hold on the number of agents that the error names, and on no fewer", () => {
    expect(planOf(rawConfig({ cluster: existing({ agents: 9 }) })).capacity.offered.agents).toBe(8);
    expect(problemsOf(() => planOf(rawConfig({ cluster: existing({ agents: 8 }) })))).toHaveLength(1);
  });
});

describe("a plan fails where", () => {
  it("Kubernetes' default of 110 pods is kept for 5,000 replicas", () => {
    // So many agents start as many pods as the control plane makes, 90/s, so that 3,150 leave: 9,582 with the platform's own,
    // 100 beside each agent's system pods.
    expect(problemsOf(() => planOf(rawConfig({ cluster: existing({ maxPodsPerAgent: 110 }) })))).toEqual([
      "cluster.maxPodsPerAgent: 110: 9 agents with one lost offer 990 pods, needed are 7,940 pods (surge 1,250, leaving 1,418, system 272); raise it to 890, leave it out, or lower max, or add agents (97 hold it)",
    ]);
  });

  it("one function takes more CPU than agents offer, in the style of its own numbers", () => {
    const cluster = existing({ agents: 2, agentShape: { cpu: "6500m", memory: "64Gi" }, systemPodsPerAgent: 0 });
    const fn = {
      scaling: { max: 40, initial: 10 },
      rollout: { maxSurge: 0, maxUnavailable: 1 },
      drain: { propagation: "0s" },
      resources: { requests: { cpu: "200m" }, limits: { cpu: "1" } },
      workload: { peakRequestsPerSecond: 1000 },
      requestTimeout: "0s",
    };
    // 40 replicas take 8 CPU, 3 gateways and 3 authorizers of 100m each with the helpers' 10m another 0.63.
    const replicas = { max: 2, requests: { cpu: "100m" }, cpuTarget: "100%" };
    const wayIn = {
      gateway: { replicas, cpuPerRequest: "100us" },
      authorization: { replicas, cpuPerDecision: "100us" },
    };
    expect(problemsOf(() => planOf(withFunction(fn, { cluster, ...wayIn })))).toEqual([
      "functions.checkout.scaling.max: 40 replicas and the way in need 9.1 CPU: 1 agent with one lost offers 6 CPU; lower max, or add agents (3 hold it)",
    ]);
  });

  it("gateways do not fit beside one another, though all agents' CPU together would do", () => {
    // 10 gateways of 1,010m, 3 authorizers of 500m and 45 pods of 10m, on 9 agents of 1.5 CPU that hold one gateway each.
    const cluster = existing({ agentShape: { cpu: "2" }, systemPodsPerAgent: 0 });
    const fn = { scaling: { max: 20, initial: 10 }, workload: { peakRequestsPerSecond: 9000 } };
    const authorization = { cpuPerDecision: "10us" };
    expect(problemsOf(() => planOf(withFunction(fn, { cluster, authorization })))).toEqual([
      "functions.checkout.scaling.max: 20 replicas and the way in need 12.5 CPU: 9 agents with one lost offer 4.4 CPU; lower max, or add agents (27 hold it)",
    ]);
  });

  it("functions together take too much, told at the largest", () => {
    const functions = [
      { name: "cart", scaling: { max: 1000 }, workload: { peakRequestsPerSecond: 10_000 } },
      { name: "checkout", scaling: { max: 4000 }, workload: { peakRequestsPerSecond: 10_000 } },
    ];
    const problems = problemsOf(() => planOf(rawConfig({ functions, cluster: existing({ agents: 2 }) })));
    expect(problems).toHaveLength(3);
    // Of functions and system 65 CPU; of the way in, for 20,000 requests/s, 19 gateways' 19.2 and 18 authorizers' 9.
    expect(problems[1]).toBe(
      "functions.checkout.scaling.max: 4,000 replicas, 1 other function and the way in need 93.7 CPU: 1 agent with one lost offers 31.5 CPU; lower max, or add agents (9 hold it)",
    );
  });

  it("no number of agents would do", () => {
    const fn = { resources: { requests: { memory: "128Gi" }, limits: { memory: "128Gi" } } };
    expect(problemsOf(() => planOf(withFunction(fn)))).toEqual([
      "functions.checkout.scaling.max: 5,000 replicas and the way in need 958.6Ti of memory: 9 agents with one lost offer 0B; lower max, or use larger agents",
    ]);
  });

  it("podCidr has no share for every node, servers included", () => {
    expect(problemsOf(() => planOf({ cluster: k3s(3, 10, { network: { podCidr: "10.42.0.0/19" } }) }))).toEqual([
      "cluster.network.podCidr: 10.42.0.0/19: holds the shares (/22) of 8 nodes, the stack has 13; widen it to a /18",
    ]);
  });

  it("a node's share is longer than Kubernetes takes", () => {
    const network = { podCidr: "10.0.0.0/9", serviceCidr: "10.128.0.0/16", nodeCidrMaskSize: 26 };
    const fn = { scaling: { max: 190 }, workload: { peakRequestsPerSecond: 1000 } };
    const cluster = existing({ network, maxPodsPerAgent: 61 });
    expect(problemsOf(() => planOf(withFunction(fn, { cluster })))).toEqual([
      "cluster.network.nodeCidrMaskSize: 26: Kubernetes takes at most 16 bits below podCidr 10.0.0.0/9; set 25 or less, or narrow podCidr",
    ]);
  });

  it("serviceCidr has no address for every Service", () => {
    const cluster = existing({ network: { serviceCidr: "10.43.0.0/28" } });
    expect(problemsOf(() => planOf(rawConfig({ cluster })))).toEqual([
      "cluster.network.serviceCidr: 10.43.0.0/28: has 14 addresses, functions and platform take 52; widen it to a /26",
    ]);
  });
});

describe("the worst moment", () => {
  it("has no more pods leaving than there are old ones", () => {
    const fn = { scaling: { max: 300 }, workload: { peakRequestsPerSecond: 1000 } };
    expect(planOf(withFunction(fn)).capacity.pods).toMatchObject({ replicas: 300, surge: 75, terminating: 300 });
  });

  it("is no worse than the control plane can make it", () => {
    // 20 pods/s, each leaving for 35 s.
    const plan = planOf(rawConfig({ controlPlane: { clientQps: 20 } }));
    expect(plan.capacity.pods.terminating).toBe(700);
  });

  it("shares the start rate between functions that roll together", () => {
    const functions = ["cart", "checkout"].map((name) => ({
      name,
      scaling: { max: 2500 },
      workload: { peakRequestsPerSecond: 50_000 },
    }));
    expect(planOf(rawConfig({ functions })).capacity.pods).toMatchObject({ surge: 1250, terminating: 2 * 709 });
  });

  it("has pods that keep room in the quota, which counts them while they wait, and not among what has to fit", () => {
    const plan = (buffer: number) =>
      planOf(rawConfig({ functions: [{ scaling: { max: 100, buffer }, workload: { peakRequestsPerSecond: 1000 } }] }));
    const [without, with40] = [plan(0), plan(40)];
    expect(with40.capacity.pods).toEqual(without.capacity.pods);
    const [before, after] = [without.quotas["shop"]!, with40.quotas["shop"]!];
    expect(after.pods - before.pods).toBe(40);
    // 10m and 100m of the function, and the runtime's overhead.
    expect(after.requests.cpu - before.requests.cpu).toBe(40 * 10);
    expect(after.limits.cpu - before.limits.cpu).toBe(40 * 100);
    // Who watches sees them too, and they cost what they request.
    const series = (of: typeof without) => of.observability.series;
    expect(series(with40) - series(without)).toBe(40 * 28);
    expect(with40.cost.platform.replicas - without.cost.platform.replicas).toBe(40);
  });

  it("counts a tenant's quota by its own functions alone", () => {
    const functions = [
      { name: "cart", tenant: "shop", scaling: { max: 100 }, workload: { peakRequestsPerSecond: 1000 } },
      { name: "search", tenant: "catalog", scaling: { max: 4000 }, workload: { peakRequestsPerSecond: 1000 } },
    ];
    const tenants = [{ name: "shop" }, { name: "catalog" }, { name: "empty" }];
    const { quotas } = planOf(rawConfig({ functions, tenants }));
    expect(quotas["shop"]?.pods).toBe(100 + 25 + 100);
    expect(quotas["catalog"]?.pods).toBe(4000 + 1000 + 1575);
    expect(quotas["empty"]).toEqual({
      pods: 0,
      requests: { cpu: 0, memory: 0, ephemeralStorage: 0 },
      limits: { cpu: 0, memory: 0, ephemeralStorage: 0 },
      services: 10,
      configMaps: 10,
      secrets: 10,
    });
  });
});

it("plans 10,000 agents within 50 ms", () => {
  const network = { podCidr: "10.0.0.0/9", serviceCidr: "10.128.0.0/16" };
  const raw = rawConfig({ cluster: existing({ agents: 10_000, network }) });
  planOf(raw);
  const start = performance.now();
  const plan = planOf(raw);
  expect(performance.now() - start).toBeLessThan(50);
  expect(plan.topology).toMatchObject({ agents: 10_000, maxPodsPerAgent: 110, nodeCidrMaskSize: 25 });
});
