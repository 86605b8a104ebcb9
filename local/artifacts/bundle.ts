import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { StackConfig } from "../../infra/config";
import { ProblemsError, type Problem } from "../../infra/problems";
import { readIfExists, writeFileAtomic } from "../files";
import type { Task } from "../progress";
import { findSum } from "../tools/download";
import { Unavailable } from "../tools/failures";
import { fetchFile, reasonOf } from "../tools/fetch";
import type { ToolsOptions } from "../tools/session";
import { filesOf } from "./archive";
import { bundleFiles, type BundleFile } from "./bundle-plan";
import type { Credentials } from "./credentials";
import { keepImages, keptImage } from "./function-images";
import { ImageStore } from "./image-store";
import { parseJson } from "./json";
import { formatSums, parseSums, sumOf } from "./sums";

export const SUMS = "SHA256SUMS";
export const BUNDLE = "bundle.json";
/** The folder of functions' images, in a bundle and in a backup. */
export const IMAGES = "images";

const manifestSchema = z.strictObject({
  version: z.literal(1),
  stack: z.string(),
  /** What hosts download: by path, with what it is and where it came from. */
  files: z.array(
    z.strictObject({ path: z.string(), sha256: z.string(), size: z.int(), what: z.string(), source: z.string() }),
  ),
  functions: z.array(keptImage),
});

/** What `bundle.json` says of a bundle. */
export type BundleManifest = z.output<typeof manifestSchema>;

/**
 * Collects what a stack's hosts and functions are made of in a folder. What is there and right is not loaded again.
 *
 * @returns the SHA-256 of the list of all sums, by which the bundle as a whole is known
 * @throws ProblemsError with everything that cannot be had, or is not what it should be
 */
export async function makeBundle(
  stack: string,
  config: StackConfig,
  folder: string,
  credentials: Credentials,
  options: ToolsOptions,
): Promise<string> {
  const wanted = bundleFiles(config);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const files = await loadFiles(wanted, folder, options);
  const functions = await keepImages(config, new ImageStore(join(folder, IMAGES)), credentials, options);
  const manifest: BundleManifest = { version: 1, stack, files, functions: [...functions] };
  await dropFormer(folder, manifest);
  writeFileAtomic(join(folder, BUNDLE), `${JSON.stringify(manifest, null, 2)}\n`, 0o644);
  const sums = new Map<string, string>();
  for (const path of await belonging(folder, manifest)) sums.set(path, await sumOf(join(folder, path)));
  writeFileAtomic(join(folder, SUMS), formatSums(sums), 0o644);
  return createHash("sha256").update(formatSums(sums)).digest("hex");
}

async function loadFiles(wanted: readonly BundleFile[], folder: string, options: ToolsOptions) {
  const files: BundleManifest["files"] = [];
  const problems: Problem[] = [];
  for (const file of wanted) {
    const task = options.progress.task(file.path, "looking");
    try {
      const { sha256, loaded } = await load(file, folder, options, task);
      const { size } = statSync(join(folder, file.path));
      task.done(loaded ? `${size} bytes, SHA-256 ${sha256}` : "is there already");
      files.push({ path: file.path, sha256, size, what: file.what, source: file.url });
    } catch (error) {
      task.fail(options.signal?.aborted ? "stopped" : "failed");
      if (!(error instanceof Unavailable)) throw error;
      problems.push({
        path: file.key,
        value: file.url,
        limit: error.message,
        fix: `let it be reached, or set ${file.key} to a server that has it, and run again: what is there is kept`,
      });
    }
  }
  if (problems.length > 0) throw new ProblemsError("The bundle is not whole", problems);
  return files;
}

async function load(file: BundleFile, folder: string, { signal }: ToolsOptions, task: Task) {
  const target = join(folder, file.path);
  const wanted = expectedSum(file, folder);
  if (wanted !== undefined && existsSync(target) && (await sumOf(target)) === wanted)
    return { sha256: wanted, loaded: false };
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  const draft = `${target}.part`;
  const sha256 = await fetchFile(file.url, draft, { signal, update: task.update });
  if (wanted !== undefined && sha256 !== wanted) {
    rmSync(draft);
    throw new Unavailable(`has SHA-256 ${sha256}, not ${wanted}: refused`);
  }
  renameSync(draft, target);
  return { sha256, loaded: true };
}

