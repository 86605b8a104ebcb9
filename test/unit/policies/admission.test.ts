import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  ADMISSION_POLICIES,
  ALREADY_JUDGED,
  constraintOf,
  templateOf,
  watchedRules,
} from "../../../policies/admission";
import { EXAMPLE_FACTS } from "../../../policies/admission/example";
import { generatedFiles } from "../../../policies/admission/files";
import { POLICY_NAMES } from "../../../policies/admission/names";
import type { AdmissionFacts } from "../../../policies/admission/policy";

const FOLDER = resolve(__dirname, "../../../policies/admission");

interface Suite {
  readonly tests: readonly [{ readonly name: string; readonly cases: readonly Case[] }];
}

interface Case {
  readonly name: string;
  readonly object: string;
  readonly assertions: readonly { readonly violations: "no" | number; readonly message?: string }[];
}

function suiteOf(policy: string): Suite["tests"][0] {
  return (parse(readFileSync(join(FOLDER, policy, "suite.yaml"), "utf8")) as Suite).tests[0];
}

const regoOf = (policy: string) => readFileSync(join(FOLDER, policy, `${policy}.rego`), "utf8");

describe("the admission policies", () => {
  it("are the folders, by name", () => {
    const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).filter((name) => name !== "lib")).toEqual([...POLICY_NAMES]);
    expect(ADMISSION_POLICIES.map(({ name }) => name)).toEqual([...POLICY_NAMES]);
  });

  it("have kinds of their own", () => {
    const kinds = ADMISSION_POLICIES.map(({ kind }) => kind);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(kinds.every((kind) => kind.startsWith("Wasm"))).toBe(true);
  });

  it("are what is kept of them: run `make policy` where not", () => {
    for (const { path, content } of generatedFiles()) expect(readFileSync(path, "utf8"), path).toBe(content);
  });

  it.each(ADMISSION_POLICIES)("$name has a schema of each parameter", ({ schema, parameters }) => {
    expect(Object.keys(schema)).toEqual(Object.keys(parameters(EXAMPLE_FACTS)));
  });

  it.each(ADMISSION_POLICIES)("$name has the rules that its Rego has", ({ name, rules }) => {
    const rego = regoOf(name);
    for (const rule of rules) expect(rego).toContain(`"${rule}"`);
    for (const [, rule] of rego.matchAll(/"rule": "([^"]+)"/g)) expect(rules).toContain(rule);
  });

  it.each(ADMISSION_POLICIES)("$name is exempt from by rules that it has, for a reason", ({ rules, exemptions }) => {
    for (const { allows, reason } of exemptions) {
      expect(rules).toEqual(expect.arrayContaining([...allows]));
      expect(reason).toMatch(/^[A-Z].{20,}\.$/);
    }
  });
});

describe("the suites", () => {
  it.each(POLICY_NAMES)("of %s shows what is let in and what is refused, with count and messages", (name) => {
    const { cases } = suiteOf(name);
    const refused = cases.filter(({ assertions }) => assertions[0]?.violations !== "no");
    expect(refused.length).toBeGreaterThan(0);
    expect(cases.length).toBeGreaterThan(refused.length);
    for (const { name: title, assertions } of refused) {
      const [count, ...messages] = assertions;
      // What the messages say adds up to all that there is.
      expect(count?.message, title).toBeUndefined();
      expect(messages.every(({ message }) => message !== undefined)).toBe(true);
      const told = messages.reduce((sum, { violations }) => sum + Number(violations), 0);
      expect(told, title).toBe(count?.violations);
    }
  });

  it.each(POLICY_NAMES)("of %s uses every sample", (name) => {
    const used = suiteOf(name).cases.map(({ object }) => object.replace("samples/", ""));
    expect(used.sort()).toEqual(readdirSync(join(FOLDER, name, "samples")));
  });
});

describe("a template", () => {
  it("has the Rego, what all share, and a schema", () => {
    const [policy] = ADMISSION_POLICIES;
    const template = templateOf(policy!) as unknown as {
      metadata: { name: string };
      spec: { targets: [{ rego: string; libs: string[] }] };
    };
    expect(template.metadata.name).toBe("wasmallowedregistries");
    const [{ rego, libs }] = template.spec.targets;
    expect(rego).toBe(regoOf("allowed-registries"));
    expect(libs).toEqual([readFileSync(join(FOLDER, "lib/objects.rego"), "utf8")]);
  });
});

