import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseConfig, type StackConfig } from "../../../../infra/config";
import { planStack, type Plan, type Sized } from "../../../../infra/plan";
import { ProblemsError } from "../../../../infra/problems";
import { existing, rawConfig } from "../support";

/** Stacks of one function, from far too large to hold down to trivial. */
const stacks = fc
  .record({
    agents: fc.integer({ min: 1, max: 60 }),
    cores: fc.integer({ min: 4, max: 64 }),
    memoryGi: fc.integer({ min: 8, max: 256 }),
    max: fc.integer({ min: 1, max: 8000 }),
    surge: fc.integer({ min: 1, max: 100 }),
    cpu: fc.integer({ min: 5, max: 20 }),
    memoryMi: fc.integer({ min: 8, max: 64 }),
    system: fc.integer({ min: 0, max: 20 }),
    clientQps: fc.integer({ min: 5, max: 1000 }),
    startRate: fc.double({ min: 0.5, max: 5, noNaN: true }),
    peakPerPod: fc.integer({ min: 1, max: 400 }),
  })
  .map((stack) => ({ ...stack, min: Math.min(10, stack.max) }));
type Stack = typeof stacks extends fc.Arbitrary<infer T> ? T : never;

function configOf(stack: Stack): StackConfig {
  return parseConfig(
    rawConfig({
      cluster: existing({
        agents: stack.agents,
        agentShape: { cpu: stack.cores, memory: `${stack.memoryGi}Gi` },
        systemPodsPerAgent: stack.system,
      }),
      runtime: { startRate: stack.startRate },
      controlPlane: { clientQps: stack.clientQps },
      functions: [
        {
          scaling: { min: stack.min, max: stack.max, initial: stack.min },
          rollout: { maxSurge: `${stack.surge}%` },
          resources: {
            requests: { cpu: `${stack.cpu}m`, memory: `${stack.memoryMi}Mi` },
            limits: { cpu: "100m", memory: "64Mi" },
          },
          workload: { peakRequestsPerSecond: stack.max * stack.peakPerPod },
        },
      ],
    }),
  );
}

/** The plan, or nothing where it does not hold. */
function heldPlan(config: StackConfig): Plan | undefined {
  try {
    return planStack(config);
  } catch (error) {
    if (error instanceof ProblemsError) return undefined;
    throw error;
  }
}

function holding(check: (plan: Plan, stack: Stack) => void) {
  let held = 0;
  fc.assert(
    fc.property(stacks, (stack) => {
      const plan = heldPlan(configOf(stack));
      if (!plan) return;
      held++;
      check(plan, stack);
    }),
    { numRuns: 300 },
  );
  // A property of plans that hold says nothing where none does.
  expect(held).toBeGreaterThan(50);
}

