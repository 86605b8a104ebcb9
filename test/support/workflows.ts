import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";

export const REPOSITORY = resolve(__dirname, "../..");

export interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, unknown>>;
}

export interface Job {
  readonly if?: string;
  readonly needs?: string;
  readonly environment?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: { readonly group: string; readonly "cancel-in-progress": boolean };
  readonly env?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
  readonly strategy?: { readonly matrix: { readonly stack: readonly string[] } };
  readonly steps: readonly Step[];
}

export interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

/** Every file that GitHub runs, by its name without the end; `stack` is the action that the others share. */
export const WORKFLOW_NAMES = readdirSync(join(REPOSITORY, ".github/workflows")).map((name) =>
  name.replace(".yml", ""),
);

export const workflowText = (name: string): string =>
  readFileSync(join(REPOSITORY, ".github/workflows", `${name}.yml`), "utf8");

export const workflow = (name: string): Workflow => parse(workflowText(name)) as Workflow;

const ACTION = join(REPOSITORY, ".github/actions/stack/action.yml");

export const actionText = (): string => readFileSync(ACTION, "utf8");

export const actionSteps = (): readonly Step[] =>
  (parse(actionText()) as { readonly runs: { readonly steps: readonly Step[] } }).runs.steps;

/** The commands of a step, as a runner gives them to its shell. */
export function commandsOf(name: string, job: string, step: string): string {
  const found = workflow(name).jobs[job]?.steps.find((each) => each.name === step)?.run;
  if (found === undefined) throw new Error(`${name}.yml: job ${job} has no step "${step}"`);
  return found;
}

/** How a runner starts the shell of a step. */
export const SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"] as const;
