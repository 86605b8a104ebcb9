import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ManifestObject } from "../../components/manifest";
import { k3sMinor, TOOL_VERSIONS } from "../../infra/versions";
import { projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { run, type CommandError } from "../../local/run";
import { ensureTools } from "../../local/tools/resolve";
import { renderStack, STACKS } from "../support/rendered";
import { ACCEPTED } from "./scans/accepted";
import { CANNOT_RUN, checkov, ensureCheckov, type CheckovReport } from "./scans/checkov";
import { judge, kubeconformFindings, kubeScoreFindings, nameOf, type Finding } from "./scans/findings";
import { readSwagger, SCHEMA_LOCATION, writeSchemas } from "./scans/schemas";

const REPOSITORY = resolve(__dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "wasm-functions-scans-"));
afterAll(() => rmSync(folder, { recursive: true }));

const paths = projectPaths(REPOSITORY);
const options = { paths, progress: silentProgress };
const rendered = new Map<string, readonly ManifestObject[]>();
let tools: Record<"kube-score" | "kubeconform", string>;

/** The stacks, and of production what it would have besides with functions that are scaled by their requests. */
const BY_REQUESTS = "prod-by-requests";
const SCANNED = [...STACKS, BY_REQUESTS];

async function render(stack: string): Promise<readonly ManifestObject[]> {
  if (stack !== BY_REQUESTS) return renderStack(stack);
  const image = `registry.example.com/serverless-function@sha256:${"0".repeat(64)}`;
  const functions = [{ image, objectives: { availability: "99.9%" }, scaling: { metric: "rps", min: 0 } }];
  const there = new Set(rendered.get("prod")!.map(nameOf));
  return (await renderStack("prod", { functions })).filter((object) => !there.has(nameOf(object)));
}

const fileOf = (stack: string) => join(folder, "stacks", stack, "objects.yaml");

/** As a file for `kubectl apply`. */
const written = (objects: readonly object[]) => objects.map((object) => `---\n${JSON.stringify(object)}\n`).join("");

beforeAll(async () => {
  tools = await ensureTools(["kube-score", "kubeconform"], options);
  for (const stack of SCANNED) {
    const objects = await render(stack);
    rendered.set(stack, objects);
    mkdirSync(join(folder, "stacks", stack), { recursive: true });
    writeFileSync(fileOf(stack), written(objects));
  }
});

/** Findings of one scanner over all stacks, and what of its list was not needed. */
function judged(scanner: Finding["scanner"], findings: readonly Finding[]) {
  const own = ACCEPTED.filter((entry) => entry.scanner === scanner);
  return judge(findings, own);
}

const NOTHING = { open: [], unused: [] };

describe("kube-score", () => {
  // Of the checks that are off by default: what we hold besides.
  const more = ["container-seccomp-profile", "container-ports-check"].flatMap((id) => ["--enable-optional-test", id]);
  const version = `v${k3sMinor(`v${TOOL_VERSIONS.kubernetes}+k3s1`)}`;
  // It ends with 1 where it finds anything, and tells on standard output all the same.
  const score = (file: string) =>
    run(tools["kube-score"], [
      "score",
      "--output-format",
      "json",
      "--kubernetes-version",
      version,
      ...more,
      file,
    ]).catch((error: unknown) => (error as CommandError).output);

  it("finds nothing in any stack but what is accepted", async () => {
    const printed = await Promise.all(
      SCANNED.map(async (stack) => kubeScoreFindings(stack, await score(fileOf(stack)))),
    );
    expect(judged("kube-score", printed.flat())).toEqual(NOTHING);
  });
});

describe.skipIf(CANNOT_RUN)("checkov", () => {
  let reports: readonly CheckovReport[];
  const of = (type: CheckovReport["check_type"]) => reports.find(({ check_type }) => check_type === type)!;

  /** One run over the stacks and the workflows: most of its time is Python's start. */
  beforeAll(async () => {
    const python = await ensureCheckov(options);
    cpSync(join(REPOSITORY, ".github"), join(folder, "stacks/.github"), { recursive: true });
    reports = await checkov(python, join(folder, "stacks"));
  });

  /** `Kind.namespace.name`, the namespace being `default` where an object has none. */
  const known = (stack: string) =>
    new Map<string, string>(
      rendered.get(stack)?.map((object) => {
        const { kind, metadata } = object;
        const resource = `${kind}.${metadata.namespace ?? "default"}.${metadata.name}`;
        return [resource, nameOf(object)] as const;
      }),
    );

  it("finds nothing in any stack but what is accepted", () => {
    const { results, summary } = of("kubernetes");
    expect(summary.parsing_errors).toBe(0);
    expect(summary.passed).toBeGreaterThan(1000);
    const findings = results.failed_checks.map(({ check_id: check, file_path, resource }): Finding => {
      const stack = file_path.split("/")[1] ?? "";
      return { scanner: "checkov", check, object: known(stack).get(resource) ?? resource, stack };
    });
    expect(judged("checkov", findings)).toEqual(NOTHING);
  });

  it("finds nothing in the workflows", () => {
    const { results, summary } = of("github_actions");
    expect(summary.passed).toBeGreaterThan(50);
    expect(results.failed_checks).toEqual([]);
  });
});

