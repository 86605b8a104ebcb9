import { createHash, type Hash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";
import { readIfExists, writeFileAtomic } from "../files";

/** Every entry's own file: read the whole program again at each use, not only when its size or time has changed. */
export const VERIFY_VARIABLE = "WASM_FUNCTIONS_VERIFY";

const MANIFEST = "manifest.json";

interface Manifest {
  /** The program, relative to the entry's folder. */
  readonly file: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly sha256: string;
}

export type Opened =
  | { readonly kind: "intact"; readonly file: string }
  | { readonly kind: "missing" }
  | { readonly kind: "corrupted"; readonly reason: string };

/** A short hash of everything that determines what an entry holds. */
export function contentKey(parts: readonly string[]): string {
  const hash = createHash("sha256");
  // Lengths keep the parts apart: ["ab", "c"] is not ["a", "bc"].
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

export async function sha256(file: string): Promise<string> {
  const hash: Hash = createHash("sha256");
  await pipeline(fs.createReadStream(file), hash);
  return hash.digest("hex");
}

/**
 * Looks at an entry. Size and time are enough for a program that nobody touched; when they differ, as after a copy of
 * the cache, its content decides.
 */
export async function openEntry(folder: string, verify: boolean): Promise<Opened> {
  if (!fs.existsSync(folder)) return { kind: "missing" };
  const manifest = readManifest(folder);
  if (!manifest) return { kind: "corrupted", reason: `${MANIFEST} is missing or unreadable` };
  const file = path.join(folder, manifest.file);
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) return { kind: "corrupted", reason: `${manifest.file} is missing` };
  if (stat.size !== manifest.size) {
    return { kind: "corrupted", reason: `${manifest.file} has ${stat.size} bytes, ${manifest.size} were recorded` };
  }
  const touched = stat.mtimeMs !== manifest.mtimeMs;
  if (!touched && !verify) return { kind: "intact", file };
  if ((await sha256(file)) !== manifest.sha256) {
    return { kind: "corrupted", reason: `the SHA-256 of ${manifest.file} is not the recorded one` };
  }
  if (touched) remember(folder, { ...manifest, mtimeMs: stat.mtimeMs });
  return { kind: "intact", file };
}

/** A folder on the cache's own file system in which an entry is made; what is never admitted is never used. */
export function stage(cache: string, name: string): string {
  const parent = path.join(cache, "tmp");
  fs.mkdirSync(parent, { recursive: true });
  return fs.mkdtempSync(path.join(parent, `${name}-`));
}

/** Removes what runs that were killed have left. Only for the holder of the cache's lock. */
export function removeLeftovers(cache: string): void {
  fs.rmSync(path.join(cache, "tmp"), { recursive: true, force: true });
}

/** Makes a finished folder an entry, in one step: it is there whole, or not at all. */
export async function admit(made: string, file: string, folder: string): Promise<string> {
  const program = path.join(made, file);
  fs.chmodSync(program, 0o755);
  const { size, mtimeMs } = fs.statSync(program);
  const manifest: Manifest = { file, size, mtimeMs, sha256: await sha256(program) };
  writeFileAtomic(path.join(made, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`, 0o644);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.renameSync(made, folder);
  return path.join(folder, file);
}

export function removeEntry(folder: string): void {
  fs.rmSync(folder, { recursive: true, force: true });
}

function readManifest(folder: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(readIfExists(path.join(folder, MANIFEST)) ?? "") as Partial<Manifest>;
    const { file, size, mtimeMs, sha256 } = manifest;
    const whole =
      typeof file === "string" && typeof size === "number" && typeof mtimeMs === "number" && typeof sha256 === "string";
    return whole ? (manifest as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

/** Saves the next run the reading. A cache that cannot be written to serves all the same. */
function remember(folder: string, manifest: Manifest): void {
  try {
    writeFileAtomic(path.join(folder, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`, 0o644);
  } catch {
    // It is read again next time.
  }
}