describe("any plan that holds", () => {
  it("has room for its pods on the agents that are left when one is lost", () => {
    holding(({ capacity: { pods, offered }, requestPath, observability, admission, topology }, stack) => {
      expect(offered.agents).toBe(Math.max(1, stack.agents - 1));
      // Packed one by one, as a scheduler does: first what every agent has, then by priority, the largest first.
      const agents = Array.from({ length: offered.agents }, () => ({
        pods: topology.maxPodsPerAgent - stack.system,
        cpu: topology.agentAllocatable.cpu - stack.system * 50,
        memoryMi: topology.agentAllocatable.memory / 2 ** 20 - stack.system * 64,
      }));
      const rolling = (max: number) => max + Math.ceil(max / 10);
      const [gateways, authorizers] = [rolling(requestPath.gateway.max), rolling(requestPath.authorizer.max)];
      const { prometheus, alertmanager, loki, kubeStateMetrics, grafana } = observability;
      const watching = [prometheus, alertmanager, loki, kubeStateMetrics, grafana];
      const guarding = [...Array<Sized>(4).fill(admission.webhook), admission.audit];
      const single = [...watching, ...guarding];
      expect(pods.system).toBe(offered.agents * stack.system + gateways + authorizers + single.length);
      expect(placed(agents, gateways, { cpu: 1010, memoryMi: 176 })).toBe(gateways);
      expect(placed(agents, authorizers, { cpu: 500, memoryMi: 192 })).toBe(authorizers);
      for (const { requests } of single) {
        const size = { cpu: requests.cpu, memoryMi: requests.memory / 2 ** 20 };
        // Of agents that have room a scheduler takes the emptiest.
        agents.sort((one, other) => other.memoryMi - one.memoryMi);
        expect(placed(agents, 1, size)).toBe(1);
      }
      const functions = pods.total - pods.system;
      expect(placed(agents, functions, { cpu: stack.cpu, memoryMi: stack.memoryMi + 8 })).toBe(functions);
    });
  });

  interface Room {
    pods: number;
    cpu: number;
    memoryMi: number;
  }

  /** How many of so many pods find room, spread over the agents in turn. */
  function placed(agents: readonly Room[], count: number, size: Omit<Room, "pods">): number {
    let left = count;
    let before;
    do {
      before = left;
      for (const room of agents) {
        if (left === 0 || room.pods < 1 || room.cpu < size.cpu || room.memoryMi < size.memoryMi) continue;
        room.pods -= 1;
        room.cpu -= size.cpu;
        room.memoryMi -= size.memoryMi;
        left--;
      }
    } while (left < before);
    return count - left;
  }

  it("keeps max-pods within the bridge's ports and the node's addresses", () => {
    holding(({ topology }) => {
      expect(topology.maxPodsPerAgent).toBeGreaterThanOrEqual(110);
      expect(topology.maxPodsPerAgent).toBeLessThanOrEqual(1023);
      expect(topology.maxPodsPerAgent).toBeLessThanOrEqual(2 ** (32 - topology.nodeCidrMaskSize) - 3);
      // The smallest share that does: half of it would not.
      expect(topology.maxPodsPerAgent).toBeGreaterThan(2 ** (31 - topology.nodeCidrMaskSize) - 3);
    });
  });

  it("has a quota that a rollout at max fits into", () => {
    holding(({ quotas, capacity }, stack) => {
      const { replicas, surge, terminating } = capacity.pods;
      const quota = quotas["shop"];
      expect(quota?.pods).toBeGreaterThanOrEqual(replicas + surge + terminating);
      expect(quota?.requests.cpu).toBe((quota?.pods ?? 0) * stack.cpu);
    });
  });

  it("has a scale-out that only rises, never overtakes itself, and ends where the autoscaler does", () => {
    holding(({ scaleOut }, stack) => {
      const out = scaleOut["serverless-function"];
      const curve = out?.curve ?? [];
      expect(curve.length).toBeLessThanOrEqual(60);
      for (const [index, point] of curve.entries()) {
        const before = curve[index - 1] ?? { second: -1, desired: stack.min, created: stack.min, ready: stack.min };
        expect(point.second).toBeGreaterThan(before.second);
        expect(point.desired).toBeGreaterThanOrEqual(before.desired);
        expect(point.created).toBeGreaterThanOrEqual(before.created);
        expect(point.ready).toBeGreaterThanOrEqual(before.ready);
        expect(point.created).toBeLessThanOrEqual(point.desired);
        expect(point.ready).toBeLessThanOrEqual(point.created);
      }
      const last = curve[curve.length - 1];
      expect(last?.second).toBe(out?.secondsToMax);
      expect(last?.ready).toBeLessThanOrEqual(stack.max);
      // By CPU the autoscaler may stop within a tenth of what it wants.
      expect(last?.ready).toBeGreaterThanOrEqual(out?.drivenBy === "cpu" ? Math.floor(stack.max / 1.1) : stack.max);
      expect(out?.secondsToMaxControlPlaneOnly).toBeLessThanOrEqual(out?.secondsToMax ?? 0);
    });
  });

  it("still holds with more agents", () => {
    fc.assert(
      fc.property(stacks, fc.integer({ min: 1, max: 20 }), (stack, more) => {
        // 60 shares of a /22 fit podCidr's /16.
        fc.pre(stack.agents + more <= 60 && bringsRoom(stack) && heldPlan(configOf(stack)) !== undefined);
        expect(heldPlan(configOf({ ...stack, agents: stack.agents + more }))).toBeDefined();
      }),
      { numRuns: 100 },
    );
  });

  /** An agent also makes a rollout faster, so that more pods leave at once (each for 35 s): it must hold at least those. */
  function bringsRoom({ cores, memoryGi, cpu, memoryMi, system, startRate }: Stack): boolean {
    const pods = startRate * 35 + 2;
    return cores * 1000 - 500 - system * 50 > pods * cpu && (memoryGi - 2) * 1024 - system * 64 > pods * (memoryMi + 8);
  }

  it("is the same each time", () => {
    holding((plan, stack) => {
      expect(planStack(configOf(stack))).toEqual(plan);
    });
  });
});