/** A list is loaded each time: it is small, and nothing says what is right in it. */
function expectedSum({ path, sum }: BundleFile, folder: string): string | undefined {
  if (sum === undefined) return undefined;
  if ("sha256" in sum) return sum.sha256;
  const name = path.split("/").pop() ?? "";
  const found = findSum(readIfExists(join(folder, sum.list)) ?? "", name);
  if (found === undefined) throw new Unavailable(`${sum.list} has no sum of ${name}: refused, not downloaded`);
  return found;
}

/** What an earlier run has put there and is needed no more: of another version, or of a function that has gone. */
async function dropFormer(folder: string, manifest: BundleManifest): Promise<void> {
  const needed = new Set([...(await belonging(folder, manifest)), BUNDLE]);
  const former = parseSums(readIfExists(join(folder, SUMS)) ?? "")?.keys() ?? [];
  for (const path of former) if (!needed.has(path)) rmSync(join(folder, path), { force: true });
}

/** What a bundle consists of, but for its list of sums. */
async function belonging(folder: string, { files, functions }: BundleManifest): Promise<string[]> {
  const store = new ImageStore(join(folder, IMAGES));
  const blobs = new Set<string>();
  for (const { digest } of functions) for (const part of await store.contents(digest)) blobs.add(part.digest);
  const images = ["oci-layout", "index.json", ...[...blobs].map((digest) => `blobs/${digest.replace(":", "/")}`)];
  return [BUNDLE, ...files.map(({ path }) => path), ...images.map((path) => `${IMAGES}/${path}`)];
}

/**
 * Compares a bundle with its sums: each file that is missing, was changed or has come is told.
 *
 * @returns how many files it has, and the SHA-256 of the list of sums
 * @throws ProblemsError where it is not as it was made
 */
export async function checkBundle(folder: string, task: Task): Promise<{ files: number; sha256: string }> {
  const text = readIfExists(join(folder, SUMS));
  const sums = text === undefined ? undefined : parseSums(text);
  if (sums === undefined || sums.size === 0) throw new ProblemsError("There is no bundle", [noSums(folder, text)]);
  const problems: Problem[] = [];
  for (const [path, sum] of sums) {
    task.update(path);
    const problem = await compare(folder, path, sum);
    if (problem) problems.push(problem);
  }
  for (const path of filesOf(folder)) if (path !== SUMS && !sums.has(path)) problems.push(stranger(folder, path));
  if (problems.length > 0) throw new ProblemsError("The bundle is not as it was made", problems);
  return { files: sums.size, sha256: await sumOf(join(folder, SUMS)) };
}

async function compare(folder: string, path: string, expected: string): Promise<Problem | undefined> {
  const file = join(folder, path);
  const found = existsSync(file)
    ? await sumOf(file).catch((error: unknown) => `cannot be read: ${reasonOf(error)}`)
    : "is missing";
  if (found === expected) return undefined;
  return { path: file, value: found, limit: `must have SHA-256 ${expected}`, fix: "make bundle loads it again" };
}

function stranger(folder: string, path: string): Problem {
  return {
    path: join(folder, path),
    value: "not listed",
    limit: `${SUMS} does not name it, but hosts could be served it`,
    fix: "remove it",
  };
}

function noSums(folder: string, text: string | undefined): Problem {
  return {
    path: join(folder, SUMS),
    value: text === undefined ? "missing" : "its content",
    limit: "the bundle's sums are in it, and it is written last",
    fix: "make bundle completes it; name the folder with BUNDLE=folder",
  };
}

/** @throws ProblemsError where it says nothing that can be used */
export function readBundle(folder: string): BundleManifest {
  const file = join(folder, BUNDLE);
  const parsed = manifestSchema.safeParse(existsSync(file) ? parseJson(readFileSync(file, "utf8")) : undefined);
  if (parsed.success) return parsed.data;
  throw new ProblemsError("There is no bundle", [
    {
      path: file,
      value: existsSync(file) ? "its content" : "missing",
      limit: "says what a bundle holds",
      fix: "make bundle writes it",
    },
  ]);
}
