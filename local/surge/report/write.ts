import { join } from "node:path";
import type { StackConfig } from "../../../infra/config";
import type { Plan } from "../../../infra/plan";
import { COLORS } from "../../drawing/page";
import { writeFileAtomic } from "../../files";
import { costOf } from "../cost";
import type { SurgeRun } from "../run";
import { judge, type Verdict } from "../verdict";
import { chartsOf } from "./charts";
import { claimsOf } from "./claims";
import { faultRows } from "./faults";
import { drawChart, renderReport, type ReportArgs } from "./page";

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
  const faults = faultRows(run, config, plan);
  return { run, cost, faults, verdict: judge(run), claims: claimsOf({ run, cost, config, plan }) };
}

/** Writes the report into a folder, over the one before. */
export function writeReport(folder: string, run: SurgeRun, config: StackConfig, plan: Plan): Written {
  const report = reportOf(run, config, plan);
  const [page, json] = [join(folder, "report.html"), join(folder, "surge.json")];
  writeFileAtomic(json, `${JSON.stringify(report)}\n`, 0o644);
  writeFileAtomic(page, renderReport(report), 0o644);
  const drawings = chartsOf(run).map((chart) => {
    const path = join(folder, `${chart.name}.svg`);
    writeFileAtomic(path, standalone(drawChart(chart, "wide")), 0o644);
    return path;
  });
  return { verdict: report.verdict, page, json, drawings };
}

/** A drawing as a file of its own, with the colours that a page would set. */
function standalone(svg: string): string {
  return svg.replace(
    /^<svg ([^>]*)>/,
    `<svg xmlns="http://www.w3.org/2000/svg" $1><style>${COLORS}text{font-family:system-ui,sans-serif}</style>`,
  );
}
