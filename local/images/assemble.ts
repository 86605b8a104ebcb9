import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureArtifact } from "../tools/artifact";
import type { ToolsOptions } from "../tools/session";
import { writeLayout, type Layout } from "./layout";
import { readFiles, type AssembledImage } from "./table";

/** An image's OCI layout in the cache, ready to be pushed. */
export interface ReadyImage extends Layout {
  readonly reference: string;
  /** What it is made of, in words. */
  readonly source: string;
  readonly folder: string;
}

/** The tag under which a layout holds its image: it is named in full only in a registry. */
export const LAYOUT_TAG = "image";

const SUMMARY = "layout.json";

/** Assembles an image, or finds it in the cache. */
export async function assembleImage(image: AssembledImage, options: ToolsOptions): Promise<ReadyImage> {
  const { reference, source, entrypoint, user } = image;
  const files = await image.files(options);
  // Size and time of its files stand for their content, which the cache of tools has checked.
  const identity = Object.entries(files).flatMap(([path, file]) => {
    const { size, mtimeMs } = statSync(file);
    return [path, file, String(size), String(mtimeMs)];
  });
  const folder = await ensureArtifact(
    {
      name: `image ${shortName(reference)}`,
      key: [source, reference, ...entrypoint, user, process.arch, ...identity],
      doing: "assembling",
      make: async (staging) => {
        const layout = await writeLayout(
          staging,
          [
            {
              files: readFiles(files),
              entrypoint,
              user,
              architecture: architecture(),
              labels: {
                "org.opencontainers.image.ref.name": reference,
                // Nobody is to take it for the official image.
                "wasm-functions.dev/assembled-from": source,
              },
            },
          ],
          LAYOUT_TAG,
        );
        keepSummary(staging, layout);
      },
    },
    options,
  );
  return { reference, source, folder, ...readSummary(folder) };
}

/** As container images name it. */
export function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

export function keepSummary(folder: string, layout: Layout): void {
  writeFileSync(join(folder, SUMMARY), `${JSON.stringify(layout)}\n`);
}

export function readSummary(folder: string): Layout {
  return JSON.parse(readFileSync(join(folder, SUMMARY), "utf8")) as Layout;
}

function shortName(reference: string): string {
  return reference.split("/").pop()?.split(/[:@]/)[0] ?? reference;
}
