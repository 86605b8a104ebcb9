import * as fs from "node:fs";
import * as path from "node:path";
import type { Arch } from "../../infra/versions";
import type { Paths } from "../paths";
import type { Progress } from "../progress";
import { buildKey, findGo, type Go } from "./build";
import { openEntry, removeEntry, VERIFY_VARIABLE } from "./cache";
import type { Build, Tool } from "./catalog";
import { downloadKey } from "./download";
import { createHosts, type Hosts, type HostUrls } from "./hosts";
import type { PathOptions } from "./on-path";

export interface ToolsOptions {
  readonly paths: Paths;
  readonly progress: Progress;
  /** Ends builds and downloads; what is ready by then is kept. */
  readonly signal?: AbortSignal | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** Base URLs of the publishers, for tests. */
  readonly hosts?: HostUrls;
}

/** What one run knows: where it works, and answers that it asks for once. */
export interface Session {
  readonly paths: Paths;
  readonly progress: Progress;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
  readonly os: string;
  readonly arch: Arch;
  readonly hosts: Hosts;
  readonly search: PathOptions;
  /** The entries that this run has made: several tools may share one. */
  readonly made: Map<string, "download" | "build">;
  /** The Go that builds, or why there is none. */
  readonly go: () => Promise<Go | string>;
}

export function createSession(options: ToolsOptions): Session {
  const { paths, progress, signal } = options;
  // An engine that is asked for its version looks for a newer one on the way.
  const env = { ...(options.env ?? process.env), PULUMI_SKIP_UPDATE_CHECK: "true" };
  let go: Promise<Go | string> | undefined;
  return {
    paths,
    progress,
    env,
    signal,
    os: process.platform,
    arch: process.arch === "x64" ? "amd64" : (process.arch as Arch),
    hosts: createHosts(progress.note, options.hosts),
    search: { env, ours: [paths.bin, paths.cache], note: progress.note, signal },
    made: new Map(),
    go: () => (go ??= findGo(env, signal)),
  };
}

export function downloadEntry(session: Session, tool: Tool): string | undefined {
  if (!tool.release || session.os !== "linux") return undefined;
  return path.join(session.paths.cache, `${tool.name}-${downloadKey(tool.release, session.arch)}-official`);
}

/** A build's entry has Go's version in its name, so that the name tells what it was made of. */
export function buildEntry(session: Session, build: Build, go: Go): string {
  return path.join(session.paths.cache, `${buildPrefix(session, build)}go${go.version}`);
}

/**
 * The tool's program in the cache.
 *
 * @param repair - drop a corrupted entry, and say so; only for the holder of the cache's lock
 */
export async function findCached(session: Session, tool: Tool, repair = false): Promise<string | undefined> {
  const official = downloadEntry(session, tool);
  const folders = [...(official === undefined ? [] : [official]), ...(await builtEntries(session, tool.build))];
  for (const folder of folders) {
    const opened = await openEntry(folder, Boolean(session.env[VERIFY_VARIABLE]));
    if (opened.kind === "intact") return opened.file;
    if (opened.kind === "missing" || !repair) continue;
    session.progress.note(
      `${tool.name}: the cached copy is corrupted (${opened.reason}): dropped ${folder}, making it again`,
    );
    removeEntry(folder);
  }
  return undefined;
}

/** Without Go, as on a CI runner that only restores its cache, what any Go has built from the same source will do. */
async function builtEntries(session: Session, build: Build): Promise<string[]> {
  const go = await session.go();
  if (typeof go !== "string") return [buildEntry(session, build, go)];
  const prefix = `${buildPrefix(session, build)}go`;
  const { cache } = session.paths;
  const names = fs.existsSync(cache) ? fs.readdirSync(cache) : [];
  return names.filter((name) => name.startsWith(prefix)).map((name) => path.join(cache, name));
}

function buildPrefix(session: Session, build: Build): string {
  return `${build.name}-${buildKey(build, { sources: session.paths.toolSources, os: session.os, arch: session.arch })}-`;
}