describe("kubeconform", () => {
  const schemas = join(folder, "schemas");
  const conform = (file: string) => {
    const args = [
      "-output",
      "json",
      "-summary",
      "-verbose",
      "-strict",
      "-schema-location",
      join(schemas, SCHEMA_LOCATION),
    ];
    return run(tools.kubeconform, [...args, file]).catch((error: unknown) => (error as CommandError).output);
  };

  beforeAll(async () => {
    const swagger = await readSwagger(join(paths.toolSources, "kubernetes"));
    writeSchemas(schemas, swagger, [...rendered.values()].flat());
  });

  it("finds each object of every stack to be what its kind's schema says", async () => {
    const printed = await Promise.all(SCANNED.map(async (stack) => [stack, await conform(fileOf(stack))] as const));
    expect(
      judged(
        "kubeconform",
        printed.flatMap(([stack, text]) => kubeconformFindings(stack, text)),
      ),
    ).toEqual(NOTHING);
    expect(rendered.get(BY_REQUESTS)?.map(nameOf)).toContain("ScaledObject shop/serverless-function");
    for (const [stack, text] of printed) {
      const { summary } = JSON.parse(text) as { summary: { valid: number } };
      expect(summary.valid, stack).toBe(rendered.get(stack)?.length);
    }
  });

  it("would find a field that is none, one of another type, and one that is missing, also in what a CRD defines", async () => {
    const { metadata } = { metadata: { name: "x", namespace: "y" } };
    const container = { name: "x", image: "x", ports: [{ containerPort: "80" }] };
    const wrong = [
      { apiVersion: "v1", kind: "ConfigMap", metadata, datum: {} },
      {
        apiVersion: "apps/v1",
        kind: "DaemonSet",
        metadata,
        spec: { selector: {}, template: { spec: { containers: [container] } } },
      },
      { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { template: {} } },
      { apiVersion: "metallb.io/v1beta1", kind: "IPAddressPool", metadata, spec: { addresses: [], autoAsign: false } },
    ];
    const file = join(folder, "wrong.yaml");
    writeFileSync(file, written(wrong));
    const found = kubeconformFindings("wrong", await conform(file));
    expect(found.map(({ object, check }) => `${object}: ${check}`).sort()).toEqual([
      expect.stringMatching(/^ConfigMap x: .*additional properties 'datum' not allowed/),
      expect.stringMatching(/^DaemonSet x: .*\/containers\/0\/ports\/0\/containerPort.*got string, want integer/),
      expect.stringMatching(/^Deployment x: .*missing property 'selector'/),
      expect.stringMatching(/^IPAddressPool x: .*additional properties 'autoAsign' not allowed/),
    ]);
  });
});

describe("the list of what is accepted", () => {
  it("has a reason for each, once for a check, and no object twice", () => {
    for (const { because, on } of ACCEPTED) {
      expect(because.length, because).toBeGreaterThan(30);
      expect(on === "everything" || (on.length > 0 && new Set(on).size === on.length), because).toBe(true);
    }
    const checks = ACCEPTED.filter(({ on }) => on === "everything").map(({ check }) => check);
    expect(ACCEPTED.filter(({ check, on }) => on !== "everything" && checks.includes(check))).toEqual([]);
  });

  it("accepts neither more than it says, nor says more than is found", () => {
    const finding = (object: string): Finding => ({ scanner: "checkov", check: "CKV_1", object, stack: "dev" });
    const accepted = [{ scanner: "checkov", check: "CKV_1", on: ["Pod a/b", "Pod a/c"], because: "" }] as const;
    expect(judge([finding("Pod a/b"), finding("Pod a/d")], accepted)).toEqual({
      open: ["checkov CKV_1: Pod a/d (dev)"],
      unused: ["checkov CKV_1: Pod a/c"],
    });
  });
});
