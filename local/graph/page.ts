import type { PlainDashboard, PlainPanel } from "../../components/observability/dashboards";
import type { Answer, LogLine, Series } from "./ask";
import { colorOf, current, draw, judged } from "./draw";
import { escapeHtml, formatValue } from "./format";
import type { Range } from "./range";

/** A panel, and what its queries were answered, in their order. */
export interface Answered {
  readonly panel: PlainPanel;
  readonly answers: readonly Answer[];
}

/** A dashboard with what was answered in place of its panels. */
export interface AnsweredDashboard extends Pick<PlainDashboard, "title" | "description"> {
  readonly sections: readonly { readonly title: string; readonly panels: readonly Answered[] }[];
}

export interface PageArgs {
  readonly stack: string;
  readonly range: Range;
  readonly dashboards: readonly AnsweredDashboard[];
  /** What the reader has to know of the whole page. */
  readonly notes: readonly string[];
}

/** One page that needs nothing else: no script, and a policy that has browsers load nothing. */
export function renderPage({ stack, range, dashboards, notes }: PageArgs): string {
  const title = `${stack}: ${momentOf(range.start)} to ${momentOf(range.end)}`;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
<p>Times are of ${escapeHtml(zone)}; a point every ${range.step} s. Values in legends are the last ones.</p>
${notes.map((note) => `<p class="problem">${escapeHtml(note)}</p>`).join("\n")}
<nav>${dashboards.map((board, index) => `<a href="#board-${index}">${escapeHtml(board.title)}</a>`).join(" ")}</nav>
</header>
<main>
${dashboards.map((board, index) => dashboard(board, index, range)).join("\n")}
</main>
</body>
</html>
`;
}

function dashboard({ title, description, sections }: AnsweredDashboard, index: number, range: Range): string {
  const parts = sections.map(
    (section) =>
      `<h3>${escapeHtml(section.title)}</h3>\n<div class="panels">\n${section.panels
        .map((answered) => panelBox(answered, range))
        .join("\n")}\n</div>`,
  );
  return `<section id="board-${index}">
<h2>${escapeHtml(title)}</h2>
<p>${escapeHtml(description)}</p>
${parts.join("\n")}
</section>`;
}

function panelBox({ panel, answers }: Answered, range: Range): string {
  const problems = [...new Set(answers.flatMap(({ problem }) => (problem === undefined ? [] : [problem])))];
  const queries = panel.queries.map(({ expr }) => `<code>${escapeHtml(expr)}</code>`).join("");
  const content = contentOf(panel, answers, range);
  return `<article class="${panel.type}">
<h4>${escapeHtml(panel.title)}</h4>
<p class="description">${escapeHtml(panel.description)}</p>
${problems.map((problem) => `<p class="problem">${escapeHtml(problem)}</p>`).join("")}${
    content === "" && problems.length === 0 ? '<p class="empty">no data</p>' : content
  }
${content === "" ? queries : `<details><summary>${panel.queries.length === 1 ? "Query" : "Queries"}</summary>${queries}</details>`}
</article>`;
}

/** Empty where there is nothing to show. */
function contentOf(panel: PlainPanel, answers: readonly Answer[], range: Range): string {
  if (panel.type === "logs") return linesOf(answers.flatMap(({ lines }) => lines));
  const series = answers.flatMap((answer) => answer.series);
  if (series.length === 0) return "";
  const figures = panel.type === "stat" ? series.map((one) => figure(panel, one)).join("") : "";
  // Bars have names and values beside them.
  const names = panel.type === "timeseries" ? legend(panel, series) : "";
  return `${figures}${draw(panel, series, range)}${names}`;
}

function figure(panel: PlainPanel, series: Series): string {
  const value = current(series) ?? 0;
  const color = judged(panel, value);
  return `<p class="figure"${color === undefined ? "" : ` style="color:${color}"`}>${escapeHtml(formatValue(value, panel.unit))}</p>`;
}

function legend({ unit }: PlainPanel, series: readonly Series[]): string {
  const items = series.map(
    (one, index) =>
      `<li><i style="background:${colorOf(index)}"></i>${escapeHtml(one.name)} <b>${escapeHtml(formatValue(current(one) ?? 0, unit))}</b></li>`,
  );
  return `<ul class="legend">${items.join("")}</ul>`;
}

function linesOf(lines: readonly LogLine[]): string {
  if (lines.length === 0) return "";
  const items = lines.map(({ at, labels, text }) => {
    const who = labels["pod"] ?? labels["component"] ?? "";
    return `<li><time>${clock(at)}</time> <span>${escapeHtml(who)}</span> ${escapeHtml(text)}</li>`;
  });
  return `<ol class="lines">${items.join("\n")}</ol>`;
}

/** `2026-02-03 04:05`, as this machine has it. */
function momentOf(seconds: number): string {
  const at = new Date(seconds * 1000);
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

function clock(millis: number): string {
  const at = new Date(millis);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

/** Colours by what the reader prefers; panels side by side where there is room. */
const STYLE = `
:root{--back:#f6f7f9;--box:#fff;--text:#1c2430;--muted:#5b6676;--line:#d9dee5;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--back:#11151b;--box:#191f27;--text:#e4e8ee;--muted:#98a4b3;--line:#303945;--bad:#ff8a7a}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:110rem;background:var(--back);color:var(--text);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.4rem;margin:0}h2{margin:2.5rem 0 0;font-size:1.25rem}h3{margin:1.5rem 0 .5rem;font-size:1rem;color:var(--muted)}
h4{margin:0;font-size:.95rem}p{margin:.25rem 0}a{color:inherit}
nav{display:flex;flex-wrap:wrap;gap:.35rem 1rem;margin-top:.5rem}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr));gap:.75rem}
article{background:var(--box);border:1px solid var(--line);border-radius:.5rem;padding:.75rem;min-width:0}
article.logs{grid-column:1/-1}
.description{color:var(--muted);font-size:.8rem}
svg{display:block;width:100%;height:auto;margin-top:.5rem}
.figure{font-size:1.8rem;font-weight:600}
.empty{color:var(--muted);padding:1.5rem 0;text-align:center}
.problem{color:var(--bad)}
code{display:block;margin-top:.25rem;font-size:.75rem;overflow-wrap:anywhere;color:var(--muted)}
summary{cursor:pointer;font-size:.75rem;color:var(--muted);margin-top:.25rem}
.legend{display:flex;flex-wrap:wrap;gap:.1rem .9rem;margin:.4rem 0 0;padding:0;list-style:none;font-size:.8rem;max-height:9rem;overflow:auto}
.legend li{overflow-wrap:anywhere}.legend i{display:inline-block;width:.8rem;height:.2rem;margin-right:.35rem;vertical-align:middle}
.lines{margin:.5rem 0 0;padding:0;list-style:none;font:.75rem/1.5 ui-monospace,monospace;max-height:30rem;overflow:auto}
.lines li{overflow-wrap:anywhere;border-top:1px solid var(--line)}.lines time,.lines span{color:var(--muted)}
`;
