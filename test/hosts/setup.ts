import { resolve } from "node:path";
import { assembleImage } from "../../local/images/assemble";
import { buildFunction } from "../../local/images/function";
import { IMAGES } from "../../local/images/table";
import { ensureShim } from "../../local/node/shim";
import { claimPulumiHome, projectPaths } from "../../local/paths";
import { createProgress } from "../../local/progress";
import { TOOL_GROUPS } from "../../local/tools/catalog";
import { ensureTools } from "../../local/tools/resolve";
import { CANNOT_RUN } from "../support/hosts/hosts";
import { ensureHostImage } from "../support/hosts/image";

/** Makes ready what may have to be built for many minutes, before any test's time counts. */
export default async function setup(): Promise<void> {
  if (CANNOT_RUN !== undefined) return;
  const paths = projectPaths(resolve(__dirname, "../.."));
  claimPulumiHome(paths);
  const options = { paths, progress: createProgress(process.stderr) };
  const { local, node, hosts } = TOOL_GROUPS;
  await ensureTools([...local, ...node, ...hosts, "etcdutl"], options);
  await ensureHostImage(options);
  await ensureShim(options);
  for (const image of Object.values(IMAGES)) await assembleImage(image, options);
  await buildFunction("checkout", options, "compiled");
}
