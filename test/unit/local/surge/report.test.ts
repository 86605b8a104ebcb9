import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import { modelOf } from "../../../../local/surge/model";
import { bucketsOf, chartsOf } from "../../../../local/surge/report/charts";
import { renderReport, WIDTHS } from "../../../../local/surge/report/page";
import { reportOf, writeReport } from "../../../../local/surge/report/write";
import type { SurgeRun } from "../../../../local/surge/run";
import { k3s, rawConfig } from "../../infra/support";
import { CONFIG, goodRun, realRun, runOf, scenarioOf } from "./support";

const plan = planStack(CONFIG);
/** What is written into every text that comes from the cluster. */
const HOSTILE = `</svg><script src="https://example.com/x.js">'&`;

const htmlOf = (run: SurgeRun) => renderReport(reportOf(run, CONFIG, plan));
const count = (html: string, pattern: RegExp) => [...html.matchAll(pattern)].length;
const rowsOf = (html: string) => [...html.matchAll(/<tr>(?:<td[^]*?)<\/tr>/g)].map(([row]) => row);

describe("the report of a run", () => {
  const run = goodRun();
  const html = htmlOf(run);

  it("has each drawing for wide screens, for middling and for narrow ones", () => {
    const charts = chartsOf(run);
    expect(charts.map(({ name }) => name)).toEqual(["load", "replicas", "scheduling-delay", "density"]);
    expect(count(html, /<svg /g)).toBe(3 * charts.length);
    for (const [size, width] of Object.entries(WIDTHS)) {
      expect(count(html, new RegExp(`<div class="${size}"><svg [^>]*viewBox="0 0 ${width} `, "g"))).toBe(charts.length);
    }
    for (const { title } of charts) expect(html).toContain(`aria-label="${title}"`);
  });

  it("says that it is of the control plane alone", () => {
    expect(html).toContain("Control plane only");
    expect(html).toContain("nodes and pods are simulated");
  });

  it("says by which metric it was, and who reads it", () => {
    const fn = { objectives: { availability: "99.9%" }, scaling: { metric: "rps" } };
    const config = parseConfig(rawConfig({ cluster: k3s(3, 10), functions: [fn] }));
    const byRequests = renderReport(
      reportOf(goodRun(100, { scenario: scenarioOf({}, config) }), config, planStack(config)),
    );
    expect(html).toContain("10 to 5,000 by CPU at 70% of the request");
    expect(html).toContain("autoscaler and metrics-server are real");
    expect(byRequests).toContain("10 to 5,000 by requests at 20/s each");
    expect(byRequests).toContain("those who count requests for it (Prometheus, KEDA) are real");
    expect(byRequests).not.toContain("metrics-server");
  });

  it("has verdict, milestones, cost with assumptions and every claim with how it was obtained", () => {
    const { verdict, cost, claims } = reportOf(run, CONFIG, plan);
    expect(html).toContain('<p class="verdict good">Held: reaches what the plan says (5,000 ready in 101 s)');
    const rows = rowsOf(html);
    const tables = [verdict.checks, verdict.milestones, cost.run, [cost.peak.platform, ...cost.peak.baselines], claims];
    expect(rows).toHaveLength(tables.flat().length);
    for (const text of cost.assumptions.map((line) => line.replaceAll("'", "&#39;"))) expect(html).toContain(text);
    const how = (name: string) => rows.filter((row) => row.includes(`>${name}</span></td>`)).length;
    expect([how("measured here"), how("computed"), how("not provable here")].every((rowCount) => rowCount > 5)).toBe(
      true,
    );
  });

  it("gives measured figures of this run, and no others", () => {
    const of = (text: string) =>
      rowsOf(htmlOf(text === "half" ? runOf(() => ({ ready: 2500 }), 2000) : run)).join("\n");
    expect(of("whole")).toContain("5,000 ready at once");
    expect(of("half")).toContain("2,500 ready at once");
    expect(of("half")).toMatch(/2,500 ready at most<.*>failed</);
  });

  it("draws the prediction where there is one", () => {
    expect(html).toContain("ready, as predicted");
    const slow = htmlOf(goodRun(100, { scenario: scenarioOf({ preset: "daily" }) }));
    expect(slow).not.toContain("ready, as predicted");
    expect(slow).toContain("This load climbs slowly");
  });

  it("has a cell for each node at each moment, fuller where there are more pods", () => {
    const density = chartsOf(runOf((second) => ({ ready: 10, onNodes: [second, 0] }), 20)).find(
      ({ name }) => name === "density",
    )!;
    const option = density.option("wide") as { series: { data: number[][] }[]; visualMap: { max: number } };
    expect(option.series[0]!.data).toHaveLength(2 * 11);
    expect(option.visualMap.max).toBe(20);
    expect(option.series[0]!.data.at(-2)).toEqual([10, 0, 20]);
  });

  it("has no id twice, and each that is referred to", () => {
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
    expect(new Set(ids).size).toBe(ids.length);
    const referred = [...html.matchAll(/(?:url\(|href=")#([^)"]+)/g)].map(([, id]) => id!);
    expect(referred.filter((id) => !ids.includes(id))).toEqual([]);
  });

  it("loads nothing and runs nothing, whatever the cluster's texts say", () => {
    const hostile = htmlOf({
      ...run,
      stack: HOSTILE,
      nodes: [HOSTILE, "b"],
      troubles: [{ second: 4, reason: HOSTILE }],
    });
    expect(hostile).toContain("&lt;/svg&gt;&lt;script src=");
    expect(hostile).not.toMatch(/<(?:script|link|img|iframe|image|use|object)\b/i);
    expect(hostile).not.toMatch(/(?:src|href)="(?!#)/);
    expect(hostile).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(count(hostile, /<\/svg>/g)).toBe(count(hostile, /<svg /g));
  });

  it("of a stopped run says so", () => {
    const stopped = runOf(() => ({ ready: 10 }), 10, { ending: "stopped", delays: [] });
    const page = htmlOf(stopped);
    expect(page).toContain("Stopped before its end");
    expect(page).toContain("no pod was seen to wait");
    expect(chartsOf(stopped).map(({ name }) => name)).not.toContain("scheduling-delay");
  });
});

describe("the report of a run with real pods", () => {
  const run = realRun();
  const html = htmlOf(run);
  const { claims, model, verdict } = reportOf(run, CONFIG, plan);

  it("says that requests were sent, and what the client saw", () => {
    expect(html).not.toContain("Control plane only");
    // What fails no run is told with the verdict all the same.
    expect(html).toMatch(/>Held: [^<]*Missed aims: serves every request \(503: 7/);
    expect(html).toMatch(/Real requests: .* as 10 users/);
    expect(chartsOf(run).map(({ name }) => name)).toEqual([
      "load",
      "replicas",
      "latency",
      "scheduling-delay",
      "pod-start",
      "density",
    ]);
    const figure = (claim: string) => claims.find((each) => each.claim === claim)!;
    expect(figure("latency P50, P99, P99.9")).toMatchObject({ how: "measured here", figure: "4.2, 18.5 and 44 ms" });
    expect(figure("requests/s").how).toBe("measured here");
    expect(figure("cold start of a pod").how).toBe("measured here");
    const check = (what: string) => verdict.checks.find((each) => each.what === what)!;
    expect(check("latency P99, scaled out")).toMatchObject({ met: true, binding: false });
    expect(check("serves every request")).toMatchObject({
      ...{ met: false, binding: false },
      found: "503: 7, ECONNRESET: 1, not sent: 40; 1,000/s at most",
    });
  });

  it("holds what the plan reckons with against what pods did", () => {
    // 5,000 pods at 7m each over 100,000 requests/s.
    expect(model[0]).toMatchObject({ plan: "400us", measured: "400us", off: "0%" });
    expect(model[1]).toMatchObject({ plan: "4.5" });
    expect(modelOf(goodRun(), CONFIG)).toEqual([]);
  });
});

it("counts every delay in one bucket", () => {
  const delays = [0, 1, 1.5, 12, 40_000];
  const buckets = bucketsOf(delays);
  expect(buckets.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(delays.length);
  expect(buckets.find(({ label }) => label === "≤ 2 ms")!.count).toBe(1);
  expect(buckets.at(-1)).toEqual({ label: "> 30 s", count: 1 });
  // Of what is empty, one before the first.
  expect(bucketsOf([3])).toEqual([
    { label: "≤ 2 ms", count: 0 },
    { label: "≤ 5 ms", count: 1 },
  ]);
});

it("has the last run of each other stack beside its own, in both reports", () => {
  const folder = mkdtempSync(join(tmpdir(), "surge-"));
  try {
    const write = (run: SurgeRun) => writeReport(folder, run, CONFIG, plan);
    const page = (stack: string) => readFileSync(join(folder, stack, "report.html"), "utf8");
    write(goodRun());
    expect(page("local")).not.toContain("Side by side");
    write(realRun());
    for (const [stack, other] of [
      ["local", "real"],
      ["real", "local"],
    ] as const) {
      expect(page(stack)).toContain("Side by side");
      expect(page(stack)).toContain(`<a href="../${other}/report.html">`);
      expect(rowsOf(page(stack)).filter((row) => row.includes("latency P99, scaled out"))).toEqual(
        expect.arrayContaining([expect.stringContaining("18.5 ms")]),
      );
    }
    // What another version wrote is left alone.
    writeFileSync(join(folder, "local", "surge.json"), JSON.stringify({ form: 0 }));
    write(realRun());
    expect(page("real")).not.toContain("Side by side");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("writes the page, its data and drawings that stand alone", () => {
  const folder = mkdtempSync(join(tmpdir(), "surge-"));
  try {
    const run = goodRun();
    const written = writeReport(folder, run, CONFIG, plan);
    expect(readdirSync(join(folder, "local")).sort()).toEqual([
      ...["density.svg", "load.svg", "replicas.svg", "report.html", "scheduling-delay.svg", "surge.json"],
    ]);
    const { run: kept } = JSON.parse(readFileSync(written.json, "utf8")) as { run: SurgeRun };
    expect(kept.samples).toEqual(run.samples);
    for (const path of written.drawings) {
      const svg = readFileSync(path, "utf8");
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" [^>]*viewBox="0 0 1040 /);
      expect(svg).toContain("--muted:");
      expect(svg.trimEnd().endsWith("</svg>")).toBe(true);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
