import { readFileSync } from "node:fs";
import { request, type RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Where the kubelet puts what a pod may call the API by. */
export interface Credentials {
  readonly host: string;
  readonly port: number;
  readonly tokenFile: string;
  readonly caFile: string;
}

/** Objects that are watched: all of a kind in a namespace, narrowed by a selector. */
export interface Watched {
  /** `/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices` */
  readonly path: string;
  readonly selector?: Readonly<Record<string, string>>;
}

interface KubeObject {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
}

interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject;
}

/** The API server ends a watch after so many seconds. */
const WATCH_SECONDS = 240;
/** It says something once a minute (a bookmark): one that is silent for longer has lost its other end. Milliseconds. */
const LONGEST_SILENCE = 90_000;
/** Between two attempts, and two watches, in milliseconds; from the first to the most. */
const BACKOFF = { first: 250, most: 10_000 };

/**
 * Keeps a copy of watched objects by their names. `onChange` comes after the first list and after each change; while
 * the API cannot be reached the copy stands, and it is tried for ever, or until `signal`.
 */
export function watch<T extends KubeObject>(
  credentials: Credentials,
  watched: Watched,
  onChange: (objects: ReadonlyMap<string, T>) => void,
  onTrouble: (reason: string) => void,
  signal?: AbortSignal,
): void {
  let backoff = BACKOFF.first;
  void follow();

  async function follow(): Promise<void> {
    while (!stopped()) {
      try {
        const { objects, version } = await list();
        if (stopped()) return;
        onChange(objects);
        await stream(objects, version);
      } catch (error) {
        if (stopped()) return;
        onTrouble(`${watched.path}: ${error instanceof Error ? error.message : String(error)}`);
        await pause(backoff);
        backoff = Math.min(BACKOFF.most, backoff * 2);
      }
    }
  }

  function stopped(): boolean {
    return signal?.aborted === true;
  }

  /** Ends early, and well, where it is told to stop. */
  async function pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { ...(signal && { signal }) }).catch(() => undefined);
  }

  async function list(): Promise<{ objects: Map<string, T>; version: string }> {
    const response = await call(credentials, watched, {}, signal);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as {
      readonly metadata: { readonly resourceVersion: string };
      readonly items: readonly T[];
    };
    return {
      objects: new Map(body.items.map((item) => [item.metadata.name, item])),
      version: body.metadata.resourceVersion,
    };
  }

  /** Goes on from watch to watch; ends where the API server no longer knows the version, and all has to be listed anew. */
  async function stream(objects: Map<string, T>, resourceVersion: string): Promise<void> {
    let version = resourceVersion;
    while (!stopped()) {
      const query = {
        watch: "true",
        resourceVersion: version,
        allowWatchBookmarks: "true",
        timeoutSeconds: String(WATCH_SECONDS),
      };
      const response = await call(credentials, watched, query, signal);
      backoff = BACKOFF.first;
      for await (const line of lines(response)) {
        const { type, object } = JSON.parse(line) as WatchEvent;
        if (type === "ERROR") return pause(BACKOFF.first);
        version = object.metadata.resourceVersion ?? version;
        if (type === "BOOKMARK") continue;
        if (type === "DELETED") objects.delete(object.metadata.name);
        else objects.set(object.metadata.name, object as T);
        onChange(objects);
      }
      // One that is ended at once, time and again, would else be asked for thousands of times in a second.
      await pause(BACKOFF.first);
    }
  }
}

async function call(
  credentials: Credentials,
  { path, selector }: Watched,
  query: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const search = new URLSearchParams({ ...selector, ...query }).toString();
  const options: RequestOptions = {
    host: credentials.host,
    port: credentials.port,
    path: search === "" ? path : `${path}?${search}`,
    ca: readFileSync(credentials.caFile),
    // Read each time: the kubelet renews it.
    headers: {
      Accept: "application/json",
      Authorization: `Bearer ${readFileSync(credentials.tokenFile, "utf8").trim()}`,
    },
    timeout: LONGEST_SILENCE,
    ...(signal && { signal }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(options, resolve);
    sent
      .on("error", reject)
      .on("timeout", () => sent.destroy(new Error("silent for too long")))
      .end();
  });
  if (response.statusCode === 200) return response;
  response.destroy();
  throw new Error(`the API server answered ${response.statusCode ?? 0}`);
}

/** An answer that goes on, line by line; what is left without an end is none. */
export async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    const parts = (rest + String(chunk)).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part !== "");
  }
}
