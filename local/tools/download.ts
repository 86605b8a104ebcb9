import * as fs from "node:fs";
import * as path from "node:path";
import type { Arch, ReleaseFile, ToolRelease } from "../../infra/versions";
import { runChild } from "./child";
import { contentKey } from "./cache";
import { saysDiskFull, Unavailable } from "./failures";
import { fetchFile, fetchText, reasonOf, Unreachable } from "./fetch";
import type { Hosts } from "./hosts";

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
  const actual = await givingUp(release, context, fetchFile(url, file, context));
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
  const text = await givingUp(list, context, fetchText(urlOf(list, context), context));
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

/** A server that took a connection and served nothing will do so the next time, after as long a wait. */
async function givingUp<T>({ host }: ReleaseFile, { hosts }: DownloadContext, fetched: Promise<T>): Promise<T> {
  return fetched.catch((error: unknown) => {
    if (error instanceof Unreachable) hosts.giveUp(host, error.reason);
    throw error;
  });
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
