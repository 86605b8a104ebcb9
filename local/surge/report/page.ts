import { formatCount } from "../../../infra/plan/numbers";
import { formatDuration, formatPercent } from "../../../infra/units";
import { escapeHtml, htmlPage } from "../../drawing/page";
import { renderSvg } from "../../drawing/svg";
import { formatHours, type CostRow, type SurgeCost } from "../cost";
import type { SurgeRun } from "../run";
import { signedPercent, type Check, type Milestone, type Verdict } from "../verdict";
import { chartsOf, type Chart } from "./charts";
import type { Claim } from "./claims";

export interface ReportArgs {
  readonly run: SurgeRun;
  readonly verdict: Verdict;
  readonly cost: SurgeCost;
  readonly claims: readonly Claim[];
}

/** Pixels: a wide drawing shrunk to a telephone could not be read, so there is one of its own. */
export const WIDTHS = { wide: 1040, narrow: 400 };

/** The report as one page that needs nothing else. */
export function renderReport({ run, verdict, cost, claims }: ReportArgs): string {
  const title = `${run.stack}: ${scenarioName(run)} on ${run.scenario.fn.name}`;
  const body = `<header>
<h1>${escapeHtml(title)}</h1>
${introduction(run)
  .map((text) => `<p>${escapeHtml(text)}</p>`)
  .join("\n")}
<p class="verdict ${verdict.met ? "good" : "problem"}">${escapeHtml(verdictLine(run, verdict))}</p>
</header>
<main>
<h2>Verdict</h2>
${table(["", "aim", "found"], verdict.checks.map(checkRow))}
${run.troubles.length > 0 ? `<p class="problem">The API server did not answer: ${escapeHtml(run.troubles.map(({ second, reason }) => `at ${second} s: ${reason}`).join("; "))}</p>` : ""}
${chartsOf(run).map(chartBox).join("\n")}
<h2>Predicted and measured</h2>
${predictedNote(run)}
${table(["of the goal", "ready pods", "predicted", "measured", "difference"], verdict.milestones.map(milestoneRow))}
<h2>Cost</h2>
<h3>Of this run, by replica hours</h3>
${table(["", "replica hours", "core hours", "GiB hours", "host hours", "replicas at most", "functions save"], cost.run.map(costRow))}
<h3>At peak, of hosts that stand all day</h3>
${table(["", "replicas", "hosts", "bound by", "functions save"], peakRows(cost))}
<h3>What this rests on</h3>
<ul>${cost.assumptions.map((text) => `<li>${escapeHtml(text)}</li>`).join("\n")}</ul>
<h2>Every claim</h2>
${table(["claim", "target", "figure", "how", "from"], claims.map(claimRow))}
</main>`;
  return htmlPage({ title, style: STYLE, body });
}

export function scenarioName({ scenario }: SurgeRun): string {
  return scenario.ownCurve ? "a curve of one's own" : scenario.preset;
}

/** What a reader has to know before any figure. */
function introduction(run: SurgeRun): string[] {
  const { scenario, cores, startedAt, ending, samples, delays, unseen } = run;
  const { fn } = scenario;
  const seconds = Math.round(samples[samples.length - 1]?.second ?? 0);
  return [
    `${startedAt}, ${cores} cores, ${seconds} s, ended: ${ending}. Peak ${formatCount(fn.workload.peakRequestsPerSecond)} requests/s of ${formatDuration(fn.workload.cpuPerRequest)} of CPU (${scenario.cpuPerRequestFrom}), a step every ${formatDuration(scenario.step)}.`,
    "Control plane only: API server, etcd, scheduler, controllers, autoscaler and metrics-server are real; nodes and pods are simulated. A simulated pod is ready and gone at once, no request is sent, and what pods use of CPU is the load over the ready pods.",
    ...(unseen > 0
      ? [`${formatCount(unseen)} pods came while the watch was away; ${formatCount(delays.length)} were seen.`]
      : []),
  ];
}

export function verdictLine(run: SurgeRun, { checks, met }: Verdict): string {
  const binding = checks.filter((check) => check.binding);
  const failed = binding.filter((check) => !check.met);
  if (met) return `Held: ${binding.map(({ what, found }) => `${what} (${found})`).join(", ")}.`;
  return `${run.ending === "stopped" ? "Stopped before its end" : "Not held"}: ${failed.map(({ what, aim, found }) => `${what}: ${found}, where the aim is ${aim}`).join("; ")}.`;
}

