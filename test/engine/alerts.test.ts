import { resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { alertsOf, ruleGroups, type AlertRule } from "../../components/observability/rules";
import { projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { ensureTools } from "../../local/tools/resolve";
import { rulesArgs, STACK_NAMES } from "../support/rule-stacks";
import { CASES } from "./alerts";
import type { AlertCases } from "./alerts/case";
import { checkCases, checkRecordings, checkRules } from "./alerts/harness";
import { RECORDINGS } from "./alerts/recordings";

/** It has no series of its own, and fires always. */
const ALWAYS = "Watchdog";
/** What it is about is that there is nothing. */
const ABOUT_NOTHING = "TargetsMissing";

describe("the alerts, judged by promtool", () => {
  const alerts = STACK_NAMES.flatMap((name) => alertsOf(ruleGroups(rulesArgs(name))));
  let promtool: string;

  beforeAll(async () => {
    const paths = projectPaths(resolve(__dirname, "../.."));
    ({ promtool } = await ensureTools(["promtool"], { paths, progress: silentProgress }));
  });

  it("are well written, in every stack", async () => {
    await expect(checkRules(promtool)).resolves.toContain("SUCCESS");
  });

  it("each have a case in which they fire, for each of their severities and windows", () => {
    const fired = Object.entries(CASES).flatMap(([alert, { fires }]) =>
      fires.flatMap((one) => one.alerts.map(({ labels }) => identity(alert, labels))),
    );
    // The scaled stack's window is another number for the same rule.
    const needed = alertsOf(ruleGroups(rulesArgs("reference"))).map(({ alert, labels }) => identity(alert, labels));
    expect(needed.filter((one) => !fired.includes(one))).toEqual([]);
    expect(Object.keys(CASES).sort()).toEqual(namesOf(alerts));
  });

  it("each have a case in which they are silent", () => {
    const without = Object.entries(CASES).filter(([, { silent }]) => silent.length === 0);
    expect(without.map(([alert]) => alert)).toEqual([ALWAYS]);
  });

  it("fire and are silent as they should", async () => {
    await expect(checkCases(promtool, CASES)).resolves.toBeUndefined();
  });

  it("are silent until it has been so for as long as they say", async () => {
    const pending = new Map(alertsOf(ruleGroups(rulesArgs("reference"))).map((rule) => [rule.alert, rule.for]));
    const cases = Object.entries(CASES).flatMap(([alert, { fires }]) => {
      const [first] = fires;
      const wait = pending.get(alert);
      if (first === undefined || wait === undefined) return [];
      // What is so from the first value on has been so for a minute less.
      const at = `${minutes(wait) - 1}m`;
      return [[alert, { fires: [], silent: [{ ...first, when: `it has been so for ${at}`, at }] }] as const];
    });
    expect(cases.length).toBeGreaterThan(35);
    await expect(checkCases(promtool, Object.fromEntries(cases))).resolves.toBeUndefined();
  });

  it("are silent where nothing is scraped", async () => {
    const nothing = { when: "nothing is scraped", series: {}, at: "30m", every: "5m" };
    const cases: AlertCases = Object.fromEntries(
      namesOf(alerts)
        .filter((alert) => alert !== ALWAYS && alert !== ABOUT_NOTHING)
        .map((alert) => [alert, { fires: [], silent: [nothing] }]),
    );
    await expect(checkCases(promtool, cases)).resolves.toBeUndefined();
  });

  it("rest on series that are what they say", async () => {
    await expect(checkRecordings(promtool, RECORDINGS)).resolves.toBeUndefined();
  });

  it("would be refused where a case does not hold", async () => {
    const cases: AlertCases = {
      [ALWAYS]: { fires: [], silent: [{ when: "it must not be", series: {}, at: "0m" }] },
    };
    await expect(checkCases(promtool, cases)).rejects.toThrow("failed with code 1");
  });
});

function minutes(duration: string): number {
  return Number.parseInt(duration) * (duration.endsWith("h") ? 60 : 1);
}

function identity(alert: string, { severity, window = "" }: Readonly<Record<string, string>>): string {
  return [alert, severity, window].join(" ").trim();
}

function namesOf(alerts: readonly AlertRule[]): string[] {
  return [...new Set(alerts.map(({ alert }) => alert))].sort();
}
