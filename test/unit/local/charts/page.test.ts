import { describe, expect, it } from "vitest";
import type { PlainPanel } from "../../../../components/observability/dashboards";
import { parseConfig } from "../../../../infra/config";
import type { Answer, Query, Series } from "../../../../local/charts/ask";
import { answer, boardsOf } from "../../../../local/charts/command";
import { current, judged } from "../../../../local/charts/draw";
import { renderPage, type AnsweredDashboard } from "../../../../local/charts/page";
import { rangeOf, timesOf } from "../../../../local/charts/range";
import { silentProgress } from "../../../../local/progress";
import { k3s, rawConfig } from "../../infra/support";

const RANGE = rangeOf(Date.UTC(2026, 0, 2, 3, 4), 900_000);
const TIMES = timesOf(RANGE);
/** What is written into every text that comes from the cluster. */
const HOSTILE = `</svg><script src="https://example.com/x.js">'&`;

function panel(more: Partial<PlainPanel> = {}): PlainPanel {
  return {
    title: "Requests",
    description: "Requests/s of all functions.",
    ...{ type: "timeseries", unit: "reqps", stacked: false, min: 0, max: undefined },
    steps: [
      { value: null, color: "green" },
      { value: 5, color: "red" },
    ],
    queries: [{ expr: 'sum(rate(x{a="b"}[1m]))', legend: "{{function}}", kind: "prometheus" }],
    ...more,
  };
}

const series = (name: string, of: (index: number) => number | undefined = (index) => index): Series => ({
  name,
  values: TIMES.map((_, index) => of(index)),
});
const answered = (...all: Series[]): Answer => ({ series: all, lines: [] });

function page(...panels: AnsweredDashboard["sections"][number]["panels"]): string {
  const dashboards = [{ title: "Overview", description: "All.", sections: [{ title: "Traffic", panels }] }];
  return renderPage({ stack: "real", range: RANGE, dashboards, notes: [] });
}

const count = (html: string, pattern: RegExp) => [...html.matchAll(pattern)].length;
const ids = (html: string) => [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);

describe("a panel", () => {
  it("is one SVG, with title, description, legend, last values and its query", () => {
    const html = page({
      panel: panel(),
      answers: [
        answered(
          series("checkout"),
          series("transfer", () => 0.5),
        ),
      ],
    });
    expect(count(html, /<svg /g)).toBe(1);
    expect(html).toContain("<h4>Requests</h4>");
    expect(html).toContain("Requests/s of all functions.");
    expect(html).toContain(`checkout <b>${TIMES.length - 1} req/s</b>`);
    expect(html).toContain("transfer <b>0.5 req/s</b>");
    expect(html).toContain("<code>sum(rate(x{a=&quot;b&quot;}[1m]))</code>");
    expect(html).not.toContain("no data");
  });

  it("goes up where its values do, and breaks where there are none", () => {
    const path = (of: (index: number) => number | undefined) => {
      const html = page({ panel: panel({ steps: [] }), answers: [answered(series("a", of))] });
      // The line itself: the only path of its width.
      return /<path d="([^"]+)"[^>]*stroke="#3b82f6"[^>]*stroke-width="1.5"/.exec(html)![1]!;
    };
    const ends = [...path((index) => index).matchAll(/[ML]?([\d.]+) ([\d.]+)/g)].map(([, , y]) => Number(y));
    expect(ends.at(-1)).toBeLessThan(ends[0]! - 100);
    const whole = (text: string) => text.split("M").length - 1;
    expect(whole(path((index) => index))).toBe(1);
    expect(whole(path((index) => (index > 80 && index < 100 ? undefined : index)))).toBe(2);
  });

  it("has a threshold as a line where the axis reaches it", () => {
    const dashed = (most: number) =>
      count(page({ panel: panel(), answers: [answered(series("a", () => most))] }), /stroke="#ef4444"/g);
    expect([dashed(8), dashed(1)]).toEqual([1, 0]);
  });

  it("without data says so, and what was asked", () => {
    const html = page({ panel: panel(), answers: [answered()] });
    expect(html).toContain("no data");
    expect(html).toContain("<code>sum(rate(x{a=&quot;b&quot;}[1m]))</code>");
    expect(count(html, /<svg /g)).toBe(0);
  });

  it("tells why a query was refused", () => {
    const html = page({ panel: panel(), answers: [{ ...answered(), problem: "parse error <here>" }] });
    expect(html).toContain('<p class="problem">parse error &lt;here&gt;</p>');
    expect(html).not.toContain("no data");
  });

  it("of a single figure shows the last value in the colour of its step", () => {
    const html = page({ panel: panel({ type: "stat" }), answers: [answered(series("a", () => 7))] });
    expect(html).toContain('<p class="figure" style="color:#ef4444">7 req/s</p>');
    expect(html).toContain("<svg ");
  });

  it("of bars has a name and a value at each", () => {
    const html = page({
      panel: panel({ type: "bargauge", unit: "percentunit", max: 1 }),
      answers: [
        answered(
          series("checkout p99", () => 0.75),
          series("checkout p999", () => 0.5),
        ),
      ],
    });
    for (const text of ["checkout p99", "checkout p999", "75 %", "50 %"]) expect(html).toContain(`>${text}</text>`);
  });

  it("of logs shows lines, and no SVG", () => {
    const lines = [{ at: TIMES[0]! * 1000, labels: { pod: "checkout-1" }, text: '{"status":500}' }];
    const html = page({ panel: panel({ type: "logs" }), answers: [{ series: [], lines }] });
    expect(html).toContain("<span>checkout-1</span> {&quot;status&quot;:500}</li>");
    expect(count(html, /<svg /g)).toBe(0);
  });

  it("has the last value that there is, and the last step that it has reached", () => {
    expect(current(series("a", (index) => (index < 10 ? index : undefined)))).toBe(9);
    expect(judged(panel(), 4.9)).toBe("#10b981");
    expect(judged(panel(), 5)).toBe("#ef4444");
    expect(judged(panel({ steps: [{ value: null, color: "green" }] }), 5)).toBeUndefined();
  });
});

