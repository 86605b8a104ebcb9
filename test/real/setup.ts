import { resolve } from "node:path";
import { assembleImage } from "../../local/images/assemble";
import { buildFunction } from "../../local/images/function";
import { imagesOf } from "../../local/images/table";
import { ensureRootFs } from "../../local/node/root-fs";
import { ensureShim } from "../../local/node/shim";
import { claimPulumiHome, projectPaths } from "../../local/paths";
import { createProgress } from "../../local/progress";
import { TOOL_GROUPS } from "../../local/tools/catalog";
import { ensureTools } from "../../local/tools/resolve";
import { CANNOT_RUN } from "../support/real-stack";

/** Makes ready what may have to be built for many minutes, before any test's time counts. */
export default async function setup(): Promise<void> {
  if (CANNOT_RUN !== undefined) return;
  const paths = projectPaths(resolve(__dirname, "../.."));
  claimPulumiHome(paths);
  const options = { paths, progress: createProgress(process.stderr) };
  await ensureTools([...TOOL_GROUPS.local, ...TOOL_GROUPS.node], options);
  for (const name of ["node", "build", "test"] as const) await ensureRootFs(name, options);
  await ensureShim(options);
  for (const image of imagesOf({ observability: { enabled: true }, admission: { enabled: true } }))
    await assembleImage(image, options);
  for (const build of ["compiled", "portable"] as const) await buildFunction("checkout", options, build);
}