/** What a constraint of this name is told for a stack. */
function parametersOf(name: string, facts: AdmissionFacts): Record<string, unknown> {
  const policy = ADMISSION_POLICIES.find((candidate) => candidate.name === name)!;
  return constraintOf(policy, facts, "warn").spec["parameters"] as Record<string, unknown>;
}

describe("a constraint", () => {
  it("does with an object what it is told to", () => {
    for (const policy of ADMISSION_POLICIES) {
      expect(constraintOf(policy, EXAMPLE_FACTS, "dryrun").spec["enforcementAction"]).toBe("dryrun");
    }
  });

  it("asks for digests where the stack does", () => {
    expect(parametersOf("digest-pinned-images", EXAMPLE_FACTS)["namespaces"]).toEqual(["shop", "billing", "returns"]);
    expect(parametersOf("digest-pinned-images", { ...EXAMPLE_FACTS, digests: false })["namespaces"]).toEqual([]);
  });

  it("exempts only what the stack has, where it has it", () => {
    const platform = EXAMPLE_FACTS.platform
      .filter(({ role }) => role !== "metallb")
      .map((part) => (part.role === "monitoring-hosts" ? { ...part, namespace: "watchers" } : part));
    const { exemptions } = parametersOf("pod-security", { ...EXAMPLE_FACTS, platform });
    const names = (exemptions as { namespace: string; name: string }[]).map((one) => `${one.namespace}/${one.name}`);
    expect(names).toEqual(["watchers/node-exporter", "watchers/collector"]);
  });

  it("exempts objects without a namespace by their name alone", () => {
    const exemptions = parametersOf("rbac", EXAMPLE_FACTS)["exemptions"] as { kind: string; namespace?: string }[];
    expect(exemptions.filter(({ kind, namespace }) => kind.startsWith("Cluster") && namespace !== undefined)).toEqual(
      [],
    );
    const labels = parametersOf("required-labels", EXAMPLE_FACTS)["exemptions"];
    expect(labels).toContainEqual(
      expect.objectContaining({ kind: "Service", namespace: "default", name: "kubernetes" }),
    );
  });
});

describe("what the API server asks about", () => {
  const rule = (group: string, version: string, resources: string[]) => ({
    apiGroups: [group],
    apiVersions: [version],
    operations: ["CREATE", "UPDATE"],
    resources,
  });

  it("is what some policy is about, and nothing else", () => {
    expect(watchedRules(ADMISSION_POLICIES)).toEqual([
      rule("", "v1", ["namespaces", "pods", "pods/ephemeralcontainers", "pods/resize", "serviceaccounts", "services"]),
      rule("apps", "v1", [
        "daemonsets",
        "deployments",
        "deployments/scale",
        "replicasets",
        "replicasets/scale",
        "statefulsets",
        "statefulsets/scale",
      ]),
      rule("autoscaling", "v2", ["horizontalpodautoscalers"]),
      rule("batch", "v1", ["cronjobs", "jobs"]),
      rule("networking.k8s.io", "v1", ["networkpolicies"]),
      rule("policy", "v1", ["poddisruptionbudgets"]),
      rule("rbac.authorization.k8s.io", "v1", ["clusterrolebindings", "clusterroles", "rolebindings", "roles"]),
    ]);
  });

  it("is less with fewer policies", () => {
    const budget = ADMISSION_POLICIES.filter(({ name }) => name === "pod-disruption-budget");
    expect(watchedRules(budget)).toEqual([rule("policy", "v1", ["poddisruptionbudgets"])]);
    expect(watchedRules([])).toEqual([]);
  });

  it("is not what Kubernetes' controllers do for an object that was judged itself", () => {
    expect(ALREADY_JUDGED.expression).toMatch(
      /^!\(request\.userInfo\.username in \[("system:serviceaccount:kube-system:[a-z-]+",?)+\]\)$/,
    );
    const kinds = ADMISSION_POLICIES.find(({ name }) => name === "pod-security")!.matches.map(({ kind }) => kind);
    expect(kinds.sort()).toEqual(["CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"]);
  });
});
