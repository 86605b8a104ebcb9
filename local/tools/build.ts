import * as fs from "node:fs";
import * as path from "node:path";
import { MINIMUM_GO, type Arch } from "../../infra/versions";
import { isOlder, type Build } from "./catalog";
import { runChild, type ChildResult } from "./child";
import { contentKey } from "./cache";
import { diskFull, keepLog, saysDiskFull, toolsError, Unavailable } from "./failures";

export interface Go {
  readonly version: string;
}

export interface BuildContext {
  /** The folder that holds each tool's module. */
  readonly sources: string;
  readonly logs: string;
  readonly os: string;
  readonly arch: Arch;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  readonly update: (doing: string) => void;
}

/** The Go on PATH, or why there is none that can build. */
export async function findGo(env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<Go | string> {
  try {
    const result = await runChild("go", ["version"], {
      env: { ...env, GOTOOLCHAIN: "local" },
      signal,
      timeout: 10_000,
    });
    const version = /\bgo(\d+\.\d+(?:\.\d+)?\S*)/.exec(result.stdout)?.[1];
    if (result.code !== 0 || version === undefined) return "the go on PATH does not run";
    return isOlder(version, MINIMUM_GO) ? `the go on PATH is ${version}, ${MINIMUM_GO} is needed` : { version };
  } catch {
    signal?.throwIfAborted();
    return "there is no go on PATH";
  }
}

/** What determines the content of a build, apart from Go's own version. */
export function buildKey(build: Build, context: Pick<BuildContext, "sources" | "os" | "arch">): string {
  const module = path.join(context.sources, build.module);
  const files = sourceFiles(module).flatMap((file) => [file, fs.readFileSync(path.join(module, file), "utf8")]);
  const embedded = build.embed ? [build.embed.folder, ...build.embed.files] : [];
  return contentKey(["build", context.os, context.arch, build.package, ...flags(build), ...embedded, ...files]);
}

/**
 * Builds in a folder of its own that holds a copy of the module: nothing is written to the work tree, and a build that
 * was interrupted leaves nothing but that folder.
 *
 * @returns the program's folder and its name in there
 */
export async function buildTool(build: Build, staging: string, context: BuildContext): Promise<[string, string]> {
  const source = path.join(staging, "source");
  const out = path.join(staging, "out");
  const temporary = path.join(staging, "tmp");
  [source, out, temporary].forEach((folder) => fs.mkdirSync(folder));
  const module = path.join(context.sources, build.module);
  for (const file of sourceFiles(module)) fs.copyFileSync(path.join(module, file), path.join(source, file));

  const go = async (args: readonly string[]) => {
    const env = goEnvironment(context, temporary);
    const result = await runChild("go", args, { env, cwd: source, signal: context.signal, onLine: activity(context) });
    if (result.code !== 0) throw buildFailure(build, staging, result, context);
    return result.stdout;
  };
  if (build.embed) await copyEmbedded(build.embed, source, go);
  await go(["build", ...flags(build), "-o", path.join(out, build.name), build.package]);
  return [out, build.name];
}

function flags(build: Build): string[] {
  const set = Object.entries(build.set).map(([variable, value]) => `-X ${variable}=${value}`);
  return [
    "-mod=readonly",
    "-trimpath",
    // The copy lies in this project's checkout, whose state says nothing about the tool.
    "-buildvcs=false",
    ...(build.optimized ? [] : ["-gcflags=all=-N -l"]),
    ...(build.tags ? [`-tags=${build.tags.join(",")}`] : []),
    `-ldflags=${["-s", "-w", ...set].join(" ")}`,
  ];
}

/** Values that are not empty also win over what `go env -w` has stored. */
function goEnvironment({ env, os, arch }: BuildContext, temporary: string): NodeJS.ProcessEnv {
  return {
    ...env,
    CGO_ENABLED: "0",
    GOFLAGS: "-mod=readonly",
    GOOS: os,
    GOARCH: arch,
    GOTMPDIR: temporary,
    GOTOOLCHAIN: "local",
    GOWORK: "off",
  };
}

/** Not the tests: a build does not depend on them. */
function sourceFiles(module: string): string[] {
  const isSource = (file: string) => /^go\.(?:mod|sum)$|(?<!_test)\.go$/.test(file);
  return fs.readdirSync(module).filter(isSource).sort();
}

async function copyEmbedded(
  embed: NonNullable<Build["embed"]>,
  target: string,
  go: (args: readonly string[]) => Promise<string>,
): Promise<void> {
  const { Dir: folder } = JSON.parse(await go(["mod", "download", "-json", embed.module])) as { Dir: string };
  for (const file of embed.files) {
    fs.copyFileSync(path.join(folder, embed.folder, file), path.join(target, file));
    // The module cache is read-only, and a copy of that mode could not be cleaned up everywhere.
    fs.chmodSync(path.join(target, file), 0o644);
  }
}

function activity(context: BuildContext): (line: string) => void {
  let modules = 0;
  return (line) => {
    if (!line.startsWith("go: downloading ")) return;
    modules += 1;
    context.update(`building (${modules} modules downloaded)`);
  };
}

const NETWORK =
  /dial tcp|no such host|i\/o timeout|connection (?:refused|reset)|proxyconnect|TLS handshake|module lookup disabled/i;

function buildFailure(build: Build, staging: string, result: ChildResult, context: BuildContext): Error {
  // `go mod download -json` tells its errors on standard output.
  const output = `${result.stdout}${result.stderr}`;
  if (saysDiskFull(output)) return diskFull(path.dirname(staging), `building ${build.name} ${build.version}`);
  const lines = output.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("go: downloading "));
  const network = lines.find((line) => NETWORK.test(line));
  if (network !== undefined) return new Unavailable(`its modules cannot be downloaded (${shorten(network)})`);
  const log = keepLog(context, `build-${build.name}`, output);
  return toolsError([
    {
      path: path.join(context.sources, build.module),
      value: `go build of ${build.name} ${build.version} failed: ${shorten(lines.at(-1) ?? "without a message")}`,
      limit: "it builds from the pinned modules there, unchanged",
      fix: `see ${log}`,
    },
  ]);
}

function shorten(line: string): string {
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
