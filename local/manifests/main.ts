import { rmSync } from "node:fs";
import * as path from "node:path";
import { MANIFESTS } from "../../infra/versions";
import { runCommand } from "../command";
import { projectPaths } from "../paths";
import { table } from "../table";
import { renewManifest } from "./renew";

/** `make manifests`: renews the copies of the controllers' release manifests, after a new version is pinned. */
async function main(_: readonly string[], signal: AbortSignal): Promise<void> {
  const paths = projectPaths(path.resolve(__dirname, "..", ".."));
  const rows = [["MANIFEST", "VERSION", "COPY", "FROM"]];
  try {
    for (const [name, manifest] of Object.entries(MANIFESTS)) {
      const { from, changed } = await renewManifest(manifest, { paths, env: process.env, signal });
      rows.push([name, manifest.version, changed ? "written" : "as it was", from]);
    }
  } finally {
    rmSync(paths.scratch, { recursive: true, force: true });
  }
  process.stdout.write(`${table(rows)}\n`);
}

runCommand(main);
