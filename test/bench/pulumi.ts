import type { Stack } from "@pulumi/pulumi/automation";
import { UpdateState, type Operation } from "../../local/engine/events";
import { describeChanges } from "../../local/engine/reporter";
import { countedProgram, runUpdate } from "../../local/engine/update";
import { PROJECT, type StackFile } from "../../local/engine/stack-file";
import { openStack } from "../../local/engine/workspace";
import { silentProgress } from "../../local/progress";
import type { Contestant } from "./contestant";
import type { Bench } from "./home";

/**
 * The stack that `make up` has made in the bench's home, without Gatekeeper: templates, constraints and webhook have to wait
 * for each other, which kubectl would not.
 */
export function openBenchStack({ file, paths }: Bench): Promise<Stack> {
  return openStack(
    unguarded(file),
    paths,
    countedProgram(() => undefined),
  );
}

function unguarded(file: StackFile): StackFile {
  const settings = {
    ...file.settings,
    config: { ...file.settings.config, [`${PROJECT}:admission`]: { enabled: false } },
  };
  return { ...file, settings, config: { ...file.config, admission: { ...file.config.admission, enabled: false } } };
}

/** The engine's part of our commands: what they do once the control plane runs and the stack is open. */
export function pulumiContestant({ signal }: Bench, stack: Stack): Contestant {
  const operate = async (operation: Operation) => {
    const state = new UpdateState();
    await runUpdate(operation, stack, state, { progress: silentProgress, signal, engineSignal: signal });
    return state.changes;
  };
  const expectNoChanges = async (operation: "up" | "preview") => {
    const changes = await operate(operation);
    if (Object.keys(changes).length > 0) {
      throw new Error(`${operation} of an unchanged stack: ${describeChanges(changes, operation)}`);
    }
  };
  return {
    name: "pulumi",
    create: () => operate("up"),
    createAgain: () => expectNoChanges("up"),
    compare: () => expectNoChanges("preview"),
    remove: () => operate("destroy"),
  };
}
