import { readFileSync } from "node:fs";
import { request, type RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import { API_PORT, TLS } from "./stand-in";

/** An answer that says no. */
export class Refused extends Error {
  constructor(
    url: string,
    readonly status: number,
    readonly body: string,
  ) {
    super(`${url}: ${status} ${body.trim()}`);
  }
}

export interface Call extends Pick<RequestOptions, "ca" | "cert" | "key" | "auth" | "rejectUnauthorized" | "timeout"> {
  readonly method?: string;
  readonly body?: unknown;
  readonly type?: string;
}

/** Asks over HTTPS, and gives the answer once its head is there. */
export function open(
  url: string,
  { method = "GET", body, type = "application/json", timeout = 30_000, ...options }: Call,
): Promise<IncomingMessage> {
  return new Promise((answered, failed) => {
    const headers = { "content-type": type, accept: "application/json" };
    const sent = request(url, { method, headers, timeout, agent: false, ...options }, answered);
    sent.on("error", failed);
    sent.on("timeout", () => sent.destroy(new Error(`${url}: no answer in ${timeout / 1000} s`)));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** @throws Refused unless the answer says yes */
export async function call(url: string, options: Call): Promise<string> {
  const answer = await open(url, options);
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const status = answer.statusCode ?? 0;
  if (status < 200 || status > 299) throw new Refused(url, status, text);
  return text;
}

/** Who asks, as files beside the server's authority. */
function identity(folder: string, name: string): Call {
  const read = (file: string) => readFileSync(`${folder}/${file}`);
  return { ca: read("ca.crt"), cert: read(`${name}.crt`), key: read(`${name}.key`) };
}

/** The API server of this host, as the cluster's administrator. */
export function callKubernetes(method: string, path: string, body?: unknown, type?: string): Promise<string> {
  const who = identity(TLS, "client-admin");
  return call(`https://127.0.0.1:${API_PORT}${path}`, { ...who, method, body, ...(type !== undefined && { type }) });
}

/** The cluster's API server, as the kubelet of this host. */
export async function askAsKubelet<T>(server: string, agentDir: string, path: string, patch?: unknown): Promise<T> {
  const how = patch === undefined ? {} : { method: "PATCH", body: patch, type: "application/merge-patch+json" };
  return JSON.parse(await call(`${server}${path}`, { ...identity(agentDir, "kubelet"), ...how })) as T;
}

/** etcd's API in JSON (https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway). */
export function callEtcd(path: string, body: unknown): Promise<string> {
  return call(`https://127.0.0.1:2379${path}`, { ...identity(TLS, "etcd-client"), method: "POST", body });
}

export function openEtcd(path: string, body: unknown): Promise<IncomingMessage> {
  return open(`https://127.0.0.1:2379${path}`, { ...identity(TLS, "etcd-client"), method: "POST", body });
}
