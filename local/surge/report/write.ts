import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { StackConfig } from "../../../infra/config";
import type { Plan } from "../../../infra/plan";
import { COLORS } from "../../drawing/page";
import { readIfExists, writeFileAtomic } from "../../files";
import { costOf } from "../cost";
import { modelOf } from "../model";
import type { SurgeRun } from "../run";
import { judge, type Verdict } from "../verdict";
import { chartsOf } from "./charts";
import { claimsOf } from "./claims";
import { faultRows } from "./faults";
import { drawChart, renderReport, type ReportArgs } from "./page";

const PAGE = "report.html";
const DATA = "surge.json";
/** Of the data: one more with each change of what is in it. */
const FORM = 3;

export interface Written {
  readonly verdict: Verdict;
  /** Paths: the page, what it was made of, and each drawing. */
  readonly page: string;
  readonly json: string;
  readonly drawings: readonly string[];
}

/** All that the report says, of a run. */
export function reportOf(run: SurgeRun, config: StackConfig, plan: Plan): ReportArgs {
  const cost = costOf(run, config, plan);
  const claims = claimsOf({ run, cost, config, plan });
  const faults = faultRows(run, config, plan);
  return { run, cost, claims, faults, verdict: judge(run), model: modelOf(run, config) };
}

/**
 * Writes the report into the stack's own folder, over the one before. Reports of other stacks that lie beside it are
 * written anew, so that each has the others' last figures.
 *
 * @param folder - of all stacks' reports
 */
export function writeReport(folder: string, run: SurgeRun, config: StackConfig, plan: Plan): Written {
  const report = reportOf(run, config, plan);
  const own = join(folder, run.stack);
  const json = join(own, DATA);
  writeFileAtomic(json, `${JSON.stringify({ form: FORM, ...report })}\n`, 0o644);
  const all = keptReports(folder);
  for (const each of all) {
    const others = all.filter(({ run: { stack } }) => stack !== each.run.stack).map((other) => other.run);
    writeFileAtomic(join(folder, each.run.stack, PAGE), renderReport(each, others), 0o644);
  }
  const drawings = chartsOf(run).map((chart) => {
    const path = join(own, `${chart.name}.svg`);
    writeFileAtomic(path, standalone(drawChart(chart, "wide")), 0o644);
    return path;
  });
  return { verdict: report.verdict, page: join(own, PAGE), json, drawings };
}

/** The last report of each stack; what another version of this program wrote, nobody knows to read. */
function keptReports(folder: string): ReportArgs[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const text = readIfExists(join(folder, name, DATA));
      if (text === undefined) return [];
      const { form, ...report } = JSON.parse(text) as ReportArgs & { readonly form?: number };
      return form === FORM && report.run.stack === name ? [report] : [];
    });
}

/** A drawing as a file of its own, with the colours that a page would set. */
function standalone(svg: string): string {
  return svg.replace(
    /^<svg ([^>]*)>/,
    `<svg xmlns="http://www.w3.org/2000/svg" $1><style>${COLORS}text{font-family:system-ui,sans-serif}</style>`,
  );
}
