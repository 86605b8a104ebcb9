import { mkdirSync } from "node:fs";
import { join } from "node:path";
import wabt from "wabt";
import { architecture, LAYOUT_TAG, type ReadyImage } from "../../local/images/assemble";
import { writeLayout } from "../../local/images/layout";

/** Functions that do harm, as small as they can be written. */
const MODULES = {
  /** Says so, and ends with code 3. */
  crash: `(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "I was built to fail\\n")
    (func (export "_start")
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 20))
      (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $exit (i32.const 3))))`,
  /** Takes memory, and uses every page of it, until somebody ends it. */
  greedy: `(module
    (memory (export "memory") 1)
    (func (export "_start") (local $at i32)
      (loop $more
        (drop (memory.grow (i32.const 16)))
        (local.set $at (i32.const 0))
        (loop $touch
          (i32.store (local.get $at) (i32.const 1))
          (local.set $at (i32.add (local.get $at) (i32.const 4096)))
          (br_if $touch (i32.lt_u (local.get $at) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4096)))))
        (br $more))))`,
} as const;

/** Lays out an image of one of them, under `registry.example.com/<name>`, pinned by its digest. */
export async function trapImage(root: string, name: keyof typeof MODULES): Promise<ReadyImage> {
  const compiler = await wabt();
  const content = Buffer.from(compiler.parseWat(`${name}.wat`, MODULES[name]).toBinary({}).buffer);
  const folder = join(root, "images", name);
  mkdirSync(folder, { recursive: true });
  const path = "/app.wasm";
  const image = {
    files: [{ path, content }],
    entrypoint: [path],
    user: "65532:65532",
    architecture: architecture(),
    labels: {},
  };
  const layout = await writeLayout(folder, [image], LAYOUT_TAG);
  return { reference: `registry.example.com/${name}@${layout.digest}`, source: "test", folder, ...layout };
}
