import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { isDiskFull, Unavailable } from "./failures";

/** Milliseconds without a byte after which a download counts as broken. */
const STALL = 30_000;
const ATTEMPTS = 2;

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how far it is. */
  readonly update?: (doing: string) => void;
}

/** A server took no connection, or took it and then served nothing. */
export class Unreachable extends Unavailable {
  constructor(
    url: string,
    readonly reason: string,
  ) {
    super(`${url} cannot be fetched: ${reason}`);
  }
}

/** Nothing has come for too long. */
export class Stalled extends Error {}

/**
 * Fetches a file and gives its SHA-256. A broken connection is tried once more, from the start.
 *
 * @throws Unavailable when it cannot be had whole; nothing of it is left then
 */
export async function fetchFile(url: string, file: string, options: FetchOptions): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await unlessStalled(options.signal, (signal, alive) => fetchOnce(url, file, options, signal, alive));
    } catch (error) {
      fs.rmSync(file, { force: true });
      options.signal?.throwIfAborted();
      if (isDiskFull(error) || error instanceof Unavailable) throw error;
      if (attempt === ATTEMPTS) throw new Unavailable(`${url} broke off ${ATTEMPTS} times: ${reasonOf(error)}`);
    }
  }
}

/** @throws Unavailable when it cannot be had */
export function fetchText(url: string, { signal }: FetchOptions): Promise<string> {
  return unlessStalled(signal, async (inner) => (await request(url, signal, inner)).text());
}

async function fetchOnce(
  url: string,
  file: string,
  options: FetchOptions,
  signal: AbortSignal,
  alive: () => void,
): Promise<string> {
  const response = await request(url, options.signal, signal);
  const total = Number(response.headers.get("content-length")) || undefined;
  const hash = createHash("sha256");
  let size = 0;
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      alive();
      hash.update(chunk);
      size += chunk.length;
      options.update?.(`downloading ${megabytes(size)}${total === undefined ? "" : ` of ${megabytes(total)}`} MB`);
      next(undefined, chunk);
    },
  });
  const body = Readable.fromWeb(response.body as ReadableStream<Uint8Array>);
  await pipeline(body, watch, fs.createWriteStream(file), { signal });
  if (total !== undefined && size !== total) throw new Error(`${size} of ${total} bytes came`);
  return hash.digest("hex");
}

/** Ends what is fetched when the run is stopped, or when nothing has come for a while. */
export async function unlessStalled<T>(
  stopped: AbortSignal | undefined,
  fetching: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  stopped?.throwIfAborted();
  const abort = new AbortController();
  const stop = () => abort.abort(stopped?.reason);
  const stalled = () => abort.abort(new Stalled(`no data for ${STALL / 1000} s`));
  let timer = setTimeout(stalled, STALL);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(stalled, STALL);
  };
  stopped?.addEventListener("abort", stop);
  try {
    return await fetching(abort.signal, alive);
  } catch (error) {
    // A pipeline tells only that it was aborted; why is with the signal.
    throw abort.signal.aborted && !(error instanceof Unavailable) ? abort.signal.reason : error;
  } finally {
    clearTimeout(timer);
    stopped?.removeEventListener("abort", stop);
  }
}

async function request(url: string, stopped: AbortSignal | undefined, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { redirect: "follow", signal }).catch((error: unknown) => {
    stopped?.throwIfAborted();
    throw new Unreachable(url, reasonOf(error));
  });
  if (!response.ok || !response.body) throw new Unavailable(`${url} answers ${response.status}`);
  if (new URL(response.url).protocol !== new URL(url).protocol) {
    throw new Unavailable(`${url} leads to ${response.url}, which is not the same protocol: refused`);
  }
  return response;
}

/** An error's message with what `fetch` hides behind its own. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${(cause as NodeJS.ErrnoException).code ?? cause.message})` : message;
}

export function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
