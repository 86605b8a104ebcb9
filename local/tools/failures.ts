import { mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ProblemsError, type Problem } from "../../infra/problems";
import { CACHE_VARIABLE, HOME_VARIABLE, type Paths } from "../paths";

const SUMMARY = "The tools are not ready";

/** A tool cannot be had in one way, for a reason that may leave other ways open. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

/** What stops the whole set-up. */
export function toolsError(problems: readonly Problem[]): ProblemsError {
  return new ProblemsError(SUMMARY, problems);
}

/** Codes by which the system says that nothing more fits: the disk, the quota, or the limit for one file. */
const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What Go, a shell or tar write when nothing more fits. */
const FULL_TEXT = /no space left on device|disk quota exceeded|file too large/i;

export function isDiskFull(error: unknown): boolean {
  const { code, cause } = error as NodeJS.ErrnoException;
  return (code !== undefined && FULL.has(code)) || (cause !== undefined && isDiskFull(cause));
}

export function saysDiskFull(output: string): boolean {
  return FULL_TEXT.test(output);
}

/** Keeps what a failed step wrote, and tells where. */
export function keepLog({ logs }: Pick<Paths, "logs">, name: string, output: string): string {
  const file = join(logs, `${name}.log`);
  mkdirSync(logs, { recursive: true });
  writeFileSync(file, output);
  return file;
}

/** Codes by which the system says that something may not be written. */
export const DENIED = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST"]);

/** What the system refuses to do in the cache or beside it, told as a problem; any other error as it is. */
export function explain(error: unknown, cache: string): unknown {
  if (error instanceof ProblemsError || error instanceof Unavailable) return error;
  if (isDiskFull(error)) return diskFull(cache, "making tools ready");
  const { code = "", path = cache } = error as NodeJS.ErrnoException;
  if (!DENIED.has(code)) return error;
  return toolsError([
    {
      path,
      value: `cannot be written (${code})`,
      limit: "tools are kept and linked there",
      fix: `make it writable for you, or move the cache with ${CACHE_VARIABLE} and the rest with ${HOME_VARIABLE}`,
    },
  ]);
}

/** The error of a full disk: it stops everything, since the next tool would not fit either. */
export function diskFull(folder: string, what: string): ProblemsError {
  return toolsError([
    {
      path: folder,
      value: `no room while ${what}`,
      limit: `${freeSpace(folder)}; all tools together need about 1 GB here, and a first build 4 GB in Go's build cache`,
      fix: `free some, or move the cache with ${CACHE_VARIABLE}, and run again: what is ready is kept`,
    },
  ]);
}

function freeSpace(folder: string): string {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return `${Math.floor((bavail * bsize) / 1e6)} MB are free`;
  } catch {
    return "little or nothing is free";
  }
}
