import { join } from "node:path";
import { planStack } from "../../infra/plan";
import type { Session } from "../engine/commands";
import { knownResources } from "../engine/resources";
import { readStackFile } from "../engine/stack-file";
import { writeFileAtomic } from "../files";
import { modelOf } from "./model";

/**
 * `make graph`: the stack's resources as a picture, components as boxes and what they need as arrows, from the engine's own
 * state; of a stack that has nothing yet, as a preview plans it. It changes nothing.
 */
export async function graph(session: Session, stackName: string): Promise<void> {
  const { paths, print } = session;
  const file = readStackFile(paths.root, stackName);
  // What cannot be planned cannot be previewed either, and this says so at once.
  planStack(file.config);
  const { resources } = await knownResources(session, file);
  // What lays out takes most of a second to load, which no other command is to wait for.
  const [{ layOut }, { renderPicture }] = await Promise.all([import("./layout.js"), import("./picture.js")]);
  const path = join(paths.home, "graph", `${file.stack}.svg`);
  // Names and kinds alone: whoever may see the repository may see it.
  writeFileAtomic(path, renderPicture(await layOut(modelOf(file.stack, resources))), 0o644);
  print(path);
}
