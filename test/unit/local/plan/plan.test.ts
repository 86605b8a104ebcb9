import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ProblemsError } from "../../../../infra/problems";
import { projectPaths } from "../../../../local/paths";
import { plan } from "../../../../local/plan/command";
import type { PlanFigures } from "../../../../local/plan/figures";
import { planMarkdown } from "../../../../local/plan/markdown";
import { silentProgress } from "../../../../local/progress";

const paths = projectPaths(resolve(__dirname, "../../../.."));

let folder: string;
let kept: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wasm-functions-plan-"));
  kept = join(folder, "plan.json");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** What `make plan` prints. */
async function printed(stack: string, env: Readonly<Record<"PLAN" | "AGAINST", string>>): Promise<string> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const { signal } = new AbortController();
  const texts: string[] = [];
  const print = (text: string) => void texts.push(text);
  await plan({ paths, progress: silentProgress, signal, engineSignal: signal, print }, stack);
  return texts.join("\n");
}

const readKept = () => JSON.parse(readFileSync(kept, "utf8")) as PlanFigures;

describe("make plan", () => {
  it("tells of production what its targets come to", async () => {
    const text = await printed("prod", { PLAN: "", AGAINST: "" });
    expect(text).toMatch(/^### Plan of prod\n\n\| figure \| planned \|\n\| --- \| --- \|\n/);
    expect(text).toContain("| serverless-function: replicas | 10 to 5,000, 100 at first |");
    expect(text).toContain("| Requests/s at peak | 100,000 |");
    expect(text).toMatch(/\| Pods at the worst moment \| [\d,]+ of [\d,]+ \|/);
    expect(text).toMatch(/\| serverless-function: min to max \| \d+ s, held back by nodes \|/);
    expect(text).toMatch(/\| Saved against reference containers \| [\d.]+% of hosts, /);
    expect(text).toMatch(/Warnings:\n\n- .*Kubernetes 1\.30/);
  });

  it("keeps a plan that the same stack is as before against", async () => {
    await printed("dev", { PLAN: kept, AGAINST: "" });
    const text = await printed("dev", { PLAN: "", AGAINST: kept });
    const { figures, warnings } = readKept();
    expect(text).toContain(`All ${Object.keys(figures).length} figures are as before.`);
    expect(warnings).not.toEqual([]);
    expect(text).not.toContain("**");
  });

  it("tells what another plan had, what is new and what is gone", async () => {
    await printed("dev", { PLAN: kept, AGAINST: "" });
    const { stack, figures } = readKept();
    const { Agents: agents, "Hosts at peak": hosts, ...rest } = figures;
    const other = { ...rest, Agents: "7", Mainframes: "1" };
    writeFileSync(kept, JSON.stringify({ stack, figures: other, warnings: [] }));
    const text = await printed("dev", { PLAN: "", AGAINST: kept });
    expect(text).toContain(`3 of ${Object.keys(figures).length + 1} figures changed.`);
    expect(text).toContain(`| Agents | **${agents}** | 7 |`);
    expect(text).toContain(`| Hosts at peak | **${hosts}** | new |`);
    expect(text).toContain("| Mainframes | **gone** | 1 |");
    expect(text).toMatch(/\n- \*\*new:\*\* cluster\.version/);
  });

  it.each([
    ["nothing", undefined, "it cannot be read"],
    ["no JSON", "{", "it is not JSON"],
    ["something else", '{"stack":"dev"}', "it is not a plan that make plan kept"],
    ["a plan of another stack", '{"stack":"prod","figures":{},"warnings":[]}', "it is a plan of stack prod"],
  ])("refuses to compare with %s", async (_, content, limit) => {
    if (content !== undefined) writeFileSync(kept, content);
    const error: unknown = await printed("dev", { PLAN: "", AGAINST: kept }).catch((reason: unknown) => reason);
    const fix = `keep one first: make plan STACK=dev PLAN=${kept}`;
    expect((error as ProblemsError).problems).toEqual([{ path: "AGAINST", value: kept, limit, fix }]);
  });
});

it("lets nothing that a stack names become markup", () => {
  const text = planMarkdown({ stack: "dev", figures: { "a|b": "<img>\n`@team`" }, warnings: ["[x](y)"] });
  expect(text).toContain("| a&#124;b | &#60;img&#62; &#96;&#64;team&#96; |");
  expect(text).toContain("- &#91;x&#93;(y)");
});
