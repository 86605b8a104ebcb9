import { formatCount } from "../../../infra/plan/numbers";
import { formatDuration, formatPercent } from "../../../infra/units";
import { escapeHtml, htmlPage } from "../../drawing/page";
import { renderSvg } from "../../drawing/svg";
import { formatHours, type CostRow, type SurgeCost } from "../cost";
import type { ModelRow } from "../model";
import type { SurgeRun } from "../run";
import { signedPercent, type Check, type Milestone, type Verdict } from "../verdict";
import type { Size } from "./axes";
import { chartsOf, type Chart } from "./charts";
import type { Claim } from "./claims";
import { FAULT_HEADS, faultCells, type FaultRow } from "./faults";
import { keyFigures, type KeyFigure } from "./figures";
import { besideOthers } from "./beside";
import { STYLE } from "./style";
import { figureTable, textTable, type Cell } from "./table";
import { momentOf, spanOf } from "./words";

export interface ReportArgs {
  readonly run: SurgeRun;
  readonly model: readonly ModelRow[];
  readonly verdict: Verdict;
  readonly cost: SurgeCost;
  readonly claims: readonly Claim[];
  readonly faults: readonly FaultRow[];
}

/** Pixels of a drawing. */
export const WIDTHS: Readonly<Record<Size, number>> = { wide: 1040, medium: 640, narrow: 330 };

/** The report as one page that needs nothing else: the verdict, what it is of, then what it rests on. */
export function renderReport(
  { run, verdict, cost, claims, faults, model }: ReportArgs,
  others: readonly SurgeRun[] = [],
): string {
  const title = `${scenarioName(run)} on ${run.scenario.fn.name}`;
  const paragraphs = (texts: readonly string[]) => texts.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n");
  const body = `<header>
<h1>${escapeHtml(title)}</h1>
<p class="meta">${escapeHtml(circumstances(run))}</p>
<p class="verdict ${verdict.met ? "good" : "problem"}">${escapeHtml(verdictLine(run, verdict))}</p>
<dl class="key">${keyFigures(run).map(keyBox).join("\n")}</dl>
${paragraphs(whatItIs(run))}
</header>
<main>
<h2>Checks</h2>
${textTable({ name: "Checks", heads: ["check", "aim", "found", "result"], rows: verdict.checks.map(checkRow) })}
${run.troubles.length > 0 ? `<p class="problem">The API server did not answer: ${escapeHtml(run.troubles.map(({ second, reason }) => `at ${second} s: ${reason}`).join("; "))}</p>` : ""}
${chartsOf(run).map(chartBox).join("\n")}
${faults.length > 0 ? `<h2>Faults</h2>\n${textTable({ name: "Faults", heads: FAULT_HEADS, rows: faults.map(faultCells) })}` : ""}
<h2>Predicted and measured</h2>
${paragraphs([predictedNote(run)])}
${figureTable({ name: "Predicted and measured", heads: ["goal", "ready", "predicted", "measured", "off by"], rows: verdict.milestones.map(milestoneRow) })}
${modelTable(model)}
${besideOthers(run, others)}
<h2>Cost</h2>
<h3>Of this run, by replica hours</h3>
${figureTable({ name: "Cost of this run", heads: ["served by", "replica hours", "core hours", "GiB hours", "host hours", "replicas at most", "functions save"], rows: cost.run.map(costRow) })}
<h3>At peak, of hosts that stand all day</h3>
${figureTable({ name: "Cost at peak", heads: ["served by", "replicas", "hosts", "bound by", "functions save"], rows: peakRows(cost) })}
<h3>What this rests on</h3>
<ul>${cost.assumptions.map((text) => `<li>${escapeHtml(text)}</li>`).join("\n")}</ul>
<h2>Every claim</h2>
${textTable({ name: "Every claim", heads: ["claim", "target", "figure", "how", "from"], rows: claims.map(claimRow) })}
</main>`;
  return htmlPage({ title: `${run.stack}: ${title}`, style: STYLE, body });
}

export function scenarioName({ scenario }: SurgeRun): string {
  return scenario.ownCurve ? "a curve of one's own" : scenario.preset;
}

/** Where, when and with what. */
function circumstances({ stack, startedAt, cores, samples, ending, scenario }: SurgeRun): string {
  const { workload } = scenario.fn;
  const seconds = samples[samples.length - 1]?.second ?? 0;
  return [
    `Stack ${stack}, ${momentOf(startedAt)}, ${cores} cores, ${spanOf(seconds)}, ended: ${ending}.`,
    `Peak ${formatCount(workload.peakRequestsPerSecond)} requests/s of ${formatDuration(workload.cpuPerRequest)} of CPU (${scenario.cpuPerRequestFrom}), a step every ${formatDuration(scenario.step)}.`,
  ].join(" ");
}

