import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import {
  ruleFile,
  ruleGroups,
  runbookAnchor,
  type Rule,
  type RuleGroup,
} from "../../../components/observability/rules";
import { run } from "../../../local/run";
import { rulesArgs, STACK_NAMES, type StackName } from "../../support/rule-stacks";
import type { AlertCases, Firing, Series } from "./case";
import type { RecordingCase } from "./recordings";

/**
 * Asks promtool whether all cases hold, in one process. Each alert is tested with the rules that it is made of and no
 * others, which takes a twentieth of the time of all.
 *
 * @throws CommandError, with promtool's words on every case that does not.
 */
export async function checkCases(promtool: string, cases: AlertCases): Promise<void> {
  await inFolder(async (folder) => {
    const files = Object.entries(cases).flatMap(([alert, { fires, silent }]) =>
      [...fires, ...silent.map((situation) => ({ ...situation, alerts: [] }))].map((situation, index) => {
        const { stack = "reference", every = "1m", evaluated = every } = situation;
        const rules = join(folder, `${alert}-${stack}.yml`);
        const groups = madeOf(alert, stack);
        writeFileSync(rules, ruleFile(groups));
        const file = join(folder, `${alert}-${index}.test.yml`);
        const test = toTest(alert, situation, every);
        writeFileSync(
          file,
          stringify(
            { rule_files: [rules], evaluation_interval: evaluated, group_eval_order: orderOf(groups), tests: [test] },
            { aliasDuplicateObjects: false },
          ),
        );
        return file;
      }),
    );
    await run(promtool, ["test", "rules", ...files]);
  });
}

/** The same for what recording rules come to, of which each case has all of its stack's. */
export async function checkRecordings(promtool: string, cases: readonly RecordingCase[]): Promise<void> {
  await inFolder(async (folder) => {
    const files = cases.map(({ it, query, series, at, is, stack = "reference", every = "15s" }, index) => {
      const rules = join(folder, `${stack}.yml`);
      const recordings = GROUPS[stack].map((group) => ({
        ...group,
        rules: group.rules.filter((rule) => "record" in rule),
      }));
      writeFileSync(rules, ruleFile(recordings));
      const exp_samples = Object.entries(is).map(([labels, value]) => ({ labels: namedByLabel(labels), value }));
      const test = {
        name: it,
        interval: every,
        input_series: toInput(series),
        promql_expr_test: [{ expr: rounded(query), eval_time: at, exp_samples }],
      };
      const content = {
        ...{ rule_files: [rules], evaluation_interval: every, group_eval_order: orderOf(recordings) },
        tests: [test],
      };
      const file = join(folder, `recordings-${index}.test.yml`);
      writeFileSync(file, stringify(content, { aliasDuplicateObjects: false }));
      return file;
    });
    await run(promtool, ["test", "rules", ...files]);
  });
}

/** Else promtool takes groups of one moment in any order, and what one reads of another is now and then a step behind. */
function orderOf(groups: readonly RuleGroup[]): string[] {
  return groups.map(({ name }) => name);
}

/** To a millionth, since sums of floating-point numbers differ in their last digits; rounding takes the name away. */
function rounded(query: string): string {
  return `round(label_replace(${query}, "series", "$1", "__name__", "(.+)"), 1e-6)`;
}

/** `name{a="b"}` as `{series="name", a="b"}`. */
function namedByLabel(labels: string): string {
  const [, name = "", rest = ""] = /^([\w:]+)(?:\{(.*)\})?$/.exec(labels) ?? [];
  return `{series="${name}"${rest === "" ? "" : `, ${rest}`}}`;
}

const GROUPS = Object.fromEntries(STACK_NAMES.map((name) => [name, ruleGroups(rulesArgs(name))])) as Record<
  StackName,
  RuleGroup[]
>;

/** The groups of a stack, with an alert alone and the recording rules that it reads. */
function madeOf(alert: string, stack: StackName): RuleGroup[] {
  const all = GROUPS[stack].flatMap(({ rules }) => rules);
  const needed = new Set<Rule>();
  const need = (rules: readonly Rule[]): void => {
    for (const rule of rules.filter((one) => !needed.has(one))) {
      needed.add(rule);
      need(all.filter((one) => "record" in one && readsSeries(rule.expr, one.record)));
    }
  };
  need(all.filter((rule) => "alert" in rule && rule.alert === alert));
  return GROUPS[stack]
    .map((group) => ({ ...group, rules: group.rules.filter((rule) => needed.has(rule)) }))
    .filter(({ rules }) => rules.length > 0);
}

function readsSeries(expr: string, name: string): boolean {
  return new RegExp(`(?<![\\w:])${name}(?![\\w:])`).test(expr);
}

/** Asks promtool whether the rules of every stack are well written; whatever it would only warn of is refused too. */
export function checkRules(promtool: string): Promise<string> {
  return inFolder((folder) => run(promtool, ["check", "rules", "--lint=all", "--lint-fatal", ...writeRules(folder)]));
}

type Case = AlertCases[string]["fires"][number];

function toTest(alert: string, { when, series, at, alerts }: Case, every: string) {
  return {
    name: `${alert} ${alerts.length > 0 ? "fires" : "is silent"} when ${when}`,
    interval: every,
    input_series: toInput(series),
    alert_rule_test: [{ alertname: alert, eval_time: at, exp_alerts: alerts.map((one) => expected(alert, one)) }],
  };
}

function toInput(series: Series) {
  return Object.entries(series).map(([name, values]) => ({ series: name, values }));
}

function expected(alert: string, { labels, summary, description }: Firing) {
  return {
    exp_labels: labels,
    exp_annotations: { summary, description, runbook_url: `docs/runbooks.md#${runbookAnchor(alert)}` },
  };
}

function writeRules(folder: string): string[] {
  return STACK_NAMES.map((name) => {
    const file = join(folder, `${name}.yml`);
    writeFileSync(file, ruleFile(GROUPS[name]));
    return file;
  });
}

async function inFolder<T>(action: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "wasm-functions-alerts-"));
  try {
    return await action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
