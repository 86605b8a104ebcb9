import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_IMAGES } from "../../infra/versions";
import { eventually } from "../support/local-stack";
import { CANNOT_RUN, FUNCTION, NAMESPACE, RealStack, type SteadyLoad } from "../support/real-stack";
import { metricNames } from "../support/promql";
import { asked, askedMetrics, RECEIVER_NAMESPACE, RECEIVER_PORT, RECEIVER_URL, Watching } from "../support/watching";

const USERS = 10;
/** Requests/s; each takes 50 ms, as its query asks. */
const RATE = 40;
const PATH = "/api/function?delay=50";

/** Everything that watches, in pods, and what it sees of a function that really runs. */
describe.skipIf(CANNOT_RUN)("a watched stack on a real node", () => {
  const stack = new RealStack({ watched: true, guarded: true });
  const watching = new Watching(stack);
  let tokens: string[];
  let load: SteadyLoad;

  beforeAll(async () => {
    stack.configure("observability", { ...(stack.section("observability") as object), ...QUICK }, "real");
    // What is asked takes 50 ms, and is not what this objective is about.
    stack.configureFunction({ objectives: { p99: "200ms", p999: "400ms" } });
    const exemptNamespaces = ["kube-system", "kube-public", "kube-node-lease", RECEIVER_NAMESPACE];
    stack.configure("admission", { ...(stack.section("admission") as object), exemptNamespaces }, "real");
    await stack.ok("up", "real");
    tokens = await Promise.all(Array.from({ length: USERS }, (_, user) => stack.token(`user-${user}`)));
    await watching.startReceiver();
    load = await stack.gatewayLoad(PATH, RATE, tokens);
  });
  afterAll(() => stack.end());

  it("is scraped in all its parts", async () => {
    const targets = await eventually(
      60,
      "every target answers",
      () => watching.targets(),
      (found) => found.length > 0 && found.every(({ health }) => health === "up"),
    );
    expect([...new Set(targets.map(({ labels }) => labels["job"]))].sort()).toEqual(JOBS);
  });

  it("shows its load in the recorded rules", async () => {
    const rate = await eventually(
      60,
      "requests are recorded",
      () => watching.query(`function:requests:rate5m{function="${FUNCTION}", tenant="${NAMESPACE}"}`),
      // Of five minutes, of which some seconds had any.
      ([found]) => Number(found?.value[1] ?? 0) > RATE / 10,
    );
    expect(Number(rate[0]?.value[1])).toBeLessThan(RATE * 1.5);
    const [p50] = await watching.query(`function:latency_seconds:p50_5m{function="${FUNCTION}"}`);
    expect(Number(p50?.value[1])).toBeGreaterThan(0.03);
    const burned = await watching.query(
      `{__name__=~"slo:burned:.*", function="${FUNCTION}", objective="availability"}`,
    );
    expect(burned.map(({ value }) => Number(value[1]))).toEqual(burned.map(() => 0));
    expect(burned.length).toBeGreaterThan(0);
  });

  it("has as many series of a function's pod as the plan reckons with", async () => {
    const counted = await watching.query(`count by (pod) ({namespace="${NAMESPACE}", pod=~"${FUNCTION}-.+"})`);
    expect(counted.length).toBeGreaterThan(0);
    // SERIES_PER_POD of infra/plan/observability.ts.
    for (const { value } of counted) expect(Number(value[1])).toBeLessThanOrEqual(28);
  });

  it("has every metric that a rule or a dashboard asks for", async () => {
    const needed = askedMetrics(asked(stack));
    expect(needed.size).toBeGreaterThan(100);
    const there = await watching.metrics();
    const missing = [...needed].filter(
      ([name]) => !there.has(name) && !matches(NOT_HERE, name) && !matches(OF_FAULTS, name),
    );
    expect(missing).toEqual([]);
    // What is said not to be here has to be missing, or the test would look away.
    expect([...needed.keys()].filter((name) => matches(NOT_HERE, name) && there.has(name))).toEqual([]);
  });

  it("answers every query of its dashboards", async () => {
    const empty: string[] = [];
    for (const { dashboard, panel, expr, kind } of asked(stack).dashboards) {
      if (
        kind === "prometheus" &&
        metricNames(expr).some((name) => matches(NOT_HERE, name) || matches(OF_FAULTS, name))
      )
        continue;
      const found = kind === "prometheus" ? await watching.query(expr) : await watching.logs(expr);
      if (found.length === 0) empty.push(`${dashboard}: ${panel}: ${expr}`);
    }
    expect(empty).toEqual([]);
  });

  it("tells whom it concerns that a bad release burns the budget, and that it is over", async () => {
    // Each of its pods is asked for two at once half of the time, and refuses the second.
    stack.configureFunction({ maxConcurrentRequests: 1 });
    await stack.ok("up", "real");
    const alert = await watching.heard("AvailabilityBudgetBurn", "firing", 120);
    expect(alert.labels).toMatchObject({ function: FUNCTION, tenant: NAMESPACE, severity: "page" });
    expect(alert.annotations["summary"]).toContain(FUNCTION);
    expect(alert.annotations["runbook_url"]).toBe("docs/runbooks.md#availabilitybudgetburn");
    stack.configureFunction({ maxConcurrentRequests: 1000 });
    await stack.ok("up", "real");
    await watching.heard("AvailabilityBudgetBurn", "resolved", 300);
    // Nobody else was woken for it.
    const woken = (await watching.notified()).filter(({ labels }) => labels["severity"] === "page");
    expect([...new Set(woken.map(({ labels }) => labels["alertname"]))]).toEqual(["AvailabilityBudgetBurn"]);
  }, 900_000);

  it("keeps what a function writes, by its namespace, pod and name", async () => {
    const lines = await eventually(
      60,
      "lines of the function are in Loki",
      () => watching.logs(`{namespace="${NAMESPACE}", function="${FUNCTION}"} |= \`"event":"started"\``),
      (found) => found.length > 0,
    );
    const pods = await stack.pods();
    expect(lines.map(({ labels }) => labels["pod"])).toEqual(
      expect.arrayContaining(pods.map(({ metadata }) => metadata.name)),
    );
    for (const { labels, text } of lines) {
      expect(labels).toMatchObject({ namespace: NAMESPACE, function: FUNCTION, component: "function" });
      expect(JSON.parse(text)).toMatchObject({ event: "started" });
    }
  });

  it("loses no line and doubles none while Loki is cut off and the collector is killed", async () => {
    await load.stop();
    await startWriter();
    await cutOff(true);
    await pause(30);
    await stack.kubectl(["delete", "pod", "-n", "monitoring-hosts", "-l", COLLECTOR, "--force", "--grace-period=0"]);
    await pause(30);
    await cutOff(false);
    await stack.kubectl([
      "wait",
      "--for=jsonpath={.status.phase}=Succeeded",
      "pod/writer",
      "-n",
      "on-call",
      "--timeout=120s",
    ]);
    const numbers = () =>
      watching.logs('{namespace="on-call", component="writer"}').then((lines) => lines.map(({ text }) => Number(text)));
    const found = await eventually(90, "every line is in Loki", numbers, (all) => new Set(all).size >= LINES);
    expect([...new Set(found)].sort((a, b) => a - b)).toEqual(Array.from({ length: LINES }, (_, line) => line));
    expect(found).toHaveLength(LINES);
  });

  const pause = (seconds: number) => new Promise((done) => setTimeout(done, seconds * 1000));

  /** A pod that writes numbers, one after the other, as long as the test disturbs what collects them. */
  async function startWriter(): Promise<void> {
    const script = `let n = 0; const t = setInterval(() => { console.log(n++); if (n === ${LINES}) clearInterval(t); }, 20)`;
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "writer", namespace: "on-call" },
      spec: {
        restartPolicy: "Never",
        automountServiceAccountToken: false,
        containers: [{ name: "writer", image: DEFAULT_IMAGES.node, command: ["node", "-e", script] }],
      },
    };
    await stack.kubectl(["apply", "-f", "-"], { input: JSON.stringify(pod) });
    await stack.kubectl(["wait", "--for=condition=Ready", "pod/writer", "-n", "on-call", "--timeout=60s"]);
  }

  /** Whether Loki lets nobody in: connections that stand go on to hang. */
  async function cutOff(off: boolean): Promise<void> {
    const patch = off ? [{ op: "remove", path: "/spec/ingress/0" }] : undefined;
    if (patch) {
      const args = ["patch", "networkpolicy", "loki-from-clients", "-n", "monitoring", "--type=json", "-p"];
      ingress = (await stack.get("networkpolicy", "loki-from-clients", "-n", "monitoring")).spec["ingress"];
      await stack.kubectl([...args, JSON.stringify(patch)]);
    } else {
      const merge = JSON.stringify({ spec: { ingress } });
      await stack.kubectl([
        "patch",
        "networkpolicy",
        "loki-from-clients",
        "-n",
        "monitoring",
        "--type=merge",
        "-p",
        merge,
      ]);
    }
  }
  let ingress: unknown;
});