function chartBox(chart: Chart): string {
  const legend = chart.legend.map(
    ({ name, color }) => `<li><i style="background:${color}"></i>${escapeHtml(name)}</li>`,
  );
  const drawings = (["wide", "narrow"] as const).map(
    (size) => `<div class="${size}">${drawChart(chart, WIDTHS[size], size === "narrow")}</div>`,
  );
  return `<article id="${chart.name}">
<h2>${escapeHtml(chart.title)}</h2>
<p class="description">${escapeHtml(chart.description)}</p>
${drawings.join("\n")}
<ul class="legend">${legend.join("")}</ul>
</article>`;
}

export function drawChart({ title, height, option }: Chart, width: number, narrow: boolean): string {
  return renderSvg({ title, width, height, option: option(narrow) });
}

type Cell = string | { readonly text: string; readonly mark: "good" | "problem" | "muted" };

function table(heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cell = (value: Cell, index: number) => {
    const { text, mark } = typeof value === "string" ? { text: value, mark: undefined } : value;
    // Where there is no room beside each other, each says what it is.
    const name = heads[index] ?? "";
    return `<td data-name="${escapeHtml(name)}"${mark === undefined ? "" : ` class="${mark}"`}>${escapeHtml(text)}</td>`;
  };
  return `<table><thead><tr>${heads.map((head) => `<th>${escapeHtml(head)}</th>`).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")}</tbody></table>`;
}

function checkRow({ what, aim, found, met, binding }: Check): Cell[] {
  const state = met ? "met" : binding ? "failed" : "missed";
  return [what, aim, { text: `${found}: ${state}`, mark: met ? "good" : "problem" }];
}

function milestoneRow({ share, pods, predicted, measured, difference }: Milestone): Cell[] {
  const seconds = (value: number | undefined) => (value === undefined ? "-" : `${value} s`);
  return [
    formatPercent(share),
    formatCount(pods),
    seconds(predicted),
    seconds(measured),
    difference === undefined ? "-" : signedPercent(difference),
  ];
}

function predictedNote({ expected }: SurgeRun): string {
  const text =
    expected.scaleOut === undefined
      ? "This load climbs slowly, and the plan predicts jumps: there is nothing to compare with."
      : `Seconds from when the load begins to climb. The plan reckons ${expected.scaleOut.seconds} s for nodes that start pods at once, and ${expected.secondsOnRealNodes} s with each real node's start queue.`;
  return `<p>${escapeHtml(text)}</p>`;
}

function costRow({ name, saved, replicasAtMost, ...hours }: CostRow): Cell[] {
  return [
    name,
    ...[hours.replicaHours, hours.coreHours, hours.memoryHours, hours.hostHours].map(formatHours),
    formatCount(replicasAtMost),
    saved === undefined ? "" : formatPercent(Number(saved.toFixed(3))),
  ];
}

function peakRows({ peak }: SurgeCost): Cell[][] {
  const row = (side: typeof peak.platform, saved: string) => [
    ...[side.name, formatCount(side.replicas), side.hosts.toFixed(2), side.boundBy, saved],
  ];
  return [
    row(peak.platform, ""),
    ...peak.baselines.map((side) => row(side, formatPercent(Number(side.savedHosts.toFixed(3))))),
  ];
}

function claimRow({ claim, target, figure, how, from }: Claim): Cell[] {
  return [claim, target, figure, { text: how, mark: how === "measured here" ? "good" : "muted" }, from];
}

/** On a narrow screen each row of a table is a block, and drawings are the narrow ones. */
const STYLE = `
body{max-width:70rem}
article{margin-top:1.5rem}article h2{margin:0}
.verdict{font-weight:600;margin-top:.75rem}.good{color:var(--good)}.muted{color:var(--muted)}
table{border-collapse:collapse;width:100%;margin-top:.5rem;font-size:.85rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}
th{color:var(--muted);font-weight:500}
td:first-child{font-weight:500}
.narrow{display:none}
li{margin:.2rem 0}
@media (max-width:640px){
.wide{display:none}.narrow{display:block}
thead{display:none}tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
td{display:block;border:0;padding:.1rem 0;overflow-wrap:anywhere}
td:not(:first-child):before{content:attr(data-name) ": ";color:var(--muted)}
}
`;
