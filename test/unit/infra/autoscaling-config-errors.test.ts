import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../infra/config";
import { k3s, planOf, problemsOf, rawConfig, withFunction, type Raw } from "./support";

const PATH = "functions.checkout.scaling";

/** A function that is scaled by requests, of which nobody promises more than a stack without pods can keep. */
function byRequests(scaling: Raw = {}, overrides: Raw = {}): Raw {
  const objectives = { availability: "99.9%" };
  return withFunction({ objectives, scaling: { metric: "rps", ...scaling } }, overrides);
}

const cluster = { kind: "existing", kubeconfig: "kubeconfig.yaml", agents: 10 };
const processes = { kind: "processes", port: 20_001, caFile: "ca.crt", prometheus: "http://127.0.0.1:20002" };

it("scales by CPU, unless told otherwise", () => {
  const [fn] = parseConfig(rawConfig()).functions;
  expect(fn?.scaling).toMatchObject({
    metric: "cpu",
    min: 10,
    activation: 0,
    cooldown: 300_000,
    pollingInterval: 15_000,
  });
});

it("goes to no pods where that is asked for, by requests", () => {
  const scaling = { min: 0, activation: 0.5, cooldown: "2m", pollingInterval: "5s" };
  expect(parseConfig(byRequests(scaling)).functions[0]?.scaling).toMatchObject({
    ...{ min: 0, activation: 0.5, cooldown: 120_000, pollingInterval: 5000 },
  });
});

const SALE = { start: "45 7 * * FRI", end: "0 12 * * FRI", replicas: 4000 };

it("has pods ready before a known sale where that is asked for, in its time zone", () => {
  const found = parseConfig(byRequests({ prewarm: [SALE, { ...SALE, timezone: "Europe/Berlin" }] })).functions[0];
  expect(found?.scaling.prewarm).toEqual([
    { ...SALE, timezone: "UTC" },
    { ...SALE, timezone: "Europe/Berlin" },
  ]);
});

const CRON =
  'must be five fields of cron: minute, hour, day of the month, month, day of the week (0 to 6, or SUN to SAT); for example "45 7 * * FRI", each Friday at 7:45';