/** Windows of minutes in the place of hours, and somebody who is told. */
const QUICK = {
  scrapeInterval: "5s",
  objectiveWindow: "1h",
  burnRates: [{ factor: 14.4, long: "40s", short: "20s", severity: "page" }],
  receivers: [{ name: "on-call", url: RECEIVER_URL, port: RECEIVER_PORT, addresses: ["10.142.0.0/16"] }],
};

const JOBS = [
  "alertmanager",
  "apiserver",
  "authorizer",
  "cadvisor",
  "collector",
  "controller-manager",
  "gatekeeper",
  "gateway",
  "kube-state-metrics",
  "kubelet",
  "loki",
  "node-exporter",
  "prometheus",
  "resources",
  "scheduler",
];

/** Numbers that the writer writes, 50 each second. */
const LINES = 4000;
const COLLECTOR = "app.kubernetes.io/component=log-collector";

/** Metrics that this stack does not have, by the reason. */
const NOT_HERE: Readonly<Record<string, RegExp>> = {
  "etcd's own are not scraped here: it would tell everybody everything": /^etcd_(?:server|disk|mvcc)_/,
  "no volume is claimed": /^kubelet_volume_stats_/,
  "the gateway makes its certificate itself, and tells nothing of it": /^traefik_tls_certs_not_after$/,
};
/** Metrics that begin with what they are about; those of logs are seen by test/engine/logs.test.ts. */
const OF_FAULTS: Readonly<Record<string, RegExp>> = {
  "a pod that leaves": /^kube_pod_deletion_timestamp$/,
  "a container that does not come up": /^kube_pod_container_status_waiting_reason$/,
  "lines that are not taken":
    /^(?:otelcol_exporter_(?:enqueue|send)_failed_log_records_total|loki_discarded_samples_total)$/,
  "an alert that fires": /^ALERTS$/,
  "an object that is refused, or let in unseen": /^apiserver_admission_webhook_(?:rejection|fail_open)_count$/,
};
const matches = (reasons: Readonly<Record<string, RegExp>>, name: string) =>
  Object.values(reasons).some((pattern) => pattern.test(name));
