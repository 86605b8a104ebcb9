import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { Arch, ReleaseFile, ToolRelease } from "../../infra/versions";
import { runChild } from "./child";
import { contentKey } from "./cache";
import { isDiskFull, saysDiskFull, Unavailable } from "./failures";
import type { Hosts } from "./hosts";

/** Milliseconds without a byte after which a download counts as broken. */
const STALL = 30_000;
const ATTEMPTS = 2;

export interface DownloadContext {
  readonly hosts: Hosts;
  readonly arch: Arch;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  readonly update: (doing: string) => void;
}

/** What determines the content of a download: the publisher's file, and what is taken out of it. */
export function downloadKey(release: ToolRelease, arch: Arch): string {
  return contentKey([
    "download",
    release.host,
    release.path(arch),
    release.member?.(arch) ?? "",
    release.sha256?.[arch] ?? "",
  ]);
}

/** Why a release is not even tried, or undefined when it can be. */
export async function cannotDownload(release: ToolRelease, hosts: Hosts): Promise<string | undefined> {
  if (!release.checksums && !release.sha256) return "no SHA-256 is published for it";
  const needed = new Set([release.host, ...(release.checksums ? [release.checksums.host] : [])]);
  for (const host of needed) {
    const reason = await hosts.unreachable(host);
    if (reason !== undefined) return `${new URL(hosts.urls[host]).host} is out of reach (${reason})`;
  }
  return undefined;
}

/**
 * Downloads a release into an empty folder, verifies it and takes the program out of it.
 *
 * @returns the program's path relative to the folder
 * @throws Unavailable when it is not what the publisher's checksum says, or cannot be had whole
 */
export async function downloadRelease(release: ToolRelease, folder: string, context: DownloadContext): Promise<string> {
  const url = urlOf(release, context);
  const name = path.posix.basename(new URL(url).pathname);
  const expected = release.sha256?.[context.arch] ?? (await publishedSum(release, name, context));
  const file = path.join(folder, name);
  const actual = await fetchFile(release, file, context);
  if (actual !== expected) {
    fs.rmSync(file, { force: true });
    throw new Unavailable(`${url} has SHA-256 ${actual}, its publisher says ${expected}: refused, it was not run`);
  }
  if (!release.member) return name;
  context.update("unpacking");
  await unpack(file, folder, context);
  fs.rmSync(file);
  return release.member(context.arch);
}

function urlOf(file: ReleaseFile, { hosts, arch }: DownloadContext): string {
  return hosts.urls[file.host] + file.path(arch);
}

async function publishedSum(release: ToolRelease, name: string, context: DownloadContext): Promise<string> {
  const list = release.checksums;
  if (!list) throw new Unavailable(`no SHA-256 of ${name} is known`);
  const text = await unlessStalled(context, async (signal) => (await request(list, context, signal)).text());
  const sum = findSum(text, name);
  if (sum === undefined)
    throw new Unavailable(`${urlOf(list, context)} has no SHA-256 for ${name}: refused, not downloaded`);
  return sum;
}

/** `sum  file`, `sum *file` or, in a file for one program, the sum alone. */
export function findSum(list: string, name: string): string | undefined {
  const lines = list.split("\n").map((line) => line.trim().split(/\s+\*?/));
  const line = lines.find((fields) => fields.length === 2 && path.posix.basename(fields[1] ?? "") === name);
  const alone =
    lines.filter((fields) => fields[0] !== "").length === 1 && lines[0]?.length === 1 ? lines[0] : undefined;
  const sum = (line ?? alone)?.[0]?.toLowerCase();
  return sum !== undefined && /^[0-9a-f]{64}$/.test(sum) ? sum : undefined;
}

/** Fetches a file and gives its SHA-256. A broken connection is tried once more, from the start. */
async function fetchFile(source: ReleaseFile, file: string, context: DownloadContext): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await unlessStalled(context, (signal, alive) => fetchOnce(source, file, context, signal, alive));
    } catch (error) {
      fs.rmSync(file, { force: true });
      context.signal?.throwIfAborted();
      if (isDiskFull(error) || error instanceof Unavailable) throw error;
      if (attempt === ATTEMPTS) {
        throw new Unavailable(`${urlOf(source, context)} broke off ${ATTEMPTS} times: ${reasonOf(error)}`);
      }
    }
  }
}

async function fetchOnce(
  source: ReleaseFile,
  file: string,
  context: DownloadContext,
  signal: AbortSignal,
  alive: () => void,
): Promise<string> {
  const response = await request(source, context, signal);
  const total = Number(response.headers.get("content-length")) || undefined;
  const hash = createHash("sha256");
  let size = 0;
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      alive();
      hash.update(chunk);
      size += chunk.length;
      context.update(`downloading ${megabytes(size)}${total === undefined ? "" : ` of ${megabytes(total)}`} MB`);
      next(undefined, chunk);
    },
  });
  const body = Readable.fromWeb(response.body as ReadableStream<Uint8Array>);
  await pipeline(body, watch, fs.createWriteStream(file), { signal });
  if (total !== undefined && size !== total) throw new Error(`${size} of ${total} bytes came`);
  return hash.digest("hex");
}

/** Ends what is fetched when the run is stopped, or when nothing has come for a while. */
async function unlessStalled<T>(
  context: DownloadContext,
  fetching: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const stop = () => abort.abort(context.signal?.reason);
  const stalled = () => abort.abort(new Error(`no data for ${STALL / 1000} s`));
  let timer = setTimeout(stalled, STALL);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(stalled, STALL);
  };
  context.signal?.addEventListener("abort", stop);
  try {
    return await fetching(abort.signal, alive);
  } catch (error) {
    // A pipeline tells only that it was aborted; why is with the signal.
    throw abort.signal.aborted && !(error instanceof Unavailable) ? abort.signal.reason : error;
  } finally {
    clearTimeout(timer);
    context.signal?.removeEventListener("abort", stop);
  }
}

async function request(file: ReleaseFile, context: DownloadContext, signal: AbortSignal): Promise<Response> {
  const url = urlOf(file, context);
  const response = await fetch(url, { redirect: "follow", signal }).catch((error: unknown) => {
    context.signal?.throwIfAborted();
    // It took a connection and then served nothing: so it will the next time, after as long a wait.
    context.hosts.giveUp(file.host, reasonOf(error));
    throw new Unavailable(`${url} cannot be fetched: ${reasonOf(error)}`);
  });
  if (!response.ok || !response.body) throw new Unavailable(`${url} answers ${response.status}`);
  if (new URL(response.url).protocol !== new URL(url).protocol) {
    throw new Unavailable(`${url} leads to ${response.url}, which is not the same protocol: refused`);
  }
  return response;
}

async function unpack(archive: string, folder: string, { env, signal }: DownloadContext): Promise<void> {
  const result = await runChild("tar", ["-xzf", archive, "-C", folder, "--no-same-owner"], { env, signal }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw new Unavailable(`tar cannot be run: ${reasonOf(error)}`);
    },
  );
  if (result.code === 0) return;
  if (saysDiskFull(result.stderr)) throw Object.assign(new Error(result.stderr), { code: "ENOSPC" });
  throw new Unavailable(`${path.basename(archive)} cannot be unpacked: ${result.stderr.trim().split("\n").pop()}`);
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${(cause as NodeJS.ErrnoException).code ?? cause.message})` : message;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
