import { resolve } from "node:path";
import { ensureRootFs } from "../../local/node/root-fs";
import { claimPulumiHome, projectPaths } from "../../local/paths";
import { createProgress } from "../../local/progress";
import { NO_VALKEY } from "../support/valkey-server";
import { CANNOT_RUN as NO_CHECKOV, ensureCheckov } from "./scans/checkov";

/**
 * Makes ready what `make tools` does not, before any test's time counts: it may take minutes, or wait for those of
 * another suite that is making tools ready at the same time.
 */
export default async function setup(): Promise<void> {
  const paths = projectPaths(resolve(__dirname, "../.."));
  claimPulumiHome(paths);
  const options = { paths, progress: createProgress(process.stderr) };
  // Debian's programs need the same: root on Linux.
  if (NO_VALKEY === undefined) for (const name of ["test", "monitoring"] as const) await ensureRootFs(name, options);
  if (NO_CHECKOV === undefined) await ensureCheckov(options);
}
