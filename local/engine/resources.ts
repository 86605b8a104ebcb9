import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { silentProgress } from "../progress";
import { run } from "../run";
import { locked, tools, type Session } from "./commands";
import { UpdateState } from "./events";
import { installPlugins, pluginsOf } from "./plugins";
import type { StackFile } from "./stack-file";
import { countedProgram, runUpdate } from "./update";
import { openStackForPreview } from "./workspace";

/** What the engine knows of one resource, without what is in it: neither inputs nor outputs, where secrets are. */
export interface Resource {
  readonly urn: string;
  readonly type: string;
  /** Whether a provider manages it; none does so with components. */
  readonly custom: boolean;
  readonly parent?: string;
  /** URNs of all that it waits for, its provider among them. */
  readonly dependencies: readonly string[];
}

export interface KnownResources {
  readonly resources: readonly Resource[];
  /** Whether they are of a preview, since the stack has nothing yet. */
  readonly planned: boolean;
}

/** Milliseconds that the engine may take to tell its state; a backend may be far. */
const PATIENCE = 120_000;

/** What the stack has, as its state says; of a stack that has nothing yet, what its preview would make. */
export async function knownResources(session: Session, file: StackFile): Promise<KnownResources> {
  const { paths } = session;
  return locked(session, file, async () => {
    await tools(session, pluginsOf(file.config));
    const scratch = join(paths.scratch, "preview");
    const state = new UpdateState();
    const program = countedProgram(() => state);
    const { stack, known } = await openStackForPreview(file, paths, program, scratch);
    const resources = known ? resourcesInState(await exportedState(session, stack)) : [];
    if (resources.length > 0) return { resources, planned: false };
    await installPlugins(paths, pluginsOf(file.config));
    return { resources: resourcesInPlan(await plannedState(session, stack, state)), planned: true };
  });
}

/** Secrets stay encrypted in it: the SDK's own export would open them. */
function exportedState({ paths, signal }: Session, { name, workspace }: Stack): Promise<string> {
  return run(join(paths.bin, "pulumi"), ["stack", "export", "--stack", name], {
    cwd: workspace.workDir,
    env: { ...process.env, ...workspace.envVars },
    timeout: PATIENCE,
    signal,
  });
}

/** A preview's events have no dependencies; the plan that it can keep for an update has. */
async function plannedState(session: Session, stack: Stack, state: UpdateState): Promise<string> {
  const task = session.progress.task("preview", "planning, since the stack has nothing yet");
  const planFile = join(session.paths.scratch, "plan.json");
  mkdirSync(session.paths.scratch, { recursive: true, mode: 0o700 });
  try {
    await runUpdate("preview", stack, state, { ...session, progress: silentProgress, planFile });
  } catch (error) {
    task.fail("failed");
    throw error;
  }
  task.done("planned, since the stack has nothing yet");
  return readFileSync(planFile, "utf8");
}

/** A resource as both of the engine's files have it, among much else. */
interface Recorded {
  readonly type: string;
  readonly custom?: boolean;
  readonly parent?: string;
  readonly provider?: string;
  readonly dependencies?: readonly string[] | null;
  /** Its replacement is there already. */
  readonly delete?: boolean;
}

/** @param text - what `pulumi stack export` prints */
export function resourcesInState(text: string): Resource[] {
  type State = {
    readonly deployment?: { readonly resources?: readonly (Recorded & { readonly urn: string })[] | null };
  };
  const { deployment } = JSON.parse(text) as State;
  return (deployment?.resources ?? [])
    .filter((recorded) => recorded.delete !== true)
    .map((recorded) => resourceOf(recorded.urn, recorded));
}

/** @param text - what `pulumi preview --save-plan` writes */
export function resourcesInPlan(text: string): Resource[] {
  type Plan = { readonly resourcePlans?: Readonly<Record<string, { readonly goal?: Recorded }>> };
  const { resourcePlans = {} } = JSON.parse(text) as Plan;
  // What is to be deleted has no goal.
  return Object.entries(resourcePlans).flatMap(([urn, { goal }]) =>
    goal === undefined ? [] : [resourceOf(urn, goal)],
  );
}

function resourceOf(urn: string, { type, custom = false, parent, provider, dependencies }: Recorded): Resource {
  // A provider is named by its URN and, behind that, its id.
  const owner = provider ? [provider.slice(0, provider.lastIndexOf("::"))] : [];
  return { urn, type, custom, ...(parent && { parent }), dependencies: [...owner, ...(dependencies ?? [])] };
}
