import * as path from "node:path";
import { ProblemsError } from "../../infra/problems";
import { runCommand } from "../command";
import { claimPulumiHome, projectPaths } from "../paths";
import { createProgress } from "../progress";
import { table } from "../table";
import { buildFunction, programPath, type FunctionBuild } from "./function";

const BUILDS: readonly FunctionBuild[] = ["compiled", "portable", "native"];

/** `make function`: builds a function's image and tells how it is pinned, pushed and deployed. */
async function main([name = "checkout", build = "compiled"]: readonly string[], signal: AbortSignal): Promise<void> {
  if (!isBuild(build)) {
    throw new ProblemsError("The function cannot be built", [
      { path: "BUILD", value: build, limit: `must be one of ${BUILDS.join(", ")}`, fix: "leave it out for compiled" },
    ]);
  }
  assertRoot();
  const paths = projectPaths(path.resolve(__dirname, "..", ".."));
  claimPulumiHome(paths);
  const image = await buildFunction(name, { paths, progress: createProgress(process.stderr), signal }, build);
  const pinned = `${image.reference.replace(/:[^:/]*$/, "")}@${image.digest}`;
  process.stdout.write(
    `${table([
      ["Image:", image.reference, `${image.size} bytes`],
      ["Pinned:", pinned, "for a stack's file"],
      [
        "Module:",
        path.join(image.folder, programPath(name, build)),
        "for other ways to build images, such as its Dockerfile",
      ],
      [
        "Layout:",
        image.folder,
        "an OCI layout, for example: skopeo copy --all --preserve-digests oci:LAYOUT:image docker://REGISTRY/NAME:TAG",
      ],
    ])}\n`,
  );
}

/** The compilers are Debian's, in a root file system and namespaces of their own. */
function assertRoot(): void {
  const uid = process.getuid?.();
  if (process.platform === "linux" && uid === 0) return;
  throw new ProblemsError("The function cannot be built", [
    {
      path: "user",
      value: process.platform === "linux" ? `uid ${uid}` : process.platform,
      limit: "Debian's compilers run in namespaces of their own, which need root on Linux",
      fix: "run it with sudo",
    },
  ]);
}

function isBuild(text: string): text is FunctionBuild {
  return (BUILDS as readonly string[]).includes(text);
}

runCommand(main);