/** What a reader has to know of all figures. */
function whatItIs({ delays, unseen, client, nodes, scenario }: SurgeRun): string[] {
  return [
    client !== undefined
      ? `Real requests: a client on this machine sent them through the gateway, over TLS (the certificate was ${client.verified ? "verified" : "the gateway's own, which nobody vouches for"}) and as ${formatCount(client.users)} users, to real pods on ${nodes.length === 1 ? "one node" : `${nodes.length} nodes`}. Where the node is on this machine, client, gateway, authorizer, control plane and pods share its cores.`
      : `Control plane only: API server, etcd, scheduler, controllers, autoscaler and ${scenario.fn.scaling.metric === "cpu" ? "metrics-server" : "those who count requests for it (Prometheus, KEDA)"} are real; nodes and pods are simulated. A simulated pod is ready and gone at once, no request is sent, and what pods use of CPU is the load over the ready pods${scenario.fn.scaling.metric === "cpu" ? "" : "; what a gateway would count of the load is told to Prometheus"}.`,
    ...(unseen > 0
      ? [`${formatCount(unseen)} pods came while the watch was away; ${formatCount(delays.length)} were seen.`]
      : []),
  ];
}

export function verdictLine(run: SurgeRun, { checks, met }: Verdict): string {
  const binding = checks.filter((check) => check.binding);
  const failed = binding.filter((check) => !check.met);
  if (met) {
    const missed = checks.filter((check) => !check.met).map(({ what, found }) => `${what} (${found})`);
    const held = `Held: ${binding.map(({ what, found }) => `${what} (${found})`).join(", ")}.`;
    return missed.length === 0 ? held : `${held} Missed aims: ${missed.join(", ")}.`;
  }
  return `${run.ending === "stopped" ? "Stopped before its end" : "Not held"}: ${failed.map(({ what, aim, found }) => `${what}: ${found}, where the aim is ${aim}`).join("; ")}.`;
}

function keyBox({ name, value, beside }: KeyFigure): string {
  return `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd><dd>${escapeHtml(beside)}</dd></div>`;
}

function chartBox(chart: Chart): string {
  const drawings = (["wide", "medium", "narrow"] as const).map(
    (size) => `<div class="${size}">${drawChart(chart, size)}</div>`,
  );
  return `<article id="${chart.name}">
<h2>${escapeHtml(chart.title)}</h2>
<p class="description">${escapeHtml(chart.description)}</p>
${drawings.join("\n")}
${legendOf(chart)}
</article>`;
}

function legendOf({ legend, scale }: Chart): string {
  const items = legend.map(({ name, color, dashed = false }) => {
    const line = dashed ? `class="dashed" style="color:${color}"` : `style="background:${color}"`;
    return `<li><i ${line}></i>${escapeHtml(name)}</li>`;
  });
  const ramp = ({ from, to, color }: NonNullable<typeof scale>) =>
    `<p class="scale">${escapeHtml(from)}<i style="background:linear-gradient(to right,transparent,${color})"></i>${escapeHtml(to)}</p>`;
  return `${items.length > 0 ? `<ul class="legend">${items.join("")}</ul>` : ""}${scale === undefined ? "" : ramp(scale)}`;
}

export function drawChart({ title, height, option }: Chart, size: Size): string {
  return renderSvg({ title, width: WIDTHS[size], height, option: option(size) });
}

function checkRow({ what, aim, found, met, binding }: Check): Cell[] {
  const state = met ? "met" : binding ? "failed" : "missed";
  return [what, aim, found, { text: state, mark: met ? "good" : "problem" }];
}

function milestoneRow({ share, pods, predicted, measured, difference }: Milestone): Cell[] {
  const seconds = (value: number | undefined) => (value === undefined ? "–" : `${formatCount(value)} s`);
  return [
    formatPercent(share),
    formatCount(pods),
    seconds(predicted),
    seconds(measured),
    difference === undefined ? "–" : signedPercent(difference),
  ];
}

function predictedNote({ expected, kind }: SurgeRun): string {
  const reckoned =
    kind === "real"
      ? `${expected.scaleOut?.seconds} s, with each node's start queue`
      : `${expected.scaleOut?.seconds} s for nodes that start pods at once, and ${expected.secondsOnRealNodes} s with each real node's start queue`;
  return expected.scaleOut === undefined
    ? "This load climbs slowly, and the plan predicts jumps: there is nothing to compare with."
    : `Seconds from when the load begins to climb. The plan reckons ${reckoned}.`;
}

function modelTable(model: readonly ModelRow[]): string {
  if (model.length === 0) return "";
  const heads = ["what the plan reckons with", "plan", "measured", "off by"];
  const rows = model.map(({ what, plan, measured, off }) => [what, plan, measured, off]);
  return figureTable({ name: "What the plan reckons with", heads, rows });
}

function costRow({ name, saved, replicasAtMost, ...hours }: CostRow): Cell[] {
  return [
    name,
    ...[hours.replicaHours, hours.coreHours, hours.memoryHours, hours.hostHours].map(formatHours),
    formatCount(replicasAtMost),
    saved === undefined ? "" : savedOf(saved),
  ];
}

/** Below zero where functions take more. */
function savedOf(share: number): string {
  return formatPercent(Number(share.toFixed(3))).replace("-", "−");
}

function peakRows({ peak }: SurgeCost): Cell[][] {
  const row = (side: typeof peak.platform, saved: string) => [
    ...[
      side.name,
      formatCount(side.replicas),
      side.hosts.toFixed(2),
      side.boundBy === "cpu" ? "CPU" : side.boundBy,
      saved,
    ],
  ];
  return [row(peak.platform, ""), ...peak.baselines.map((side) => row(side, savedOf(side.savedHosts)))];
}

function claimRow({ claim, target, figure, how, from }: Claim): Cell[] {
  return [claim, target, figure, { text: how, mark: how === "measured here" ? "good" : "muted" }, from];
}
