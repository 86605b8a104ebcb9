import { describe, expect, it } from "vitest";
import {
  DATA_SOURCES,
  dashboardQueries,
  dashboards,
  type DashboardsArgs,
} from "../../../../components/observability/dashboards";
import { KUBE_STATE_FAMILIES } from "../../../../components/observability/kube-state-metrics";
import { ruleGroups } from "../../../../components/observability/rules";
import { parseConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import { logLabels, metricNames } from "../../../support/promql";
import { k3s, rawConfig, type Raw } from "../../infra/support";

/** Two functions with objectives of their own, in two tenants. */
const TWO = {
  tenants: [{ name: "shop" }, { name: "bank" }],
  functions: [
    { name: "checkout", scaling: { max: 200 }, workload: { peakRequestsPerSecond: 1000 } },
    {
      name: "transfer",
      tenant: "bank",
      scaling: { max: 200 },
      workload: { peakRequestsPerSecond: 1000 },
      objectives: { p99: "30ms", p999: "80ms" },
    },
  ],
  routes: [
    { path: "/checkout", to: [{ function: "checkout" }] },
    { path: "/transfer", to: [{ function: "transfer" }] },
  ],
};

function watched(raw: Raw) {
  const config = parseConfig(rawConfig({ cluster: k3s(3, 10), ...TWO, ...raw }));
  const { functions, tenants, observability, gateway, authorization, routes, cluster } = config;
  const plan = planStack(config);
  return { functions, tenants, observability, gateway, authorization, routes, plan, clusterKind: cluster.kind };
}

function args(raw: Raw = {}, more: Partial<DashboardsArgs> = {}): DashboardsArgs {
  const given = watched(raw);
  return { ...given, etcd: given.clusterKind === "k3s", ...more };
}

/** What tests look at of a panel in the JSON that Grafana gets. */
interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: { readonly type: string; readonly uid: string };
  }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly thresholds?: { readonly steps: readonly { readonly value: number | null; readonly color: string }[] };
    };
  };
}

