import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ManifestObject } from "../../components/manifest";
import { projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { run } from "../../local/run";
import { ensureTools } from "../../local/tools/resolve";
import { ADMISSION_POLICIES } from "../../policies/admission";
import { POLICY_NAMES } from "../../policies/admission/names";
import { judge } from "../support/gator";
import { coverRego, lintRego, testRego } from "../support/opa";
import { renderStack, STACKS, stackConfig } from "../support/rendered";

const ROOT = resolve(__dirname, "../..");
const FOLDER = join(ROOT, "policies/admission");

let opa: string;
let gator: string;

beforeAll(async () => {
  const paths = projectPaths(ROOT);
  ({ opa, gator } = await ensureTools(["opa", "gator"], { paths, progress: silentProgress }));
});

describe("the Rego of the admission policies", () => {
  it("passes its own tests", async () => {
    const results = await testRego(opa, FOLDER);
    expect(results.length).toBeGreaterThan(POLICY_NAMES.length);
    expect(results.filter(({ fail, skip }) => fail === true || skip === true)).toEqual([]);
  });

  it("has no line that its tests do not reach", async () => {
    const { coverage, files } = await coverRego(opa, FOLDER);
    const rego = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".rego"));
    expect(Object.keys(files).sort()).toEqual(rego.map((file) => join(FOLDER, file)).sort());
    expect(coverage).toBe(100);
  });

  it("is formatted, and strict about what it names and imports", async () => {
    expect(await lintRego(opa, FOLDER)).toBe("");
  });

  it("lets in and refuses the samples, with their messages, as Gatekeeper runs it", async () => {
    const output = await run(gator, ["verify", `${FOLDER}/...`]);
    expect(output.match(/^ok\s/gm)).toHaveLength(POLICY_NAMES.length);
    expect(output).toMatch(/^PASS$/m);
  });
});

/** What Gatekeeper is given in a stack, and all that it would be asked about. */
interface Judged {
  readonly templates: readonly ManifestObject[];
  readonly constraints: readonly Constraint[];
  readonly objects: readonly ManifestObject[];
}

interface Constraint extends ManifestObject {
  readonly spec: { readonly parameters: { readonly exemptions: readonly Exempted[] } };
}

interface Exempted {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly allows: readonly string[];
}

async function judged(stack: string, overrides: object = {}): Promise<Judged> {
  const all = await renderStack(stack, overrides);
  const templates = all.filter(({ kind }) => kind === "ConstraintTemplate");
  const constraints = all.filter(({ apiVersion }) => apiVersion.startsWith("constraints.gatekeeper.sh/"));
  const policies: readonly object[] = [...templates, ...constraints];
  const objects = all.filter((object) => !policies.includes(object));
  return { templates, constraints: constraints as unknown as Constraint[], objects };
}

/** Exempt by what the API server or K3s makes: no object of a stack. */
function ofKubernetes(policy: string, { kind, name }: Exempted): boolean {
  const { exemptions } = ADMISSION_POLICIES.find((candidate) => candidate.name === policy)!;
  return exemptions.some((one) => one.of === "kubernetes" && one.kind === kind && one.name === name);
}

const withKong = { gateway: { ...(stackConfig("dev")["gateway"] as object), kind: "kong" } };

describe("a stack's own constraints", () => {
  it.each([...STACKS.map((stack) => [stack, stack, {}] as const), ["dev with Kong", "dev", withKong] as const])(
    "let in all that %s makes",
    async (_, stack, overrides) => {
      const { templates, constraints, objects } = await judged(stack, overrides);
      expect(constraints.map(({ metadata }) => metadata.name).sort()).toEqual([...POLICY_NAMES]);
      expect(templates).toHaveLength(POLICY_NAMES.length);
      expect(await judge(gator, [...templates, ...constraints], objects)).toEqual([]);
    },
  );

  it("exempt nothing that they need not: in prod, which has every part", async () => {
    const { templates, constraints, objects } = await judged("prod");
    const strict = constraints.map((constraint) => ({
      ...constraint,
      spec: { ...constraint.spec, parameters: { ...constraint.spec.parameters, exemptions: [] } },
    }));
    const refused = (await judge(gator, [...templates, ...strict], objects)).map(
      ({ policy, rule, message }) => `${policy}, ${rule}: ${message.split(": ", 1).join("")}`,
    );
    const exempt = constraints.flatMap(({ metadata: { name: policy }, spec: { parameters } }) =>
      parameters.exemptions
        .filter((one) => !ofKubernetes(policy, one))
        .flatMap(({ kind, namespace, name, allows }) =>
          allows.map((rule) => `${policy}, ${rule}: ${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`),
        ),
    );
    expect([...new Set(refused)].sort()).toEqual(exempt.sort());
    // All that the policies know of: no exemption is left out for a part that no stack has.
    const known = ADMISSION_POLICIES.flatMap(({ exemptions }) => exemptions.filter(({ of }) => of !== "kubernetes"));
    expect(exempt).toHaveLength(known.reduce((sum, { allows }) => sum + allows.length, 0));
  });
});
