import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** How a registry of the tests lets in. */
export interface TestRegistryOptions {
  /** `user:password`; without it anybody is let in. */
  readonly credential?: string;
  /** How it is shown. @default "basic" */
  readonly auth?: "basic" | "bearer";
}

/**
 * A registry on loopback with what is put into it in memory, for tests: it keeps to the distribution spec as far as images
 * are pulled and pushed by digest, refuses manifests whose parts it lacks, and lies when it is told to. Real ones are in
 * `test/real/registry.test.ts`.
 */
export class TestRegistry {
  /** As image references name it. */
  readonly host: string;
  /** What was asked for, as method and path. */
  readonly requests: string[] = [];
  /** What it has, by `<repository>/manifests/<tag or digest>` or `<repository>/blobs/<digest>`. */
  readonly content = new Map<string, Buffer>();
  /** What it gives instead, by the same. */
  readonly lies = new Map<string, Buffer>();
  /** What it begins to give, and then breaks off. */
  readonly broken = new Set<string>();
  private readonly uploads = new Set<string>();

  private constructor(
    private readonly server: ReturnType<typeof createServer>,
    private readonly options: TestRegistryOptions,
  ) {
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async start(options: TestRegistryOptions = {}): Promise<TestRegistry> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return new TestRegistry(server, options);
  }

  close(): Promise<void> {
    return new Promise((done) => {
      this.server.close(() => done());
      this.server.closeAllConnections();
    });
  }

  /** Puts an image of one layer there under a tag and its digest, and gives the digest. */
  put(repository: string, tag: string, text: string, architecture = "amd64"): string {
    const manifest = this.image(repository, text, architecture);
    return this.name(repository, tag, manifest);
  }

  /** Puts an index of two architectures there. */
  putIndex(repository: string, tag: string, text: string): string {
    const manifests = ["amd64", "arm64"].map((architecture) => {
      const content = this.image(repository, `${text} of ${architecture}`, architecture);
      this.content.set(`${repository}/manifests/${digestOf(content)}`, content);
      const mediaType = "application/vnd.oci.image.manifest.v1+json";
      return { mediaType, digest: digestOf(content), size: content.length, platform: { architecture, os: "linux" } };
    });
    const mediaType = "application/vnd.oci.image.index.v1+json";
    return this.name(repository, tag, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })));
  }

  private image(repository: string, text: string, architecture: string): Buffer {
    const blob = (mediaType: string, content: Buffer) => {
      this.content.set(`${repository}/blobs/${digestOf(content)}`, content);
      return { mediaType, digest: digestOf(content), size: content.length };
    };
    // Without a media type of its own, as the specification allows.
    return Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: blob("application/vnd.oci.image.config.v1+json", Buffer.from(JSON.stringify({ architecture }))),
        layers: [blob("application/vnd.oci.image.layer.v1.tar", Buffer.from(text))],
      }),
    );
  }

  private name(repository: string, tag: string, manifest: Buffer): string {
    for (const name of [tag, digestOf(manifest)]) this.content.set(`${repository}/manifests/${name}`, manifest);
    return digestOf(manifest);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", `http://${this.host}`);
    this.requests.push(`${request.method} ${pathname}`);
    const body = await buffer(request);
    const path = pathname.replace(/^\/v2\//, "");
    const [, repository = "", id = ""] = /^(.+)\/blobs\/uploads\/(.*)$/.exec(path) ?? [];
    if (pathname === "/token") this.answerToken(request, response);
    else if (!this.letsIn(request)) this.challenge(response);
    else if (request.method === "POST" && repository !== "") this.startUpload(repository, response);
    else if (request.method === "PUT" && this.uploads.delete(id))
      this.endUpload(repository, searchParams.get("digest") ?? "", body, response);
    else if (request.method === "PUT" && path.includes("/manifests/")) this.takeManifest(path, body, response);
    else this.give(path, request, response);
  }

  private startUpload(repository: string, response: ServerResponse): void {
    const id = randomUUID();
    this.uploads.add(id);
    reply(response, 202, { location: `/v2/${repository}/blobs/uploads/${id}?state=of-it` });
  }

  private endUpload(repository: string, digest: string, body: Buffer, response: ServerResponse): void {
    if (digestOf(body) === digest) this.content.set(`${repository}/blobs/${digest}`, body);
    reply(response, digestOf(body) === digest ? 201 : 400);
  }

  private give(path: string, { method }: IncomingMessage, response: ServerResponse): void {
    const content = method === "GET" || method === "HEAD" ? (this.lies.get(path) ?? this.content.get(path)) : undefined;
    if (content === undefined) reply(response, 404);
    else if (this.broken.has(path))
      response
        .writeHead(200, { "content-length": content.length })
        .write(content.subarray(0, 1), () => response.destroy());
    else response.writeHead(200, { "content-length": content.length }).end(method === "HEAD" ? undefined : content);
  }

  /** A registry takes no manifest whose parts it lacks. */
  private takeManifest(path: string, body: Buffer, response: ServerResponse): void {
    const [repository = "", digest = ""] = path.split("/manifests/");
    const { manifests, config, layers } = JSON.parse(body.toString()) as Record<string, { digest: string }[]> & {
      config?: { digest: string };
    };
    const parts = manifests
      ? manifests.map((part) => `${repository}/manifests/${part.digest}`)
      : [...(config ? [config] : []), ...(layers ?? [])].map((part) => `${repository}/blobs/${part.digest}`);
    const isWhole = digestOf(body) === digest && parts.every((part) => this.content.has(part));
    if (isWhole) this.content.set(path, body);
    reply(response, isWhole ? 201 : 400);
  }

  private letsIn({ headers }: IncomingMessage): boolean {
    const { credential, auth = "basic" } = this.options;
    if (credential === undefined) return true;
    return headers.authorization === (auth === "basic" ? basic(credential) : "Bearer of-the-test");
  }

  private challenge(response: ServerResponse): void {
    const bearer = `Bearer realm="http://${this.host}/token",service="test",scope="repository:any:pull"`;
    reply(response, 401, { "www-authenticate": this.options.auth === "bearer" ? bearer : 'Basic realm="test"' });
  }

  private answerToken({ headers }: IncomingMessage, response: ServerResponse): void {
    if (headers.authorization !== basic(this.options.credential ?? "")) reply(response, 401);
    else response.end(JSON.stringify({ token: "of-the-test" }));
  }
}

function basic(credential: string): string {
  return `Basic ${Buffer.from(credential).toString("base64")}`;
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

function reply(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers).end();
}