describe("the page of a stack", () => {
  const config = parseConfig(
    rawConfig({
      cluster: k3s(3, 10),
      tenants: [{ name: "shop" }, { name: "bank" }],
      functions: ["checkout", "transfer"].map((name, index) => ({
        ...{ name, tenant: ["shop", "bank"][index], scaling: { max: 200 } },
        workload: { peakRequestsPerSecond: 1000 },
      })),
      routes: [{ path: "/checkout", to: [{ function: "checkout" }] }],
    }),
  );
  const asked: Query[] = [];
  const ask = (query: Query): Promise<Answer> => {
    asked.push(query);
    const lines = [{ at: 0, labels: { pod: HOSTILE }, text: HOSTILE }];
    return Promise.resolve({ series: [series(HOSTILE), series("b", () => 1)], lines });
  };
  const drawn = (async () => {
    const boards = await boardsOf(config, RANGE);
    const signal = new AbortController().signal;
    const dashboards = await answer(boards, { prometheus: ask, loki: ask }, silentProgress, signal);
    return { boards, html: renderPage({ stack: HOSTILE, range: RANGE, dashboards, notes: [HOSTILE] }) };
  })();

  it("has each dashboard, that of a function once for each", async () => {
    const { boards, html } = await drawn;
    expect(boards.map(({ title }) => title)).toEqual([
      "Overview",
      "Function checkout",
      "Function transfer",
      "Gateway and authorization",
      "Nodes and density",
      "Control plane",
      "Logs",
    ]);
    for (const { title } of boards) expect(html).toContain(`<h2>${title}</h2>`);
    const exprs = asked.map(({ expr }) => expr);
    for (const name of ["checkout", "transfer"])
      expect(exprs).toContain(`function:requests:rate5m{function="${name}"}`);
    expect(exprs).toContain('{namespace=~".+", component=~".+", function=~".*"} | pod=~".*" |~ ""');
    expect(exprs.filter((expr) => expr.includes("$"))).toEqual([]);
  });

  it("has one SVG for each panel of numbers", async () => {
    const { boards, html } = await drawn;
    const panels = boards.flatMap(({ sections }) => sections.flatMap((section) => section.panels));
    const numbers = panels.filter(({ type }) => type !== "logs");
    expect(numbers.length).toBeGreaterThan(80);
    expect(count(html, /<svg /g)).toBe(numbers.length);
    expect(count(html, /<article /g)).toBe(panels.length);
  });

  it("has no id twice, and each that is referred to", async () => {
    const { html } = await drawn;
    expect(new Set(ids(html)).size).toBe(ids(html).length);
    const referred = [...html.matchAll(/(?:url\(|href=")#([^)"]+)/g)].map(([, id]) => id!);
    expect(referred.length).toBeGreaterThan(80);
    expect(referred.filter((id) => !ids(html).includes(id))).toEqual([]);
  });

  it("loads nothing and runs nothing, whatever the cluster's texts say", async () => {
    const { html } = await drawn;
    expect(html).toContain("&lt;/svg&gt;&lt;script src=");
    expect(html).not.toMatch(/<(?:script|link|img|iframe|image|use|object)\b/i);
    expect(html).not.toMatch(/(?:src|href)="(?!#)/);
    expect(html).not.toMatch(/@import|url\((?!#)/);
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(count(html, /<\/svg>/g)).toBe(count(html, /<svg /g));
  });
});
