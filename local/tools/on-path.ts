import * as fs from "node:fs";
import * as path from "node:path";
import type { Tool } from "./catalog";
import { runChild } from "./child";

/** Milliseconds that a program has to tell its version. */
const PROBE_TIMEOUT = 10_000;

export interface Found {
  readonly path: string;
  readonly version: string;
}

export interface PathOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Folders whose programs are ours: what lies there was not found, we put it there. */
  readonly ours: readonly string[];
  readonly note: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The first program on PATH that has a version that will do; each one that has not is told in one line. */
export async function findOnPath(tool: Tool, options: PathOptions): Promise<Found | undefined> {
  if (!tool.probe) return undefined;
  for (const candidate of candidates(tool.name, options)) {
    const version = await probeVersion(tool, candidate, options);
    if (version !== undefined && tool.accepts.test(version)) return { path: candidate, version };
    const found = version === undefined ? "does not tell its version" : `is v${version}`;
    options.note(`${tool.name}: ${candidate} on PATH ${found}, ${tool.accepts.text} is needed: not used`);
  }
  return undefined;
}

/** The version that a program reports, or undefined when it does not run or says something else. */
export async function probeVersion(
  tool: Tool,
  file: string,
  options: { readonly env: NodeJS.ProcessEnv; readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  if (!tool.probe) return undefined;
  try {
    const { env, signal } = options;
    const result = await runChild(file, tool.probe.args, { env, argv0: tool.name, timeout: PROBE_TIMEOUT, signal });
    return result.code === 0 ? tool.probe.pattern.exec(`${result.stdout}\n${result.stderr}`)?.[1] : undefined;
  } catch (error) {
    if (options.signal?.aborted) throw error;
    return undefined;
  }
}

function candidates(name: string, { env, ours }: PathOptions): string[] {
  const folders = (env["PATH"] ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  // /bin is often a link to /usr/bin: the same program is looked at once.
  const real = [...new Set(folders.map(realPath))].filter((folder) => !isWithin(folder, ours));
  return real
    .map((folder) => path.join(folder, name))
    .filter((file) => isProgram(file) && !isWithin(realPath(file), ours));
}

function isWithin(file: string, folders: readonly string[]): boolean {
  return folders.map(realPath).some((folder) => file === folder || file.startsWith(folder + path.sep));
}

export function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function realPath(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    return file;
  }
}
