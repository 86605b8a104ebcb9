import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { readIfExists, writeFileAtomic } from "../../../local/files";
import { issue, type Authority } from "../../../local/node/credentials";
import type { ClusterNetwork } from "../../../local/node/k3s-agent";
import { authorityHash } from "./certificates";
import { callEtcd, callKubernetes, Refused } from "./client";
import type { ServerConfig } from "./config";
import { encryptionStatus, rotateKeys } from "./encryption";
import { peerUrl } from "./control-plane";
import { Fatal, JOIN_PORT, log, SERVER_DIR, TLS } from "./stand-in";

/** What a node says when it joins. */
export interface JoinRequest {
  readonly name: string;
  readonly address: string;
  /** Made by the node at its first start: who comes later under its name must know it. */
  readonly password: string;
}

/** What an agent needs: its credentials by the names of their files, and what it has to know of the cluster. */
export interface JoinAnswer {
  readonly files: Readonly<Record<string, string>>;
  readonly network: ClusterNetwork;
  readonly networkPolicyDisabled: boolean;
}

/** What a further server needs: the cluster's keys, and etcd's members with itself among them. */
export interface ServerAnswer {
  readonly files: Readonly<Record<string, string>>;
  readonly members: readonly string[];
}

export interface Tokens {
  readonly server: string;
  readonly agent: string;
}

/** The tokens of the cluster: those of the config at the first start, or made up; then what is written down. */
export function keepTokens({ token, agentToken }: ServerConfig, { certificate }: Authority): Tokens {
  const known = plain(readIfExists(`${SERVER_DIR}/token`)?.trim());
  const server = plain(token) ?? known ?? randomBytes(16).toString("hex");
  if (known !== undefined && known !== server)
    throw new Fatal(
      "starting kubernetes: preparing server: bootstrap data already found and encrypted with different token",
    );
  const agent = plain(agentToken) ?? server;
  const full = (user: string, secret: string) => `K10${authorityHash(certificate)}::${user}:${secret}\n`;
  writeFileAtomic(`${SERVER_DIR}/token`, full("server", server));
  link("token", "node-token");
  if (agentToken === undefined) link("token", "agent-token");
  else {
    rmSync(`${SERVER_DIR}/agent-token`, { force: true });
    writeFileAtomic(`${SERVER_DIR}/agent-token`, full("node", agent));
  }
  return { server, agent };
}

/** Of a token in full, `K10<hash>::<user>:<secret>`, the secret. */
export function plain(token: string | undefined): string | undefined {
  return token?.split(":").pop();
}

/** Answers nodes that want to join, for as long as this process lives. */
export function answerJoins(config: ServerConfig, authority: Authority, tokens: Tokens): Promise<void> {
  const read = (name: string) => readFileSync(`${TLS}/${name}`);
  const tls = { cert: read("serving-kube-apiserver.crt"), key: read("serving-kube-apiserver.key") };
  const server = createServer(tls, (request, response) => {
    answer(request).then(
      (body) => response.end(typeof body === "string" ? body : JSON.stringify(body)),
      (error: unknown) => {
        const refused = error instanceof Refused ? error : new Refused(request.url ?? "", 500, String(error));
        log("error", `Refused ${request.socket.remoteAddress}: ${refused.message}`);
        response.writeHead(refused.status).end(refused.body);
      },
    );
  });

  async function answer(request: IncomingMessage): Promise<unknown> {
    const url = request.url ?? "";
    if (url === "/ping") return "pong";
    if (url === "/cacerts") return authority.certificate;
    if (url.startsWith("/v1-k3s/encrypt/")) {
      authorize(request, "server", tokens.server);
      return answerEncryption(request, config, tokens);
    }
    if (request.method !== "POST") throw new Refused(url, 404, "not found");
    if (url === "/v1-k3s/server") authorize(request, "server", tokens.server);
    else authorize(request, "node", tokens.agent);
    const node = (await json(request)) as JoinRequest;
    if (url === "/v1-k3s/server") return serverAnswer(node);
    await admit(node);
    return agentAnswer(node, config, authority);
  }

  return new Promise((listening) => server.listen(JOIN_PORT, "0.0.0.0", listening));
}

/** What `k3s secrets-encrypt` asks of its server. */
async function answerEncryption(request: IncomingMessage, config: ServerConfig, tokens: Tokens): Promise<unknown> {
  const url = request.url ?? "";
  if (request.method === "GET" && url.endsWith("/status")) return encryptionStatus(config);
  const { stage } = (await json(request)) as { stage?: string };
  if (request.method !== "PUT" || !url.endsWith("/config") || stage !== "rotate_keys")
    throw new Refused(url, 400, `${stage}: not known to the stand-in`);
  await rotateKeys(config, tokens.server);
  return "";
}

