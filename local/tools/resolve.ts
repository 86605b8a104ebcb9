import * as fs from "node:fs";
import * as path from "node:path";
import { withLock } from "../lock";
import { formatDuration } from "../progress";
import type { Problem } from "../../infra/problems";
import { MINIMUM_GO } from "../../infra/versions";
import { removeLeftovers } from "./cache";
import { TOOL_NAMES, TOOLS, type Tool, type ToolName } from "./catalog";
import { explain, toolsError, Unavailable } from "./failures";
import { makeTool } from "./make";
import { findOnPath } from "./on-path";
import { createSession, downloadEntry, findCached, type Session, type ToolsOptions } from "./session";

export type { ToolsOptions } from "./session";

export type Source = "PATH" | "cache" | "download" | "build";

export interface ReadyTool {
  readonly name: ToolName;
  /** The link in `.local/bin`, which stays the same whatever it points to. */
  readonly path: string;
  readonly version: string;
  readonly source: Source;
  readonly seconds: number;
}

/**
 * Makes tools ready and gives their absolute paths, all in `.local/bin`.
 *
 * Each is looked for on PATH, then in the cache, then downloaded from its publisher, then built from its pinned module.
 *
 * @throws ProblemsError when one cannot be had, the disk is full or a build fails; what the signal was aborted with
 */
export async function ensureTools<N extends ToolName>(
  names: readonly N[],
  options: ToolsOptions,
): Promise<Record<N, string>> {
  const ready = await prepareTools(names, options);
  return Object.fromEntries(ready.map((tool) => [tool.name, tool.path])) as Record<N, string>;
}

/** As `ensureTools`, and tells where each tool came from and how long that took. */
export async function prepareTools(names: readonly ToolName[], options: ToolsOptions): Promise<ReadyTool[]> {
  try {
    return await prepare(names, options);
  } catch (error) {
    throw options.signal?.aborted ? error : explain(error, options.paths.cache);
  }
}

async function prepare(names: readonly ToolName[], options: ToolsOptions): Promise<ReadyTool[]> {
  const session = createSession(options);
  const tools = TOOL_NAMES.filter((name) => names.includes(name)).map((name) => TOOLS[name]);
  const ready = new Map<ToolName, ReadyTool>();
  for (const tool of tools) {
    const found = await timed(session, tool, () => find(session, tool));
    if (found) ready.set(tool.name, found);
  }
  const missing = tools.filter((tool) => !ready.has(tool.name));
  if (missing.length > 0) {
    // Only making needs the lock: what is ready can be used while another run builds something else.
    const lock = path.join(options.paths.cache, "lock");
    const waitingMessage = "another run is making tools ready: waiting for it";
    const { signal } = options;
    await withLock(lock, { waitingMessage, onWait: options.progress.note, signal }, async () => {
      removeLeftovers(options.paths.cache);
      for (const tool of await makeAll(session, missing)) ready.set(tool.name, tool);
    });
  }
  return tools.map((tool) => ready.get(tool.name)).filter((tool) => tool !== undefined);
}

interface Located {
  readonly file: string;
  readonly version: string;
  readonly source: Source;
}

async function find(session: Session, tool: Tool): Promise<Located | undefined> {
  const passedOver: string[] = [];
  const found = await findOnPath(tool, { ...session.search, note: (text) => passedOver.push(text) });
  if (found) return { file: found.path, version: found.version, source: "PATH" };
  const cached = await findCached(session, tool);
  if (cached !== undefined) return { file: cached, version: tool.version, source: "cache" };
  // What lies on PATH and will not do is worth a word where it costs a download or a build, not at each command.
  for (const text of passedOver) session.progress.note(text);
  return undefined;
}

/** One after another: `go build` uses all cores by itself. What cannot be had is told together, at the end. */
async function makeAll(session: Session, tools: readonly Tool[]): Promise<ReadyTool[]> {
  const ready: ReadyTool[] = [];
  const unavailable: { tool: Tool; reason: string }[] = [];
  for (const tool of tools) {
    try {
      const made = await timed(session, tool, async () => ({
        ...(await makeTool(session, tool)),
        version: tool.version,
      }));
      if (made) ready.push(made);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      unavailable.push({ tool, reason: error.message });
    }
  }
  if (unavailable.length > 0) throw toolsError(unavailableProblems(unavailable));
  return ready;
}

/** Tools that fail for the same reason are one problem. */
function unavailableProblems(unavailable: readonly { tool: Tool; reason: string }[]): Problem[] {
  const reasons = [...new Set(unavailable.map(({ reason }) => reason))];
  return reasons.map((reason) => {
    const tools = unavailable.filter((one) => one.reason === reason).map(({ tool }) => tool);
    const wanted = tools.map((tool) => `${tool.name} (${tool.accepts.text})`);
    const withProbe = tools.filter((tool) => tool.probe).map((tool) => tool.name);
    const own = withProbe.length > 0 ? `, or put ${withProbe.join(", ")} of these versions on PATH` : "";
    return {
      path: wanted.join(", "),
      value: "cannot be had",
      limit: reason,
      fix: `install Go ${MINIMUM_GO} or newer (https://go.dev/dl) and let it reach its module proxy (GOPROXY)${own}`,
    };
  });
}

async function timed(
  session: Session,
  tool: Tool,
  locate: () => Promise<Located | undefined>,
): Promise<ReadyTool | undefined> {
  const started = Date.now();
  const located = await locate();
  if (!located) return undefined;
  const { version, source } = located;
  sayStandIn(session, tool, located);
  return {
    name: tool.name,
    path: link(session.paths.bin, tool.name, located.file),
    version,
    source,
    seconds: (Date.now() - started) / 1000,
  };
}

/** A program of ours must not pass for the one whose name it has. */
function sayStandIn(session: Session, tool: Tool, { file, version }: Located): void {
  const { standIn } = tool.build;
  const official = downloadEntry(session, tool);
  if (standIn === undefined || (official !== undefined && file.startsWith(official + path.sep))) return;
  session.progress.note(`${tool.name} ${version}: ${standIn}`);
}

/** Points the tool's link to a program; replaced in one step, since other runs may start the tool just now. */
function link(bin: string, name: string, target: string): string {
  const file = path.join(bin, name);
  if (fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() && fs.readlinkSync(file) === target) return file;
  fs.mkdirSync(bin, { recursive: true });
  const draft = `${file}.${process.pid}`;
  fs.rmSync(draft, { force: true });
  fs.symlinkSync(target, draft);
  fs.renameSync(draft, file);
  return file;
}

/** The table of `make tools`. */
export function formatTools(tools: readonly ReadyTool[]): string {
  const rows = tools.map((tool) => [
    tool.name,
    `v${tool.version}`,
    tool.source,
    formatDuration(tool.seconds * 1000),
    tool.path,
  ]);
  const table = [["tool", "version", "from", "time", "path"], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  return table.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")).join("\n");
}
