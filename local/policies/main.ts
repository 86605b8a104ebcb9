import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { generatedFiles } from "../../policies/admission/files";
import { buildPolicy, POLICY_FILE } from "../../policies/authorization/build";
import { runCommand } from "../command";
import { projectPaths } from "../paths";

/** `make policy`: builds the request policy and the admission policies' objects anew; `make tools` has made opa ready before. */
async function main(): Promise<void> {
  const { bin } = projectPaths(path.resolve(__dirname, "..", ".."));
  const module = await buildPolicy(path.join(bin, "opa"));
  writeFileSync(POLICY_FILE, module);
  process.stdout.write(`${path.relative(process.cwd(), POLICY_FILE)}: ${module.length} bytes\n`);
  const files = generatedFiles();
  for (const { path: file, content } of files) writeFileSync(file, content);
  process.stdout.write(`policies/admission: ${files.length} files\n`);
}

runCommand(main);
