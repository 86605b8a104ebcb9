import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { buildPolicy, POLICY_FILE } from "../../policies/authorization/build";
import { runCommand } from "../command";
import { projectPaths } from "../paths";

/** `make policy`: builds the request policy anew; `make tools` has made opa ready before. */
async function main(): Promise<void> {
  const { bin } = projectPaths(path.resolve(__dirname, "..", ".."));
  const module = await buildPolicy(path.join(bin, "opa"));
  writeFileSync(POLICY_FILE, module);
  process.stdout.write(`${path.relative(process.cwd(), POLICY_FILE)}: ${module.length} bytes\n`);
}

runCommand(main);