interface DashboardJson {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly PanelJson[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly links: readonly { readonly type: string; readonly tags: readonly string[] }[];
  readonly tags: readonly string[];
  readonly timezone: string;
  readonly refresh: string;
  readonly editable: boolean;
}

/** As they are after the way through a file. */
function rendered(given = args()): [string, DashboardJson][] {
  return Object.entries(JSON.parse(JSON.stringify(dashboards(given))) as Record<string, DashboardJson>);
}

/** Metrics that are asked for. */
function asked(given: DashboardsArgs): string[] {
  const queries = dashboardQueries(given).filter(({ kind }) => kind === "prometheus");
  return [...new Set(queries.flatMap(({ expr }) => metricNames(expr)))];
}

const panelsOf = (board: DashboardJson) => board.panels.filter(({ type }) => type !== "row");
const find = (name: string, title: string, given = args()) =>
  rendered(given)
    .find(([each]) => each === name)![1]
    .panels.find((panel) => panel.title === title)!;
const steps = (panel: PanelJson) => panel.fieldConfig!.defaults.thresholds!.steps;

describe("dashboards", () => {
  it("are these, by uids that stay", () => {
    expect(Object.fromEntries(rendered().map(([name, { uid, title }]) => [name, [uid, title]]))).toEqual({
      overview: ["wasm-overview", "Overview"],
      function: ["wasm-function", "Function"],
      gateway: ["wasm-gateway", "Gateway and authorization"],
      nodes: ["wasm-nodes", "Nodes and density"],
      "control-plane": ["wasm-control-plane", "Control plane"],
      logs: ["wasm-logs", "Logs"],
    });
  });

  it("are the same text for the same config", () => {
    expect(JSON.stringify(dashboards(args()))).toBe(JSON.stringify(dashboards(args())));
  });
});

describe.each(rendered())("dashboard %s", (_, board) => {
  it("is read-only, in the browser's time zone, as fresh as the scrapes, and linked to the others", () => {
    const { schemaVersion, timezone, refresh, editable, tags, links } = board;
    expect({ schemaVersion, timezone, refresh, editable, tags }).toEqual({
      // The classic model's last, which Grafana has had since 12.3 at the latest.
      schemaVersion: 42,
      timezone: "browser",
      refresh: "15s",
      editable: false,
      tags: ["wasm-functions"],
    });
    expect(links).toEqual([expect.objectContaining({ type: "dashboards", tags: ["wasm-functions"], keepTime: true })]);
  });

  it("numbers its panels, each once", () => {
    expect(board.panels.map(({ id }) => id)).toEqual(board.panels.map((_panel, index) => index + 1));
  });

  it("fills each line of the grid, and puts no panel over another", () => {
    const cells = board.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_cell, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of board.panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    const rows = new Set(cells.map((cell) => cell.split(",")[1]));
    expect(cells.length).toBe(rows.size * 24);
  });

  it("says of each panel what it shows, in which unit, from a source that there is", () => {
    const known = Object.values(DATA_SOURCES);
    for (const panel of panelsOf(board)) {
      expect(panel.description, panel.title).toMatch(/^[A-Z].{20,}\.$/);
      expect(known).toContainEqual(panel.datasource);
      expect(panel.targets!.length, panel.title).toBeGreaterThan(0);
      if (panel.type !== "logs") expect(panel.fieldConfig!.defaults.unit, panel.title).toBeTruthy();
      for (const target of panel.targets!) expect(target.datasource).toEqual(panel.datasource);
      const refs = panel.targets!.map(({ refId }) => refId);
      expect(new Set(refs).size).toBe(refs.length);
    }
  });

  it("names each panel once within its section", () => {
    const titles: string[] = [];
    let section = "";
    for (const { type, title } of board.panels) {
      if (type === "row") section = title;
      else titles.push(`${section}: ${title}`);
    }
    expect(new Set(titles).size).toBe(titles.length);
  });

  it("has thresholds that rise from a colour below them all", () => {
    for (const panel of panelsOf(board).filter(({ type }) => type !== "logs")) {
      const [base, ...others] = steps(panel).map(({ value }) => value);
      expect(base, panel.title).toBeNull();
      expect(others, panel.title).toEqual([...new Set(others)].sort((a, b) => a! - b!));
    }
  });

  it("uses the variables that it has, and no other", () => {
    const names = board.templating.list.map(({ name }) => name);
    const texts = [
      ...panelsOf(board).flatMap(({ targets }) => targets!.map(({ expr }) => expr)),
      ...board.templating.list.map(({ definition }) => definition ?? ""),
    ];
    const used = new Set(texts.flatMap((text) => [...text.matchAll(/\$(\w+)/g)].map(([, name]) => name!)));
    expect([...used].filter((name) => !name.startsWith("__")).sort()).toEqual([...names].sort());
  });
});

describe("queries", () => {
  it.each(["traefik", "kong"])("are all PromQL or LogQL, and short enough to be read, with %s", (kind) => {
    const queries = dashboardQueries(args({ gateway: { kind }, ...sharedBudgets }));
    expect(queries.length).toBeGreaterThan(100);
    for (const { expr, kind: language } of queries) {
      expect(language === "loki" ? logLabels(expr) : metricNames(expr)).not.toEqual([]);
      expect(expr).not.toContain("$");
      expect(expr.length, expr).toBeLessThanOrEqual(200);
    }
  });

  it("select lines by labels that collectors give", () => {
    const labels = dashboardQueries(args()).flatMap(({ expr, kind }) => (kind === "loki" ? logLabels(expr) : []));
    expect([...new Set(labels)].sort()).toEqual(["component", "function", "namespace"]);
  });

  it("have the first function in place of the variable, and rates over four scrapes", () => {
    const exprs = dashboardQueries(args({ observability: { scrapeInterval: "30s" } })).map(({ expr }) => expr);
    expect(exprs).toContain('function:requests:rate5m{function="checkout"}');
    expect(exprs).toContain('slo:objective:budget{function="checkout"}');
    expect(exprs).toContain("sum by (code) (rate(apiserver_request_total[2m]))");
  });

  it("have another function where it is asked for", () => {
    const exprs = dashboardQueries(args(), { function: "transfer", tenant: "bank" }).map(({ expr }) => expr);
    expect(exprs).toContain(
      'kube_horizontalpodautoscaler_spec_max_replicas{namespace="bank", horizontalpodautoscaler=~"transfer(-rps)?-hpa"}',
    );
    expect(exprs.join()).not.toContain("checkout");
  });

  it.each(["traefik", "kong"])("read series that rules make, with %s", (kind) => {
    const raw = { gateway: { kind }, observability: { tenantBudgets: { shop: "2" } } };
    const made = ruleGroups(watched(raw)).flatMap(({ rules }) =>
      rules.flatMap((rule) => ("record" in rule ? [rule.record] : [])),
    );
    const read = asked(args(raw)).filter((name) => name.includes(":"));
    expect(read.filter((name) => !made.includes(name))).toEqual([]);
    expect(read).toContain("slo:burned:ratio_rate3d");
  });

  it("ask kube-state-metrics for what is kept of it", () => {
    const kept = KUBE_STATE_FAMILIES.map((family) => new RegExp(`^${family}$`));
    const read = asked(args()).filter((name) => name.startsWith("kube_"));
    expect(read.filter((name) => !kept.some((family) => family.test(name)))).toEqual([]);
    expect(read).toContain("kube_pod_status_phase");
  });

  it("ask the gateway that there is", () => {
    const metrics = (kind: string) =>
      asked(args({ gateway: { kind } })).filter((name) => /^(traefik|kong)_/.test(name));
    expect(new Set(metrics("traefik").map((name) => name.split("_")[0]))).toEqual(new Set(["traefik"]));
    expect(new Set(metrics("kong").map((name) => name.split("_")[0]))).toEqual(new Set(["kong"]));
  });

  it("show tenants' budgets where there are any", () => {
    const exprs = (raw: Raw) => dashboardQueries(args(raw)).map(({ expr }) => expr);
    expect(exprs({})).not.toContain("tenant:cpu_cores:budget");
    expect(exprs({ observability: { tenantBudgets: { shop: "2" } } })).toContain("tenant:cpu_cores:budget");
  });

  it("ask for etcd and for a shared store of budgets only where they are", () => {
    const names = (given: DashboardsArgs) =>
      dashboardQueries(given)
        .map(({ expr }) => expr)
        .join();
    expect(names(args())).toContain("etcd_server_has_leader");
    expect(names(args({}, { etcd: false }))).not.toContain("etcd_server_has_leader");
    expect(names(args())).not.toContain("authorizer_store");
    expect(names(args(sharedBudgets))).toContain("authorizer_store_failures_total");
  });
});

const sharedBudgets = {
  authorization: { budgets: { kind: "shared", host: "valkey.example.com", port: 6380, addresses: ["10.9.0.0/24"] } },
  budgetStore: { password: "<secret>" },
};

describe("thresholds", () => {
  it("are each function's objectives, the strictest in orange and the last in red", () => {
    expect(steps(find("overview", "Latency P99"))).toEqual([
      { value: null, color: "green" },
      { value: 0.02, color: "orange" },
      { value: 0.03, color: "red" },
    ]);
    expect(steps(find("overview", "Latency P99.9")).map(({ value }) => value)).toEqual([null, 0.05, 0.08]);
    expect(steps(find("overview", "Errors by function")).map(({ value }) => value)).toEqual([null, 0.0001]);
  });

  it("come from the plan where it sets bounds", () => {
    const given = args();
    const { plan } = given;
    expect(steps(find("overview", "Replicas", given)).at(-1)!.value).toBe(plan.capacity.pods.replicas);
    expect(steps(find("nodes", "Pods running", given)).at(-1)!.value).toBe(plan.topology.maxPodsPerAgent);
    expect(steps(find("gateway", "Tokens remembered", given)).at(-1)!.value).toBe(plan.requestPath.remembered);
    expect(steps(find("control-plane", "Series", given)).at(-1)!.value).toBe(plan.observability.series);
    expect(steps(find("logs", "Volume by namespace", given)).at(-1)!.value).toBe(
      plan.observability.logs.bytesPerDay / 86_400,
    );
  });

  it("are the factors of burn rates, over all their windows", () => {
    const panel = find("function", "Burn of P99");
    expect(steps(panel).map(({ value }) => value)).toEqual([null, 1, 3, 6, 14.4]);
    expect(panel.targets!.map(({ expr }) => /rate(\w+?)\{/.exec(expr)![1])).toEqual([
      "5m",
      "30m",
      "1h",
      "2h",
      "6h",
      "1d",
      "3d",
    ]);
  });
});
