import type { PlainDashboard, PlainPanel } from "../../components/observability/dashboards";
import { escapeHtml, htmlPage } from "../drawing/page";
import { colorOf } from "../drawing/svg";
import type { Answer, LogLine, Series } from "./ask";
import { current, draw, judged } from "./draw";
import { formatValue } from "./format";
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

/** The dashboards as one page that needs nothing else. */
export function renderPage({ stack, range, dashboards, notes }: PageArgs): string {
  const title = `${stack}: ${momentOf(range.start)} to ${momentOf(range.end)}`;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const body = `<header>
<h1>${escapeHtml(title)}</h1>
<p>Times are of ${escapeHtml(zone)}; a point every ${range.step} s. Values in legends are the last ones.</p>
${notes.map((note) => `<p class="problem">${escapeHtml(note)}</p>`).join("\n")}
<nav>${dashboards.map((board, index) => `<a href="#board-${index}">${escapeHtml(board.title)}</a>`).join(" ")}</nav>
</header>
<main>
${dashboards.map((board, index) => dashboard(board, index, range)).join("\n")}
</main>`;
  return htmlPage({ title, style: STYLE, body });
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

/** Panels side by side where there is room. */
const STYLE = `
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr));gap:.75rem}
article.logs{grid-column:1/-1}
.empty{color:var(--muted);padding:1.5rem 0;text-align:center}
.legend{max-height:9rem;overflow:auto}
.lines{margin:.5rem 0 0;padding:0;list-style:none;font:.75rem/1.5 ui-monospace,monospace;max-height:30rem;overflow:auto}
.lines li{overflow-wrap:anywhere;border-top:1px solid var(--line)}.lines time,.lines span{color:var(--muted)}
`;
