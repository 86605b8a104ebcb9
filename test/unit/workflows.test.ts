import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TOOL_VERSIONS } from "../../infra/versions";
import {
  actionSteps,
  actionText,
  REPOSITORY,
  workflow,
  WORKFLOW_NAMES,
  workflowText,
  type Step,
} from "../support/workflows";

const texts = [actionText(), ...WORKFLOW_NAMES.map(workflowText)];
const jobs = WORKFLOW_NAMES.flatMap((name) =>
  Object.entries(workflow(name).jobs).map(([job, content]) => ({
    name: `${name}: ${job}`,
    workflow: name,
    ...content,
  })),
);
const steps: readonly Step[] = [...actionSteps(), ...jobs.flatMap((job) => job.steps)];

describe("actions", () => {
  it("of others are pinned by commit, each at one, with its version beside it", () => {
    const lines = texts.flatMap((text) => text.match(/uses: .*/g) ?? []).filter((line) => !line.startsWith("uses: ./"));
    expect(lines.length).toBeGreaterThan(15);
    const pinned = /^uses: ([\w.-]+\/[\w.-]+)(?:\/\w+)?@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$/;
    expect(lines.filter((line) => !pinned.test(line))).toEqual([]);
    const pins = new Set(lines.map((line) => (pinned.exec(line) ?? []).slice(1).join(" ")));
    const repositories = [...pins].map((pin) => pin.split(" ")[0]);
    expect(repositories).toEqual([...new Set(repositories)]);
  });

  it("leave no credential of GitHub in the checkout", () => {
    const checkouts = steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts.length).toBeGreaterThan(5);
    expect(checkouts.filter((step) => step.with?.["persist-credentials"] !== false)).toEqual([]);
  });

  it("are the Pulumi that this project builds, with files that are there", () => {
    const pulumi = actionSteps().find(({ uses }) => uses?.startsWith("pulumi/actions@"));
    expect(pulumi?.with).toMatchObject({ "pulumi-version": TOOL_VERSIONS.pulumi, policyPacks: "policies/stack" });
    const levels = String(pulumi?.with?.["policyPackConfigs"]);
    const named = ["dev", "prod"].map((stack) => levels.replace("${{ inputs.stack }}", stack));
    expect(
      ["policies/stack/PulumiPolicy.yaml", ...named].filter((file) => !existsSync(join(REPOSITORY, file))),
    ).toEqual([]);
  });
});

describe("permissions", () => {
  it("are to read, but for what a job is there to write", () => {
    for (const name of WORKFLOW_NAMES) expect(workflow(name).permissions).toEqual({ contents: "read" });
    const writing = jobs.map(({ name, permissions = {} }) => {
      const scopes = Object.entries(permissions).filter(([, access]) => access !== "read");
      return [name, scopes.map(([scope, access]) => `${scope}: ${access}`)] as const;
    });
    expect(Object.fromEntries(writing.filter(([, scopes]) => scopes.length > 0))).toEqual({
      "preview: comment": ["pull-requests: write"],
      "preview: preview": ["id-token: write", "pull-requests: write"],
      "deploy: dev": ["id-token: write"],
      "deploy: review": ["id-token: write"],
      "deploy: prod": ["id-token: write"],
      "drift: drift": ["id-token: write"],
    });
  });

  it("are no fork's: whatever has a secret or may write asks where a pull request is from", () => {
    expect(texts.filter((text) => text.includes("pull_request_target"))).toEqual([]);
    const started = jobs.filter((job) => "pull_request" in workflow(job.workflow).on);
    const trusted = started.filter(
      (job) =>
        job.environment !== undefined ||
        JSON.stringify(job).includes("secrets.") ||
        Object.values(job.permissions ?? {}).includes("write"),
    );
    expect(trusted.map(({ name }) => name)).toEqual(["preview: comment", "preview: preview"]);
    for (const job of trusted) {
      expect(job.if).toMatch(/^github\.event\.pull_request\.head\.repo\.full_name == github\.repository && /);
    }
    // Their own machines are for code of their own.
    const elsewhere = started.filter((job) => JSON.stringify(job).includes("vars.RUNNER"));
    expect(elsewhere.map(({ name }) => name)).toEqual(["preview: preview"]);
  });

  it("to deploy are for deployments alone: whatever looks takes a token of those who may read", () => {
    const looking = jobs.filter((job) => job.environment !== undefined && !["dev", "prod"].includes(job.environment));
    expect(looking.map(({ name }) => name)).toEqual(["deploy: review", "drift: drift", "preview: preview"]);
    for (const { env } of looking) expect(env?.["PULUMI_TEAM"]).toBe("${{ vars.PULUMI_READERS_TEAM }}");
    expect(workflow("preview").jobs["preview"]?.if).toContain("vars.PULUMI_READERS_TEAM != ''");
    const auth = actionSteps().find(({ uses }) => uses?.startsWith("pulumi/auth-actions@"))?.with;
    expect(auth?.["scope"]).toBe("${{ env.PULUMI_TEAM != '' && format('team:{0}', env.PULUMI_TEAM) || '' }}");
  });

  it("are of no use to what a stranger names: no expression is pasted into a shell", () => {
    const commands = steps.flatMap(({ run }) => run ?? []);
    expect(commands.length).toBeGreaterThan(5);
    expect(commands.filter((command) => command.includes("${{"))).toEqual([]);
  });
});

describe("deployments", () => {
  const { dev, review, prod } = workflow("deploy").jobs;

  it("begin with what ci has passed on main, and not with a fork's main", () => {
    expect(workflow("deploy").on["workflow_run"]).toMatchObject({ workflows: ["ci"], branches: ["main"] });
    for (const part of [
      "workflow_run.conclusion == 'success'",
      "workflow_run.event == 'push'",
      "workflow_run.head_repository.full_name == github.repository",
    ])
      expect(dev?.if).toContain(part);
  });

  it("go on to production after dev, a preview, and the approval of its environment", () => {
    expect([dev?.environment, review?.environment, prod?.environment]).toEqual(["dev", "prod-preview", "prod"]);
    expect([review?.needs, prod?.needs]).toEqual(["dev", "review"]);
    const commands = [dev, review, prod].map((job) => job?.steps.find(({ uses }) => uses?.startsWith("./"))?.with);
    expect(commands).toEqual([
      { stack: "dev", command: "up" },
      { stack: "prod", command: "preview" },
      { stack: "prod", command: "up" },
    ]);
  });

  it("are one at a time for each stack, and none is cut off", () => {
    const concurrency = (stack: string) => ({ group: `stack-${stack}`, "cancel-in-progress": false });
    expect([dev?.concurrency, prod?.concurrency]).toEqual([concurrency("dev"), concurrency("prod")]);
  });
});

it("drift is looked for daily in both stacks, and is a failure", () => {
  const { on, jobs: found } = workflow("drift");
  expect(on["schedule"]).toEqual([{ cron: expect.stringMatching(/^\d+ \d+ \* \* \*$/) as string }]);
  expect(found["drift"]?.strategy?.matrix.stack).toEqual(["dev", "prod"]);
  expect(found["drift"]?.steps.at(-1)?.with).toMatchObject({ command: "preview", drift: true });
  const pulumi = actionSteps().find(({ uses }) => uses?.startsWith("pulumi/actions@"))?.with;
  expect([pulumi?.["refresh"], pulumi?.["expect-no-changes"]]).toEqual(["${{ inputs.drift }}", "${{ inputs.drift }}"]);
});

it("every job has an end", () => {
  expect(jobs.filter((job) => job["timeout-minutes"] === undefined).map(({ name }) => name)).toEqual([]);
});
