import { openAsBlob } from "node:fs";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { reasonOf, Stalled, unlessStalled } from "../tools/fetch";
import { digestOf, MANIFEST_TYPES, mediaTypeOf, MOST_MANIFEST_BYTES, type Descriptor } from "./oci";
import { answerChallenge, isPrivate, RegistryError } from "./registry-auth";

export interface Manifest extends Descriptor {
  readonly content: Buffer;
}

export interface RegistryOptions {
  /** `user:password`. It is in no message of this class. */
  readonly credential?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Blob | Buffer;
  readonly signal?: AbortSignal | undefined;
}

/** One repository of a registry, by https://github.com/opencontainers/distribution-spec. */
export class Repository {
  readonly #credential: string | undefined;
  readonly #signal: AbortSignal | undefined;
  /** What the registry has let in last. */
  #authorization: string | undefined;

  /** @param base - the registry's, with its `/v2` */
  constructor(
    private readonly base: URL,
    readonly name: string,
    { credential, signal }: RegistryOptions = {},
  ) {
    if (credential !== undefined && !isPrivate(base))
      throw new RegistryError(`${base.origin} is not encrypted, and there is a credential for it: refused`);
    this.#credential = credential;
    this.#signal = signal;
  }

  /** How it is called in messages. */
  get text(): string {
    return `${this.base.host}/${this.name}`;
  }

  /**
   * A manifest, by tag or digest.
   *
   * @throws RegistryError when it is not there, or is not what the digest says
   */
  async manifest(reference: string): Promise<Manifest> {
    const path = `manifests/${reference}`;
    return this.whole(async (signal) => {
      const response = await this.expect([200], "GET", path, {
        headers: { accept: MANIFEST_TYPES.join(", ") },
        signal,
      });
      const content = await readAll(response, MOST_MANIFEST_BYTES, `${this.text}/${path}`);
      const digest = digestOf(content);
      if (reference.startsWith("sha256:") && digest !== reference)
        throw new RegistryError(`${this.text}/${path} has the digest ${digest}: refused`);
      return { content, digest, size: content.length, mediaType: mediaTypeOf(content) };
    });
  }

  /** Gives a blob's bytes to `take`. That they are the right ones is for that to see. */
  async blob({ digest }: Descriptor, take: (bytes: Readable) => Promise<void>): Promise<void> {
    await this.whole(async (signal, alive) => {
      const response = await this.expect([200], "GET", `blobs/${digest}`, { signal });
      const bytes = Readable.fromWeb((response.body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>, {
        signal,
      });
      await take(Readable.from(telling(bytes, alive)));
    });
  }

  /** Puts a blob there, unless it is; tells whether it did. */
  async putBlob({ digest }: Descriptor, file: string): Promise<boolean> {
    if ((await this.ask("HEAD", `blobs/${digest}`)).status === 200) return false;
    const started = await this.expect([202], "POST", "blobs/uploads/");
    const location = started.headers.get("location");
    if (location === null) throw new RegistryError(`${this.text} does not say where a blob goes`);
    const target = new URL(location, this.url("blobs/uploads/"));
    target.searchParams.set("digest", digest);
    const headers = { "content-type": "application/octet-stream" };
    await this.expect([201], "PUT", target, { headers, body: await openAsBlob(file) });
    return true;
  }

  /** Puts a manifest there under its digest, unless it is; tells whether it did. What it consists of has to be there. */
  async putManifest({ content, digest, mediaType }: Manifest): Promise<boolean> {
    const path = `manifests/${digest}`;
    const headers = { accept: MANIFEST_TYPES.join(", ") };
    if ((await this.ask("HEAD", path, { headers })).status === 200) return false;
    await this.expect([201], "PUT", path, { headers: { "content-type": mediaType }, body: content });
    return true;
  }

  /** A connection that breaks off, or from which nothing more comes, is the registry's fault. */
  private whole<T>(asking: Parameters<typeof unlessStalled<T>>[1]): Promise<T> {
    return unlessStalled(this.#signal, asking).catch((error: unknown) => {
      this.#signal?.throwIfAborted();
      if (!(error instanceof Stalled || error instanceof TypeError)) throw error;
      throw new RegistryError(`${this.text} broke off: ${reasonOf(error)}`);
    });
  }

  private url(path: string): URL {
    return new URL(`${this.base.href.replace(/\/$/, "")}/${this.name}/${path}`);
  }

  private async expect(wanted: readonly number[], method: string, at: string | URL, asked: Asked = {}) {
    const response = await this.ask(method, at, asked);
    if (wanted.includes(response.status)) return response;
    await response.body?.cancel();
    throw new RegistryError(`${this.text}${typeof at === "string" ? `/${at}` : ""} ${this.refusal(response.status)}`);
  }

  private refusal(status: number): string {
    if (status === 404) return "is not there";
    if (status !== 401 && status !== 403) return `answers ${status}`;
    return this.#credential === undefined
      ? `asks who you are: no credential is set in pullCredentials for ${this.base.host}`
      : `does not let in the credential that is set in pullCredentials for ${this.base.host}`;
  }

  /** Asks once more where the registry wants to know who asks. */
  private async ask(method: string, at: string | URL, asked: Asked = {}): Promise<Response> {
    const url = typeof at === "string" ? this.url(at) : at;
    const response = await this.send(method, url, asked);
    const challenge = response.headers.get("www-authenticate");
    if (response.status !== 401 || challenge === null) return response;
    await response.body?.cancel();
    this.#authorization = await answerChallenge(challenge, this.#credential, asked.signal ?? this.#signal);
    return this.#authorization === undefined ? response : this.send(method, url, asked);
  }

  private async send(method: string, url: URL, { headers, body, signal = this.#signal }: Asked): Promise<Response> {
    // A blob's place may be on another server, which has no business with who we are.
    const authorization = url.origin === this.base.origin ? this.#authorization : undefined;
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      ...(body && { body: body instanceof Buffer ? new Uint8Array(body) : body }),
      ...(signal && { signal }),
    }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw new RegistryError(`${this.text} cannot be reached: ${reasonOf(error)}`);
    });
    if (url.protocol === "https:" && new URL(response.url).protocol !== "https:")
      throw new RegistryError(`${this.text} leads to a server without encryption: refused`);
    return response;
  }
}

async function* telling(bytes: Readable, alive: () => void): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    alive();
    yield chunk as Buffer;
  }
}

async function readAll(response: Response, most: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of Readable.fromWeb((response.body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>)) {
    chunks.push(chunk as Buffer);
    if ((size += (chunk as Buffer).length) > most) throw new RegistryError(`${what} has more than ${most} bytes`);
  }
  return Buffer.concat(chunks);
}
