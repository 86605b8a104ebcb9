import { Agent, request, type RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import { lines } from "../../programs/endpoints/kube";
import type { Kubectl } from "../control-plane/kubectl";

export const MERGE_PATCH = "application/merge-patch+json";

/** The API server over connections that are kept: a kubectl for each question would cost more CPU than the answer. */
export interface Api {
  readonly get: <T>(path: string, accept?: string) => Promise<T>;
  readonly patch: (path: string, contentType: string, body: object) => Promise<void>;
  /** An answer that goes on, line by line, until the server or the signal ends it. */
  readonly lines: (path: string, accept: string, signal: AbortSignal) => AsyncGenerator<string>;
  readonly close: () => void;
}

/** It refused, or did not answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** Of its answer; 0 where there was none. */
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** As `kubectl config view --flatten` gives it: every file's content in its place. */
interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: Readonly<Record<string, string>> }];
  readonly users: readonly [{ readonly user: Readonly<Record<string, string>> }];
}

/** Milliseconds without a sign after which the other end is taken for lost; a watch has a bookmark each minute. */
const SILENCE = { answer: 10_000, watch: 90_000 };

export async function connect(kubectl: Kubectl): Promise<Api> {
  const text = await kubectl(["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
  const { clusters, users } = JSON.parse(text) as Kubeconfig;
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  const agent = new Agent({
    keepAlive: true,
    ca: decoded(cluster["certificate-authority-data"]),
    cert: decoded(user["client-certificate-data"]),
    key: decoded(user["client-key-data"]),
  });
  const send = (path: string, options: RequestOptions, body?: object) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(`${cluster["server"]}${path}`, { agent, timeout: SILENCE.answer, ...options }, resolve);
      sent
        .on("error", (error) => reject(new ApiError(0, `the API server does not answer: ${error.message}`)))
        .on("timeout", () => sent.destroy(new Error("silent for too long")));
      sent.end(body && JSON.stringify(body));
    }).then(accepted);
  return {
    get: async <T>(path: string, accept = "application/json") =>
      JSON.parse(await textOf(await send(path, { headers: { accept } }))) as T,
    patch: async (path, contentType, body) => {
      await textOf(await send(path, { method: "PATCH", headers: { "content-type": contentType } }, body));
    },
    lines: async function* (path, accept, signal) {
      yield* lines(await send(path, { headers: { accept }, timeout: SILENCE.watch, signal }));
    },
    close: () => agent.destroy(),
  };
}

function decoded(base64: string | undefined): Buffer | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, "base64");
}

async function accepted(response: IncomingMessage): Promise<IncomingMessage> {
  const { statusCode = 0 } = response;
  if (statusCode < 300) return response;
  const text = await textOf(response);
  throw new ApiError(statusCode, `the API server answered ${statusCode}: ${messageOf(text)}`);
}

/** Refusals are Status objects, but where something stands between. */
function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { readonly message?: string }).message ?? text;
  } catch {
    return text.slice(0, 200);
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
