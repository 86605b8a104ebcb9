import { join } from "node:path";
import { UpdateState } from "../../local/engine/events";
import { preparePolicyPack } from "../../local/engine/policy-pack";
import { readStackFile } from "../../local/engine/stack-file";
import { countedProgram, runUpdate } from "../../local/engine/update";
import { openStackForPreview } from "../../local/engine/workspace";
import { claimPulumiHome, projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";

/**
 * The engine's part of `make preview` in a process of its own, as a command is: with `held` as it is, with `free` without
 * the policies, which no command leaves out.
 */
async function previewOnce([kind = "held", stackName = "local"]: readonly string[]): Promise<void> {
  const paths = projectPaths(process.cwd());
  claimPulumiHome(paths);
  const file = readStackFile(paths.root, stackName);
  const program = countedProgram(() => undefined);
  const [{ stack }, pack] = await Promise.all([
    openStackForPreview(file, paths, program, join(paths.scratch, "preview")),
    kind === "held" ? preparePolicyPack(paths, file.config) : undefined,
  ]);
  const { signal } = new AbortController();
  await runUpdate("preview", stack, new UpdateState(), {
    progress: silentProgress,
    signal,
    engineSignal: signal,
    pack,
  });
}

void previewOnce(process.argv.slice(2));
