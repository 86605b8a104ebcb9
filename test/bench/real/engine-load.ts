import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildInside } from "../../../local/node/build-root";
import type { ToolsOptions } from "../../../local/tools/session";
import { median } from "../measure";

/** Milliseconds of each step. */
export interface EngineLoad {
  readonly load: number;
  readonly validate: number;
  readonly instantiate: number;
  readonly total: number;
}

const PROCESSES = 15;

/** Medians over new processes, as each pod is one: the first time that a process loads the module. */
export async function measureEngineLoad(
  modules: { readonly compiled: string; readonly portable: string },
  options: ToolsOptions,
): Promise<{ readonly compiled: EngineLoad; readonly portable: EngineLoad }> {
  const folder = mkdtempSync(join(tmpdir(), "engine-load-"));
  try {
    for (const part of ["source", "out", "work"]) mkdirSync(join(folder, part));
    copyFileSync(join(__dirname, "engine-load.c"), join(folder, "source/engine-load.c"));
    copyFileSync(modules.compiled, join(folder, "source/compiled.wasm"));
    copyFileSync(modules.portable, join(folder, "source/portable.wasm"));
    const script = [
      "gcc -O2 -o /work/engine-load engine-load.c -lwasmedge",
      // In turns, so that neither always finds the warmer machine; the first of each warms up and is not counted.
      `for i in $(seq 0 ${PROCESSES}); do for m in compiled portable; do echo "$m $(/work/engine-load $m.wasm 1)"; done; done`,
    ].join("; ");
    const step = { source: join(folder, "source"), out: join(folder, "out"), work: join(folder, "work"), script };
    const result = await buildInside({ ...step, onLine: () => undefined }, options);
    if (result.code !== 0) throw new Error(`engine-load failed:\n${result.stderr}`);
    const rows = result.stdout.trim().split("\n");
    return { compiled: medians(rows, "compiled"), portable: medians(rows, "portable") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function medians(rows: readonly string[], name: string): EngineLoad {
  const runs = rows
    .filter((row) => row.startsWith(`${name} `))
    .slice(1)
    .map((row) => row.split(" ").slice(1).map(Number));
  const at = (column: number) => median(runs.map((run) => run[column] ?? Number.NaN));
  const total = median(runs.map((run) => run.reduce((sum, step) => sum + step, 0)));
  return { load: at(0), validate: at(1), instantiate: at(2), total };
}