describe("refuses", () => {
  it.each<readonly [behaviour: string, raw: Raw, problem: string]>([
    [
      "an unknown metric",
      withFunction({ scaling: { metric: "rqs" } }),
      `${PATH}.metric: "rqs": must be one of cpu, rps; did you mean rps?`,
    ],
    [
      "pods that keep room on hosts that are fixed",
      withFunction({ scaling: { buffer: 5 } }, { cluster: k3s(3, 10) }),
      `${PATH}.buffer: 5: this stack's hosts are fixed and sized for max: there is no node that could come sooner; drop it`,
    ],
    [
      "more room than a function can take",
      withFunction({ scaling: { buffer: 5001 } }),
      `${PATH}.buffer: 5001: is above max 5000: more room than the function can ever take; lower it`,
    ],
    [
      "pods that keep room under another function's name",
      rawConfig({
        functions: ["checkout", "checkout-buffer"].map((name) => ({
          name,
          scaling: { max: 200, buffer: name === "checkout" ? 5 : 0 },
          workload: { peakRequestsPerSecond: 1000 },
        })),
      }),
      `${PATH}.buffer: 5: its pods' Deployment would be checkout-buffer, which is a function; rename that function`,
    ],
    [
      "pods that keep room under a name that is too long",
      rawConfig({ functions: [{ name: "c".repeat(40), scaling: { buffer: 5 } }] }),
      `functions.${"c".repeat(40)}.scaling.buffer: 5: its pods' Deployment would be ${"c".repeat(40)}-buffer, of more than 46 characters, after which pods' names are cut; shorten the function's name`,
    ],
    [
      "no pods by CPU",
      withFunction({ scaling: { min: 0 } }),
      `${PATH}.min: 0: by CPU nothing asks for the first pod: where none is, none uses any; use 1 or more, or metric: rps`,
    ],
    [
      "no pods beside an objective of 99.99 %",
      withFunction({ scaling: { metric: "rps", min: 0 } }),
      `${PATH}.min: 0: objectives.availability is 99.99%, and until the first pod is ready, half a minute to a minute, requests are answered with 503; use 1 or more, or promise less: objectives.availability "99.9%"`,
    ],
    [
      "an activation where there are always pods",
      byRequests({ activation: 5 }),
      `${PATH}.activation: 5/s: is about a function that may have no pods; drop it, or set metric: rps and min: 0`,
    ],
    [
      "a cool-down by CPU",
      withFunction({ scaling: { cooldown: "2m" } }),
      `${PATH}.cooldown: 2m: is about a function that may have no pods; drop it, or set metric: rps and min: 0`,
    ],
    [
      "a polling interval by CPU",
      withFunction({ scaling: { pollingInterval: "5s" } }),
      `${PATH}.pollingInterval: 5s: is about scaling by requests; drop it, or set metric: rps`,
    ],
    [
      "a sale by CPU",
      withFunction({ scaling: { prewarm: [SALE] } }),
      `${PATH}.prewarm: 1 of them: is kept by KEDA, which scales by requests; set metric: rps; or raise min before the sale, and lower it after`,
    ],
    [
      "a time of six fields",
      byRequests({ prewarm: [{ ...SALE, start: "0 45 7 * * FRI" }] }),
      `${PATH}.prewarm[0].start: "0 45 7 * * FRI": ${CRON}`,
    ],
    [
      "a time that never comes",
      byRequests({ prewarm: [{ ...SALE, start: "45 24 * * FRI" }] }),
      `${PATH}.prewarm[0].start: "45 24 * * FRI": ${CRON}`,
    ],
    [
      "a seventh day, which KEDA does not know",
      byRequests({ prewarm: [{ ...SALE, start: "45 7 * * 7" }] }),
      `${PATH}.prewarm[0].start: "45 7 * * 7": ${CRON}`,
    ],
    [
      "the last day of a month, which KEDA does not know",
      byRequests({ prewarm: [{ ...SALE, start: "0 0 L * *" }] }),
      `${PATH}.prewarm[0].start: "0 0 L * *": ${CRON}`,
    ],
    [
      "any minute, which KEDA does not know",
      byRequests({ prewarm: [{ ...SALE, start: "H 7 * * FRI" }] }),
      `${PATH}.prewarm[0].start: "H 7 * * FRI": ${CRON}`,
    ],
    [
      "a place that is spelt another way, of which KEDA finds no file",
      byRequests({ prewarm: [{ ...SALE, timezone: "europe/berlin" }] }),
      `${PATH}.prewarm[0].timezone: "europe/berlin": is no time zone; use a name of the IANA database as it is spelt there: "Europe/Berlin"`,
    ],
    [
      "parts of a second of what is about another function, once",
      withFunction({ scaling: { cooldown: "1500ms" } }),
      `${PATH}.cooldown: 1500ms: is about a function that may have no pods; drop it, or set metric: rps and min: 0`,
    ],
    [
      "a place of no known time",
      byRequests({ prewarm: [{ ...SALE, timezone: "Berlin" }] }),
      `${PATH}.prewarm[0].timezone: "Berlin": is no time zone; use a name of the IANA database as it is spelt there: "Europe/Berlin"`,
    ],
    [
      "a sale that ends when it starts",
      byRequests({ prewarm: [{ ...SALE, end: SALE.start }] }),
      `${PATH}.prewarm[0].end: 45 7 * * FRI: is when it starts; let it end later`,
    ],
    [
      "more pods than there may be",
      byRequests({ max: 3999, prewarm: [SALE] }),
      `${PATH}.prewarm[0].replicas: 4000: is above max 3999; lower it or raise max`,
    ],
    [
      "no more pods than there always are",
      byRequests({ prewarm: [{ ...SALE, replicas: 10 }] }),
      `${PATH}.prewarm[0].replicas: 10: is not above min 10, which is always there; raise it, or drop this window`,
    ],
    [
      "less than the autoscaler can count",
      byRequests({ requestsPerPod: 0.0001 }),
      `${PATH}.requestsPerPod: 0.0001: the autoscaler counts thousandths of a request; use 0.001 or more`,
    ],
    [
      "parts of seconds",
      byRequests({ pollingInterval: "1500ms" }),
      `${PATH}.pollingInterval: 1500ms: KEDA takes whole seconds; this program from 1s to 1h; for example "30s"`,
    ],
    [
      "requests that nobody counts",
      byRequests({}, { observability: { enabled: false } }),
      `${PATH}.metric: rps: observability.enabled is false, and its Prometheus is who counts requests; enable observability, or use metric: cpu`,
    ],
    [
      "a function without a route",
      rawConfig({ functions: [{}, { name: "checkout", scaling: { metric: "rps" } }] }),
      `${PATH}.metric: rps: no route leads to it, so that the gateway counts no requests of it; add a route, or use metric: cpu`,
    ],
    [
      "no pods on a split route",
      splitRoute({ min: 0 }),
      `${PATH}.min: 0: a route is split between it and others: the gateway counts requests of its pods, and without any sees none; use 1 or more, or give it routes of its own`,
    ],
    [
      "a split route that Kong counts",
      splitRoute({}, { gateway: { kind: "kong" } }),
      `${PATH}.metric: rps: Kong counts requests by route, and cannot tell whose those of a split one are; give it routes of its own, use Traefik, or metric: cpu`,
    ],
    [
      "KEDA's namespace for somebody else",
      byRequests({}, { observability: { namespace: "keda" } }),
      "observability.namespace: keda: is KEDA's namespace; use another name",
    ],
    [
      "KEDA nowhere",
      byRequests({}, { autoscaling: { keda: { kind: "helm" } } }),
      'autoscaling.keda.kind: "helm": must say where KEDA runs: pods, or processes (beside a control plane whose nodes are simulated); set kind: pods, or kind: processes with port, caFile and prometheus',
    ],
    [
      "a Prometheus of somebody else's",
      byRequests({}, { autoscaling: { keda: { ...processes, prometheus: "http://prometheus.example.com" } } }),
      'autoscaling.keda.prometheus: "http://prometheus.example.com": must be an http URL on loopback; for example "http://127.0.0.1:9090"',
    ],
    [
      "KEDA beside a cluster whose pods run",
      byRequests({}, { autoscaling: { keda: processes } }),
      "autoscaling.keda.kind: processes: pods run in this cluster, and KEDA in them; use kind: pods",
    ],
    [
      "KEDA in pods that are simulated",
      byRequests({}, { cluster: { ...cluster, embedded: "simulated-nodes" } }),
      "autoscaling.keda.kind: pods: nothing runs in simulated pods; use kind: processes, as Pulumi.local.yaml does",
    ],
    [
      "KEDA on a node of this machine",
      byRequests({}, { cluster: { ...cluster, embedded: "wasm-node" } }),
      "autoscaling.keda.kind: pods: no images of KEDA are put together for a node on this machine; use metric: cpu for its functions",
    ],
  ])("%s", (_behaviour, raw, problem) => {
    expect(problemsOf(() => parseConfig(raw))).toEqual([problem]);
  });

  it("more requests of a pod than its CPU serves, in the plan", () => {
    expect(problemsOf(() => planOf(byRequests({ requestsPerPod: 600 })))).toContain(
      `${PATH}.requestsPerPod: 600: a pod at its limit of 100m serves 555.6/s: it is overloaded before another one comes; lower it, or raise resources.limits.cpu`,
    );
  });
});

it("needs no Prometheus of the stack's where KEDA and it are processes beside simulated nodes", () => {
  const simulated = { ...cluster, embedded: "simulated-nodes" };
  const raw = byRequests(
    {},
    { cluster: simulated, observability: { enabled: false }, autoscaling: { keda: processes } },
  );
  expect(parseConfig(raw).autoscaling.keda).toEqual(processes);
});

function splitRoute(scaling: Raw, overrides: Raw = {}): Raw {
  const objectives = { availability: "99.9%" };
  return rawConfig({
    functions: [{ name: "checkout", objectives, scaling: { metric: "rps", ...scaling } }, { name: "next" }],
    routes: [
      {
        to: [
          { function: "checkout", weight: 90 },
          { function: "next", weight: 10 },
        ],
      },
    ],
    ...overrides,
  });
}
