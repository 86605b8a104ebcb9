import * as fs from "node:fs";
import * as path from "node:path";
import { ProblemsError } from "../../infra/problems";
import type { Task } from "../progress";
import { buildTool } from "./build";
import { admit, stage } from "./cache";
import type { Tool } from "./catalog";
import { cannotDownload, downloadRelease } from "./download";
import { diskFull, isDiskFull, Unavailable } from "./failures";
import { probeVersion } from "./on-path";
import { buildEntry, downloadEntry, findCached, type Session } from "./session";

export interface Made {
  readonly file: string;
  readonly source: "cache" | "download" | "build";
}

/**
 * Makes one tool: again from the cache, which another run or the build of a sibling may have filled meanwhile, else from
 * its publisher, else from source. Only for the holder of the cache's lock.
 *
 * @throws Unavailable with all reasons when neither way is open
 */
export async function makeTool(session: Session, tool: Tool): Promise<Made> {
  const cached = await findCached(session, tool, true);
  if (cached !== undefined) return { file: cached, source: session.made.get(cached) ?? "cache" };
  const downloaded = await download(session, tool);
  if (typeof downloaded !== "string") return downloaded;
  const go = await session.go();
  if (typeof go === "string") throw new Unavailable(`${downloaded}, and ${go}`);
  const entry = buildEntry(session, tool.build, go);
  const way: Way = { source: "build", title: `${tool.build.name} ${tool.build.version}`, doing: "building" };
  return inStaging(session, tool, way, async (staging, { update }) => {
    const { paths, env, signal, os, arch } = session;
    const context = { sources: paths.toolSources, logs: paths.logs, env, signal, os, arch, update };
    const [folder, file] = await buildTool(tool.build, staging, context);
    await checkVersion(session, tool, path.join(folder, file));
    return admit(folder, file, entry);
  });
}

/** The tool from its publisher, or why not: then it is built. */
async function download(session: Session, tool: Tool): Promise<Made | string> {
  const { release } = tool;
  const entry = downloadEntry(session, tool);
  if (!release || entry === undefined) return "its publisher offers no binary that can be verified";
  const reason = await cannotDownload(release, session.hosts);
  if (reason !== undefined) return reason;
  const host = new URL(session.hosts.urls[release.host]).host;
  const way: Way = { source: "download", title: `${tool.name} ${tool.version}`, doing: `downloading from ${host}` };
  try {
    return await inStaging(session, tool, way, async (staging, { update }) => {
      const { hosts, arch, env, signal } = session;
      const folder = path.join(staging, "out");
      fs.mkdirSync(folder);
      const file = await downloadRelease(release, folder, { hosts, arch, env, signal, update });
      fs.chmodSync(path.join(folder, file), 0o755);
      await checkVersion(session, tool, path.join(folder, file));
      return admit(folder, file, entry);
    });
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return error.message;
  }
}

interface Way {
  readonly source: "download" | "build";
  readonly title: string;
  readonly doing: string;
}

/** Goes one way of making a tool, in a staging folder that is removed whatever happens. */
async function inStaging(
  session: Session,
  tool: Tool,
  { source, title, doing }: Way,
  make: (staging: string, task: Task) => Promise<string>,
): Promise<Made> {
  const task = session.progress.task(title, doing);
  const { cache } = session.paths;
  let staging: string | undefined;
  try {
    staging = stage(cache, tool.name);
    const file = await make(staging, task);
    session.made.set(file, source);
    task.done(source === "build" ? "built" : "downloaded");
    return { file, source };
  } catch (error) {
    const told = isDiskFull(error) ? diskFull(cache, `${doing} ${title}`) : error;
    task.fail(session.signal?.aborted ? "stopped" : inShort(told));
    throw told;
  } finally {
    if (staging !== undefined) fs.rmSync(staging, { recursive: true, force: true });
  }
}

/** What was made has to be what was asked for, before anyone relies on it. */
async function checkVersion(session: Session, tool: Tool, file: string): Promise<void> {
  if (!tool.probe) return;
  const version = await probeVersion(tool, file, session);
  if (version !== tool.version) {
    throw new Unavailable(`what was made reports version ${version ?? "none"}, not ${tool.version}`);
  }
}

/** The line of a task is short: a problem's path, limit and fix come with the error itself. */
function inShort(error: unknown): string {
  if (error instanceof ProblemsError) return error.problems[0]?.value ?? "failed";
  return error instanceof Error ? error.message : String(error);
}
