import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ensureArtifact } from "../tools/artifact";
import { diskFull, keepLog, saysDiskFull, toolsError } from "../tools/failures";
import type { ToolsOptions } from "../tools/session";
import { buildInside } from "./build-root";

const SOURCE = join(__dirname, "shim");

/** containerd looks for it by this name, and K3s in /usr/local/bin. */
export const SHIM = "containerd-shim-wasmedge-v1";

/**
 * The shim that runs WebAssembly for containerd: runwasi's library with WasmEdge, built from their pinned sources.
 *
 * @returns the folder that becomes /opt/wasmedge: the shim in its bin, what it needs in its lib
 */
export async function ensureShim(options: ToolsOptions): Promise<string> {
  const folder = await ensureArtifact(
    {
      name: "WasmEdge shim",
      key: [process.arch, ...sourceTexts(SOURCE)],
      doing: "compiling",
      make: async (staging, task) => {
        const [out, work] = [join(staging, "out"), join(staging, "work")];
        [out, work].forEach((path) => mkdirSync(path));
        const onLine = (line: string) => task.update(line.trim().slice(0, 60));
        const step = { source: SOURCE, out, work, script: "bash ./build.sh /out /work", onLine };
        const result = await buildInside(step, options);
        if (result.code !== 0) throw failure(result.stdout + result.stderr, options);
        rmSync(work, { recursive: true });
      },
    },
    options,
  );
  return join(folder, "out");
}

function sourceTexts(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name !== "target")
    .sort()
    .flatMap((name) => {
      const file = join(folder, name);
      return statSync(file).isDirectory() ? sourceTexts(file) : [name, readFileSync(file, "utf8")];
    });
}

function failure(output: string, { paths }: ToolsOptions): Error {
  if (saysDiskFull(output)) return diskFull(paths.cache, "building the WasmEdge shim");
  const log = keepLog(paths, "build-shim", output);
  const reason = output.split("\n").find((line) => /^error/i.test(line)) ?? output.trim().split("\n").pop() ?? "";
  return toolsError([
    {
      path: SOURCE,
      value: `the build failed: ${reason.slice(0, 300)}`,
      limit: "it builds from pinned sources",
      fix: `see ${log}`,
    },
  ]);
}
