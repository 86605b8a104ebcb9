import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { readIfExists, writeFileAtomic } from "../../../local/files";
import { authorityHash } from "./certificates";
import { call, Refused } from "./client";
import type { NodeConfig } from "./config";
import { plain, type JoinRequest } from "./joining";
import { Fatal, JOIN_PORT, log } from "./stand-in";

/** Whom a node joins, and by what. */
interface Invitation {
  /** The URL at which servers answer who wants to join. */
  readonly url: string;
  readonly authority: string;
}

/**
 * Joins the cluster of the config's server. As K3s does, it asks until it is let in, and says each time why it is not: an
 * agent may be there before its server.
 */
export async function join<T>(config: NodeConfig, path: string, user: "node" | "server"): Promise<T> {
  const { server, token } = config;
  if (server === undefined) throw new Fatal("--server is required");
  if (token === undefined || token === "") throw new Fatal("--token is required");
  const request: JoinRequest = { name: config.nodeName, address: config.nodeIp, password: nodePassword() };
  for (;;) {
    try {
      const { url, authority } = await invitation(server, token);
      const auth = `${user}:${plain(token) ?? ""}`;
      return JSON.parse(await call(`${url}${path}`, { method: "POST", body: request, ca: authority, auth })) as T;
    } catch (error) {
      if (error instanceof Fatal) throw error;
      const reason = error instanceof Refused && error.status === 401 ? "401 Unauthorized" : String(error);
      log("error", `Failed to validate connection to cluster at ${server}: ${reason}`);
    }
    await sleep(2000);
  }
}

/** The cluster's authority, which a full token lets a node check before it shows its secret. */
async function invitation(server: string, token: string): Promise<Invitation> {
  const parsed = new URL(server);
  if (parsed.protocol !== "https:") throw new Fatal(`only https:// URLs are supported, invalid scheme: ${server}`);
  const url = `https://${parsed.hostname}:${JOIN_PORT}`;
  const authority = await call(`${url}/cacerts`, { rejectUnauthorized: false });
  const wanted = /^K10([^:]*)::/.exec(token)?.[1] ?? "";
  const found = authorityHash(authority);
  if (wanted !== "" && wanted !== found)
    throw new Error(`token CA hash does not match the Cluster CA certificate hash: ${wanted} != ${found}`);
  await call(`${url}/cacerts`, { ca: authority });
  return { url, authority };
}

export function nodePassword(): string {
  const file = "/etc/rancher/node/password";
  const known = readIfExists(file)?.trim();
  if (known) return known;
  const made = randomBytes(16).toString("hex");
  writeFileAtomic(file, `${made}\n`);
  return made;
}
