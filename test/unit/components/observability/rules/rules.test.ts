import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import {
  ALERT_RUNBOOK_FILE,
  alertsOf,
  ruleFile,
  ruleGroups,
  runbookAnchor,
  type Rule,
} from "../../../../../components/observability/rules";
import { requestsQuery } from "../../../../../components/observability/rules/objectives";
import { rulesArgs, rulesArgsOf, STACK_NAMES } from "../../../../support/rule-stacks";

const rulesOf = (name: (typeof STACK_NAMES)[number]) => ruleGroups(rulesArgs(name)).flatMap(({ rules }) => rules);

describe.each(STACK_NAMES)("the rules of the stack %s", (name) => {
  const args = rulesArgs(name);
  const groups = ruleGroups(args);
  const alerts = alertsOf(groups);

  it("have names that are theirs alone, with their own labels", () => {
    const identities = groups.flatMap(({ rules }) => rules.map(identity));
    expect(identities.filter((one, index) => identities.indexOf(one) !== index)).toEqual([]);
    const names = groups.map((group) => group.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("say of each alert how urgent it is, what it is about and where its runbook is", () => {
    expect(alerts.length).toBeGreaterThan(40);
    for (const { alert, labels, annotations } of alerts) {
      expect(["page", "ticket", "heartbeat"], alert).toContain(labels.severity);
      expect(annotations.summary, alert).not.toBe("");
      expect(annotations.description, alert).toMatch(/\d|\$value|always fires/);
      expect(annotations.runbook_url, alert).toBe(`${args.observability.runbooks}#${runbookAnchor(alert)}`);
    }
  });

  it("take no rate over less than four scrapes", () => {
    const scrape = args.observability.scrapeInterval / 1000;
    const windows = groups.flatMap(({ rules }) =>
      rules.flatMap(({ expr }) => [...expr.matchAll(/\b(?:rate|increase)\([^[]+\[(\d+)([smhd])\]/g)]),
    );
    expect(windows.length).toBeGreaterThan(20);
    for (const [text, count, unit] of windows) {
      expect(Number(count) * { s: 1, m: 60, h: 3600, d: 86_400 }[unit as "s"], text).toBeGreaterThanOrEqual(4 * scrape);
    }
  });

  it("become a file that says the same", () => {
    expect(parse(ruleFile(groups))).toEqual({ groups });
  });

  it("read of recorded series only those that are recorded", () => {
    const recorded = new Set(
      groups.flatMap(({ rules }) => rules.flatMap((rule) => ("record" in rule ? [rule.record] : []))),
    );
    const read = groups.flatMap(({ rules }) =>
      rules.flatMap(({ expr }) => expr.replace(/"[^"]*"/g, '""').match(/\b[a-z]\w*:[\w:]+/g) ?? []),
    );
    expect(read.length).toBeGreaterThan(20);
    expect([...new Set(read)].filter((series) => !recorded.has(series))).toEqual([]);
  });
});

describe("the rules", () => {
  it("are evaluated as often as is scraped, but for what is made of steps", () => {
    const intervals = Object.fromEntries(
      ruleGroups(rulesArgs("reference")).map(({ name, interval }) => [name, interval]),
    );
    const { "slo-steps": steps, "slo-long": long, ...others } = intervals;
    expect({ steps, long }).toEqual({ steps: "5m", long: "1m" });
    expect(new Set(Object.values(others))).toEqual(new Set(["15s"]));
  });

  it("have what dashboards read", () => {
    const records = new Set(rulesOf("reference").flatMap((rule) => ("record" in rule ? [rule.record] : [])));
    const promised = [
      "function:requests:rate5m",
      "function:errors:ratio_rate5m",
      "function:latency_seconds:p50_5m",
      "function:latency_seconds:p99_5m",
      "function:latency_seconds:p999_5m",
      "function:throttled:ratio_rate5m",
      ...["5m", "30m", "1h", "2h", "6h", "1d", "3d"].map((window) => `slo:burned:ratio_rate${window}`),
      "slo:objective:budget",
      "slo:budget_left:ratio",
      "gateway:requests:rate5m",
      "gateway:errors:ratio_rate5m",
      "authorizer:decisions:rate5m",
      "authorizer:latency_seconds:p99_5m",
      "tenant:cpu_cores:rate5m",
      "tenant:cpu_cores:avg1d",
      "scheduler:delay_seconds:p50_5m",
      "scheduler:delay_seconds:p99_5m",
      "node:pods:ratio",
    ];
    expect(promised.filter((name) => !records.has(name))).toEqual([]);
  });

  it("begin runbooks where the config says they are", () => {
    const observability = { runbooks: "https://wiki.example.com/runbooks" };
    const [first] = alertsOf(ruleGroups(rulesArgsOf({ observability })));
    expect(first?.annotations.runbook_url).toBe("https://wiki.example.com/runbooks#availabilitybudgetburn");
  });

  it("leave out what a stack has not: a store, a budget, a second Alertmanager, what Kong does not tell", () => {
    const names = (name: (typeof STACK_NAMES)[number]) =>
      new Set(alertsOf(ruleGroups(rulesArgs(name))).map(({ alert }) => alert));
    const missing = (name: (typeof STACK_NAMES)[number]) =>
      [...names("reference")].filter((alert) => !names(name).has(alert)).sort();
    expect(missing("plain")).toEqual(["AlertmanagerClusterBroken", "AuthorizerStoreDown", "TenantOverBudget"]);
    expect(missing("kong")).toEqual([
      "CertificateExpires",
      "CertificateExpiresSoon",
      "GatewayConfigStale",
      "GatewayConnectionsFull",
    ]);
  });
});

describe("the runbooks", () => {
  const text = readFileSync(resolve(__dirname, "../../../../../", ALERT_RUNBOOK_FILE), "utf8");
  const sections = [...text.matchAll(/^#{2,} (.+)$/gm)].map(([, heading = ""]) => heading);
  const alerts = [
    ...new Set(STACK_NAMES.flatMap((name) => alertsOf(ruleGroups(rulesArgs(name)))).map(({ alert }) => alert)),
  ];

  it("have a section for each alert, and none for what is no alert", () => {
    expect([...sections].sort()).toEqual([...alerts].sort());
  });

  it("say in each what to do", () => {
    for (const section of text.split(/^## /m).slice(1)) {
      expect(section, section.split("\n")[0]).toMatch(/^- /m);
    }
  });
});

function identity(rule: Rule): string {
  const labels = Object.entries(rule.labels ?? {}).sort();
  return JSON.stringify(["record" in rule ? rule.record : rule.alert, labels]);
}

it("tell who scales by requests one number of a series that they record, and none where no gateway is read", () => {
  const args = rulesArgs("reference");
  const query = requestsQuery(args.functions[0]!, args.observability);
  const of = `function="${args.functions[0]!.name}",tenant="${args.functions[0]!.tenant}"`;
  expect(query).toBe(`sum(slo:requests:rate1m{${of}}) or sum(up{job="gateway"} == 1) * 0`);
  expect(rulesOf("reference").flatMap((rule) => ("record" in rule ? [rule.record] : []))).toContain(
    "slo:requests:rate1m",
  );
});
