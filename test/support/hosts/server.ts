import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { parseImage } from "../../../infra/addresses";
import type { ReadyImage } from "../../../local/images/assemble";

/** What hosts download and pull from, at this machine's address on their network and nowhere else. */
export interface HostServer {
  /** Without a slash at its end. Files are under it by their path; images are at `/v2/`. */
  readonly url: string;
  /** What was asked for so far, as method and path. */
  readonly requests: readonly string[];
  readonly close: () => Promise<void>;
}

/**
 * Serves a folder, and images from their layouts as a registry does to those who pull
 * (https://github.com/opencontainers/distribution-spec): by name, whichever registry they are named after, as a mirror is
 * asked for them.
 */
export async function serve(address: string, folder: string, images: readonly ReadyImage[]): Promise<HostServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "/").split("?")[0] ?? "/");
    requests.push(`${request.method} ${path}`);
    if (path === "/v2/" || path === "/v2") response.end("{}");
    else if (path.startsWith("/v2/")) answerPull(path, images, response, request.method === "HEAD");
    else answerFile(resolve(folder, `.${path}`), folder, response);
  });
  await new Promise<void>((listening) => server.listen(0, address, listening));
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function answerFile(file: string, folder: string, response: ServerResponse): void {
  if (!file.startsWith(`${folder}/`) || !existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-length": statSync(file).size });
  createReadStream(file).pipe(response);
}

/** `/v2/<repository>/manifests/<tag or digest>` and `/v2/<repository>/blobs/<digest>`. */
function answerPull(path: string, images: readonly ReadyImage[], response: ServerResponse, headOnly: boolean): void {
  const [, repository = "", kind, name = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
  const candidates = images.filter(({ reference }) => parsed(reference).repository === repository);
  const tagged = candidates.find(({ reference }) => parsed(reference).tag === name);
  const digest = tagged?.digest ?? name;
  const file = candidates
    .map((image) => join(image.folder, "blobs", digest.replace(":", "/")))
    .find((one) => existsSync(one));
  if (file === undefined || !/^sha256:[0-9a-f]{64}$/.test(digest)) {
    response.writeHead(404, { "content-type": "application/json" }).end('{"errors":[{"code":"NOT_FOUND"}]}');
    return;
  }
  const content = readFileSync(file);
  const type =
    kind === "blobs" ? "application/octet-stream" : (JSON.parse(content.toString()) as { mediaType: string }).mediaType;
  response.writeHead(200, { "content-type": type, "content-length": content.length, "docker-content-digest": digest });
  response.end(headOnly ? undefined : content);
}

function parsed(reference: string): { readonly repository: string; readonly tag?: string } {
  const image = parseImage(reference);
  if ("error" in image) throw new Error(`${reference} ${image.error.limit}`);
  return image.ok;
}
