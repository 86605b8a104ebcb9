import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { ADMISSION_POLICIES } from "../../../policies/admission";
import { POLICY_NAMES } from "../../../policies/admission/names";
import type { AdmissionPolicy, Exemption } from "../../../policies/admission/policy";
import { INTENTS } from "../../../policies/intents";
import { STACK_POLICY_NAMES } from "../../../policies/stack/names";

describe("the intents", () => {
  it("have each policy of both packs once", () => {
    expect(INTENTS.flatMap(({ admission }) => admission).sort()).toEqual([...POLICY_NAMES].sort());
    expect(INTENTS.flatMap(({ stack }) => stack).sort()).toEqual([...STACK_POLICY_NAMES].sort());
  });

  it("say why, where one side alone enforces it, and only there", () => {
    for (const { intent, stack, admission, oneSided } of INTENTS) {
      expect(oneSided === undefined, intent).toBe(stack.length > 0 && admission.length > 0);
    }
  });

  it("have one name for what both sides enforce alike", () => {
    const shared = POLICY_NAMES.filter((name) => (STACK_POLICY_NAMES as readonly string[]).includes(name));
    for (const name of shared) {
      expect(INTENTS.find(({ admission }) => admission.includes(name))?.stack).toEqual([name]);
    }
  });
});

describe("docs/policies.md", () => {
  const docs = readFileSync(resolve(__dirname, "../../../docs/policies.md"), "utf8");

  /** The rows of the table below a heading, as cells. */
  function table(heading: string): string[][] {
    const [, section = ""] = docs.split(`\n## ${heading}\n`);
    const lines = section.split("\n## ", 1).join("").split("\n");
    const rows = lines.filter((line) => line.startsWith("|")).slice(2);
    return rows.map((row) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }

  it("has the intents", () => {
    const names = (list: readonly string[]) => list.map((name) => `\`${name}\``).join(", ");
    const rows = INTENTS.map(({ intent, stack, admission, oneSided = "" }) => [
      intent,
      names(stack),
      names(admission),
      oneSided,
    ]);
    expect(table("What is stopped where")).toEqual(rows);
  });

  it("has the admission policies", () => {
    const rows = ADMISSION_POLICIES.map(({ name, title, matches, rules }) => [
      `\`${name}\``,
      title,
      matches.map(({ kind }) => kind).join(", "),
      rules.join(", "),
    ]);
    expect(table("Admission policies")).toEqual(rows);
  });

  it("has every exemption from an admission policy, and its reason", () => {
    const row = ({ name: policy }: AdmissionPolicy, { kind, namespace, of, name, allows, reason }: Exemption) => {
      const where = namespace === undefined ? "" : `${namespace}/`;
      return [`\`${policy}\``, allows.join(", "), `${kind} \`${where}${name}\` (${of})`, reason];
    };
    const rows = ADMISSION_POLICIES.flatMap((policy) => policy.exemptions.map((exemption) => row(policy, exemption)));
    expect(table("Who is exempt from admission policies")).toEqual(rows);
  });
});
