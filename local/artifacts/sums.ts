import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";

/** SHA-256 of a file, in hexadecimal. */
export async function sumOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/** As `sha256sum` writes it and `sha256sum --check` reads it: sum and path, in the order of the paths. */
export function formatSums(sums: ReadonlyMap<string, string>): string {
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, sum]) => `${sum}  ${path}\n`)
    .join("");
}

/** Sums by path; undefined where a line is none, or leads out of the folder. */
export function parseSums(text: string): Map<string, string> | undefined {
  const lines = text.split("\n").filter((line) => line !== "");
  const sums = lines.map((line) => /^([0-9a-f]{64}) [ *](.+)$/.exec(line));
  if (!sums.every((match) => match !== null && isInside(match[2] ?? ""))) return undefined;
  return new Map(sums.map((match) => [match?.[2] ?? "", match?.[1] ?? ""]));
}

function isInside(path: string): boolean {
  return !path.startsWith("/") && !path.split("/").some((part) => part === ".." || part === "." || part === "");
}
