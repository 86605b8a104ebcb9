import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOME_VARIABLE, projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { run } from "../../local/run";
import { ensureTools } from "../../local/tools/resolve";
import { commandsOf, REPOSITORY, SHELL, WORKFLOW_NAMES } from "../support/workflows";

/** The workflows' own commands, run here as a runner runs them: what GitHub alone can do is left out. */
const folder = mkdtempSync(join(tmpdir(), "wasm-functions-workflows-"));
afterAll(() => rmSync(folder, { recursive: true }));

let actionlint: string;
beforeAll(async () => {
  const tools = { paths: projectPaths(REPOSITORY), progress: silentProgress };
  ({ actionlint } = await ensureTools(["actionlint"], tools));
});

/** actionlint has shellcheck read each command, where that is on PATH; in CI it is. */
it("actionlint finds nothing in any workflow, nor shellcheck in their commands", async () => {
  const files = WORKFLOW_NAMES.map((name) => join(REPOSITORY, ".github/workflows", `${name}.yml`));
  expect(files.length).toBeGreaterThanOrEqual(4);
  if (process.env["CI"]) expect(await run("shellcheck", ["--version"])).toContain("ShellCheck");
  expect(await run(actionlint, ["-no-color", ...files], { cwd: REPOSITORY })).toBe("");
});

describe("a pull request", () => {
  const summary = join(folder, "summary.md");
  const output = join(folder, "output");

  /** A step of the job `plan`, compared with what lies in `base`. */
  function step(name: string, base: string): Promise<string> {
    const [shell, ...args] = SHELL;
    rmSync(summary, { force: true });
    rmSync(output, { force: true });
    const runner = {
      RUNNER_TEMP: mkdtempSync(join(folder, "temp-")),
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_OUTPUT: output,
    };
    const own = { [HOME_VARIABLE]: join(folder, "home"), PULUMI_CONFIG_PASSPHRASE: "of a preview", BASE: base };
    return run(shell, [...args, commandsOf("preview", "plan", name)], {
      cwd: REPOSITORY,
      env: { ...process.env, ...runner, ...own },
    });
  }

  /** A base that can plan dev, with this same checkout, and knows no prod. */
  function baseWithoutProd(): string {
    const base = mkdtempSync(join(folder, "base-"));
    const recipe = ["@test $(STACK) = dev", `@$(MAKE) -s -C '${REPOSITORY}' plan`];
    writeFileSync(join(base, "Makefile"), `plan:\n${recipe.map((line) => `\t${line}\n`).join("")}`);
    return base;
  }

  it("is told what both stacks come to, and what changed where the base has a plan", async () => {
    const said = await step("Plan both stacks, and compare them with the base", baseWithoutProd());
    expect(said.trim()).toBe("::notice::the base has no plan of prod to compare with");
    const told = readFileSync(summary, "utf8");
    expect(told).toMatch(/^### Plan of dev\n\nAll \d+ figures are as before\.\n\n\| figure \| planned \| before \|\n/);
    expect(told).toMatch(/\n\n### Plan of prod\n\n\| figure \| planned \|\n/);
    // The job's output, between two lines that nobody can guess.
    const [, end, value] = /^comment<<(end-[0-9a-f]{32})\n([^]*)\n\1\n$/.exec(readFileSync(output, "utf8")) ?? [];
    expect(end).toBeDefined();
    expect(`${value}\n`).toBe(told);
  });

  it("is previewed from nothing, without any secret or backend of its own", async () => {
    const said = await step("Preview both stacks from nothing, with the policy pack", folder);
    expect(said.match(/^would be \d+ created$/gm)).toHaveLength(2);
    expect(said).toContain("Stack prod is not there yet: everything would be created");
  });
});
