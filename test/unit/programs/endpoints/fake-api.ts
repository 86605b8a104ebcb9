// The certificate library's dependency injection wants it loaded first.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { webcrypto } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Credentials } from "../../../../programs/endpoints/kube";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;

export interface FakeObject {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly [key: string]: unknown;
}

/** One request as it came. */
export interface Asked {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly token: string | undefined;
}

/** Plays the cluster's API on loopback: lists what it is given, and streams to watches what it is told. */
export class FakeApi {
  readonly asked: Asked[] = [];
  private readonly lists = new Map<string, { readonly items: readonly FakeObject[]; readonly version: string }>();
  private readonly refused = new Map<string, number>();
  private readonly watches = new Map<string, Set<ServerResponse>>();
  private server: Server | undefined;
  private port = 0;

  private constructor(
    private readonly certificate: { readonly cert: string; readonly key: string },
    /** Where the kubelet would put a token and the authority's certificate. */
    readonly account: string,
  ) {}

  static async start(folder: string): Promise<FakeApi> {
    const certificate = await selfSigned();
    const account = join(folder, "account");
    mkdirSync(account);
    writeFileSync(join(account, "ca.crt"), certificate.cert);
    const api = new FakeApi(certificate, account);
    api.useToken("first-token");
    await api.listen();
    return api;
  }

  get credentials(): Credentials {
    const { account, port } = this;
    return { host: "127.0.0.1", port, tokenFile: join(account, "token"), caFile: join(account, "ca.crt") };
  }

  useToken(token: string): void {
    writeFileSync(join(this.account, "token"), `${token}\n`);
  }

  /** At the same port as before, if there was one. */
  async listen(): Promise<void> {
    const server = createServer(this.certificate, (request, response) => this.answer(request, response));
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** As when its host is lost: connections break, and no new one comes to stand. */
  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** What a list gives from now on. */
  list(path: string, items: readonly FakeObject[], version: string): void {
    this.refused.delete(path);
    this.lists.set(path, { items, version });
  }

  /** Answers a path, list and watch, with a status and a text that nobody must believe. */
  refuse(path: string, status: number): void {
    this.refused.set(path, status);
  }

  /** Open watches of a path. */
  watching(path: string): number {
    return this.watches.get(path)?.size ?? 0;
  }

  event(path: string, type: string, object: object): void {
    this.write(path, `${JSON.stringify({ type, object })}\n`);
  }

  /** A part of a stream as it is. */
  write(path: string, text: string | Buffer): void {
    const open = this.watches.get(path) ?? [];
    for (const response of open) response.write(text);
  }

  /** As the API server does when a watch's time is over. */
  endWatches(path: string): void {
    const open = this.watches.get(path) ?? [];
    for (const response of open) response.end();
  }

  /** Queries of the lists, or of the watches, of a path. */
  queries(path: string, kind: "list" | "watch"): Asked["query"][] {
    return this.asked
      .filter((each) => each.path === path && (each.query["watch"] === "true") === (kind === "watch"))
      .map(({ query }) => query);
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname: path, searchParams } = new URL(request.url ?? "", "https://127.0.0.1");
    const query = Object.fromEntries(searchParams);
    this.asked.push({ path, query, token: request.headers.authorization });
    const list = this.lists.get(path);
    const status = this.refused.get(path) ?? (list === undefined ? 404 : 200);
    response.writeHead(status, { "Content-Type": "application/json" });
    if (list === undefined || status !== 200) {
      response.end(JSON.stringify({ kind: "Status", message: `no: ${request.headers.authorization}` }));
    } else if (query["watch"] === "true") {
      response.flushHeaders();
      const open = this.watches.get(path) ?? new Set();
      this.watches.set(path, open.add(response));
      response.on("close", () => open.delete(response));
    } else {
      response.end(JSON.stringify({ metadata: { resourceVersion: list.version }, items: list.items }));
    }
  }
}

async function selfSigned(): Promise<{ cert: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=kubernetes",
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + DAY),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { cert: `${certificate.toString("pem")}\n`, key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}
