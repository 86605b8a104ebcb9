import type { RulesArgs } from "../../components/observability/rules";
import { parseConfig } from "../../infra/config";
import { planStack } from "../../infra/plan";
import { k3s, type Raw } from "../unit/infra/support";

/** Raw configs that rules are tested of: one with all that has rules, and what differs by the config. */
const STACKS = {
  /** Traefik, two of all that watches, budgets in a store, a tenant with a budget. */
  reference: {},
  kong: {
    gateway: { kind: "kong" },
    functions: [
      {
        name: "checkout",
        scaling: { max: 100 },
        workload: { peakRequestsPerSecond: 1000 },
        objectives: { p99: "20ms", p999: "90s" },
      },
      { name: "checkout-next", scaling: { max: 100 }, workload: { peakRequestsPerSecond: 1000 } },
    ],
    routes: [
      { path: "/checkout", to: [{ function: "checkout" }] },
      {
        path: "/split",
        to: [
          { function: "checkout", weight: 90 },
          { function: "checkout-next", weight: 10 },
        ],
      },
    ],
  },
  /** One function that a route is split to, and one that has its route to itself. */
  split: {
    functions: ["checkout", "checkout-next", "cart"].map((name) => ({
      name,
      scaling: { max: 100 },
      workload: { peakRequestsPerSecond: 1000 },
    })),
    routes: [
      { path: "/checkout", to: [{ function: "checkout" }] },
      {
        path: "/split",
        to: [
          { function: "checkout", weight: 90 },
          { function: "checkout-next", weight: 10 },
        ],
      },
      { path: "/cart", to: [{ function: "cart" }] },
    ],
  },
  /** Windows of a test that has minutes: the same rules by other numbers. */
  scaled: {
    observability: {
      scrapeInterval: "5s",
      objectiveWindow: "10m",
      burnRates: [{ factor: 10, long: "1m", short: "20s", severity: "page" }],
    },
  },
  /** One of all, nothing agreed: what is for several, or for what is not there, has no rules. On nodes that are bought by need. */
  plain: {
    cluster: { kind: "existing", kubeconfig: "kubeconfig.yaml" },
    functions: [{ name: "checkout", scaling: { buffer: 5 } }],
  },
} as const satisfies Record<string, Raw>;

export type StackName = keyof typeof STACKS;

export const STACK_NAMES = Object.keys(STACKS) as StackName[];

const EVERYTHING: Raw = {
  observability: { metrics: { replicas: 2 }, tenantBudgets: { shop: "100" } },
  authorization: { budgets: { kind: "shared", host: "valkey.example.com", addresses: ["10.9.0.0/24"] } },
};

/** What `ruleGroups` is given for a stack. */
export function rulesArgs(name: StackName): RulesArgs {
  return rulesArgsOf({ ...(name === "plain" ? {} : EVERYTHING), ...STACKS[name] });
}

export function rulesArgsOf(raw: Raw): RulesArgs {
  const needed = raw["authorization"] === undefined ? {} : { budgetStore: { password: "<secret>" } };
  const config = parseConfig({ cluster: k3s(3, 10), functions: [{ name: "checkout" }], ...needed, ...raw });
  return { ...config, plan: planStack(config) };
}
