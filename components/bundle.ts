import * as path from "node:path";
import { buildSync } from "esbuild";

const bundles = new Map<string, string>();

/**
 * One of the folders under programs/ as a single script for Node, with all that it imports: so an official Node image
 * runs it as it is, and no image of ours has to be built. The same sources give the same text.
 *
 * @throws where it does not compile
 */
export function bundle(program: string): string {
  const known = bundles.get(program);
  if (known !== undefined) return known;
  const root = path.resolve(__dirname, "..");
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints: [path.join("programs", program, "main.ts")],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    minify: true,
    legalComments: "none",
    write: false,
    logLevel: "silent",
  });
  const text = outputFiles[0]?.text ?? "";
  bundles.set(program, text);
  return text;
}
