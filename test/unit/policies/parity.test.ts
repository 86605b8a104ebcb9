import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { ManifestObject } from "../../../components/manifest";
import { EXAMPLE_FACTS } from "../../../policies/admission/example";
import { POLICY_NAMES, type PolicyName } from "../../../policies/admission/names";
import { STACK_POLICY_NAMES } from "../../../policies/stack/names";
import { stackConfig } from "../../support/rendered";
import { judge } from "../../support/stack-policies";

const FOLDER = path.resolve(__dirname, "../../../policies/admission");

/** Samples that admission refuses and the stack policy of the same name does not, and why that is right. */
const ADMISSION_ALONE: Readonly<Record<string, string>> = {
  "replica-limits/scale.yaml": "A Scale is what `kubectl scale` and autoscalers send: no program registers one.",
  "replica-limits/further-above.yaml":
    "It is about what an update makes worse: a program registers what will be, not what was.",
  "public-services/opened-while-leaving.yaml":
    "It is about what is being deleted already: the engine changes no such object.",
};

interface Case {
  readonly object: string;
  readonly assertions: readonly { readonly violations?: number | "yes" | "no" }[];
}

/** What gator's suites say is refused, by policies that both sides have. */
const refused = POLICY_NAMES.filter((name) => (STACK_POLICY_NAMES as readonly string[]).includes(name)).flatMap(
  (policy) => {
    const suite = read(`${policy}/suite.yaml`) as { readonly tests: readonly { readonly cases: readonly Case[] }[] };
    const bad = suite.tests
      .flatMap(({ cases }) => cases)
      .filter(({ assertions }) => assertions[0]?.violations !== "no");
    return bad.map(({ object }) => ({ policy, sample: `${policy}/${object.replace("samples/", "")}`, object }));
  },
);

function read(file: string): unknown {
  return parse(readFileSync(path.join(FOLDER, file), "utf8"));
}

/** Production with the tenants and functions that the samples are about. */
const overrides = (() => {
  const production = stackConfig("prod");
  const [fn] = production["functions"] as readonly object[];
  const { tenants } = EXAMPLE_FACTS;
  return {
    tenants: tenants.map(({ namespace: name }) => ({ name })),
    functions: tenants.flatMap(({ namespace: tenant, functions }) =>
      functions.map(({ name, maxReplicas }) => ({
        ...fn,
        name,
        tenant,
        scaling: { min: 10, initial: 10, max: maxReplicas },
        workload: { peakRequestsPerSecond: 100 },
      })),
    ),
  };
})();

function refusedByStack(policy: PolicyName, object: string): boolean {
  const sample = read(`${policy}/${object}`) as ManifestObject;
  // An update, of which a program knows one side alone.
  if (sample.kind === "AdmissionReview") return false;
  const { apiVersion, kind, ...inputs } = sample;
  const type = `kubernetes:${apiVersion.includes("/") ? apiVersion : `core/${apiVersion}`}:${kind}`;
  const resource = { type, name: inputs.metadata.name, inputs, options: {}, dependencies: [] };
  return judge("prod", [resource], { overrides }).some((violation) => violation.policy === policy);
}

describe("what admission refuses", () => {
  it.each(refused)("the stack policy refuses as well, or says why not: $sample", ({ policy, sample, object }) => {
    expect(refusedByStack(policy, object)).toBe(ADMISSION_ALONE[sample] === undefined);
  });

  it("has no exception that is of no sample", () => {
    expect(refused.map(({ sample }) => sample)).toEqual(expect.arrayContaining(Object.keys(ADMISSION_ALONE)));
  });
});