/** The certificates of an agent, each with the rights of its own part, and what it has to know. */
export async function agentAnswer(node: JoinRequest, config: ServerConfig, authority: Authority): Promise<JoinAnswer> {
  const folder = `${TLS}/nodes/${node.name}`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const kubelet = { user: `system:node:${node.name}`, group: "system:nodes" };
  await issue(folder, "kubelet", kubelet, authority);
  await issue(folder, "serving-kubelet", { ...kubelet, serves: [node.name, node.address, "127.0.0.1"] }, authority);
  await issue(folder, "kube-proxy", { user: "system:kube-proxy" }, authority);
  await issue(folder, "kube-router", { user: "system:kube-router" }, authority);
  const files = readdirSync(folder).map((name) => [name, readFileSync(`${folder}/${name}`, "utf8")]);
  const { network, networkPolicyDisabled } = config;
  return { files: { ...Object.fromEntries(files), "ca.crt": authority.certificate }, network, networkPolicyDisabled };
}

/** The cluster's own keys, as one server gives them to the next; K3s keeps them encrypted in etcd for that. */
const SHARED = ["tls/server-ca.crt", "tls/server-ca.key", "tls/service.key", "cred/encryption-config.json"];

interface Member {
  readonly ID: string;
  readonly name?: string;
  readonly peerURLs: readonly string[];
  readonly isLearner?: boolean;
}

async function members(): Promise<readonly Member[]> {
  return (JSON.parse(await callEtcd("/v3/cluster/member/list", {})) as { members: Member[] }).members;
}

/** A member comes as a learner, as K3s has it: until it has caught up, it counts for no majority. */
async function serverAnswer({ name, address }: JoinRequest): Promise<ServerAnswer> {
  const files = SHARED.flatMap((file) => {
    const content = readIfExists(`${SERVER_DIR}/${file}`);
    return content === undefined ? [] : [[file, content]];
  });
  const own = peerUrl(address);
  if (!(await members()).some(({ peerURLs }) => peerURLs.includes(own))) {
    await callEtcd("/v3/cluster/member/add", { peerURLs: [own], isLearner: true });
  }
  const initial = (await members()).map(
    (member) => `${member.peerURLs.includes(own) ? name : (member.name ?? "")}=${member.peerURLs[0]}`,
  );
  return { files: Object.fromEntries(files), members: initial };
}

/** Makes members of learners that have caught up, for as long as this process lives. */
export async function promoteLearners(): Promise<void> {
  for (;;) {
    await sleep(1000);
    try {
      for (const { ID, isLearner, name } of await members()) {
        // One that has not been started yet has no name.
        if (isLearner && name) await callEtcd("/v3/cluster/member/promote", { ID });
      }
    } catch (error) {
      log("info", `A server has not caught up yet: ${String(error)}`);
    }
  }
}

/**
 * A name belongs to the first node that came under it, until that is deleted: K3s keeps a hash of its password in a secret,
 * which goes with the node.
 */
export async function admit({ name, password }: JoinRequest): Promise<void> {
  const hash = createHash("sha256").update(password).digest("hex");
  const secrets = "/api/v1/namespaces/kube-system/secrets";
  const secretName = `${name}.node-password.k3s`;
  const kept = await found<{ data: { hash: string } }>(`${secrets}/${secretName}`);
  const isNode = (await found(`/api/v1/nodes/${name}`)) !== undefined;
  if (kept && isNode && Buffer.from(kept.data.hash, "base64").toString() !== hash) {
    throw new Refused(
      "/v1-k3s/node",
      403,
      "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry, " +
        "try enabling a unique node name with the --with-node-id flag",
    );
  }
  const body = { apiVersion: "v1", kind: "Secret", metadata: { name: secretName }, stringData: { hash } };
  if (kept) await callKubernetes("PUT", `${secrets}/${secretName}`, { ...body, immutable: false });
  else await callKubernetes("POST", secrets, body);
}

async function found<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await callKubernetes("GET", path)) as T;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return undefined;
    throw error;
  }
}

function authorize(request: IncomingMessage, as: "server" | "node", token: string): void {
  const [user, secret] = credentials(request);
  if (user !== as || !same(secret, token)) throw new Refused(request.url ?? "", 401, "Unauthorized");
}

function credentials(request: IncomingMessage): [string, string] {
  const encoded = /^Basic (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
  const [user = "", ...secret] = Buffer.from(encoded, "base64").toString().split(":");
  return [user, secret.join(":")];
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function link(target: string, name: string): void {
  const file = `${SERVER_DIR}/${name}`;
  rmSync(file, { force: true });
  symlinkSync(`${SERVER_DIR}/${target}`, file);
}
