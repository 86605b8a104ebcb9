import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readIfExists, writeFileAtomic } from "../../../local/files";
import { keepBootstrap } from "./bootstrap";
import { ENCRYPTION_CONFIG } from "./certificates";
import { callKubernetes, Refused } from "./client";
import type { ServerConfig } from "./config";
import { log, SERVER_DIR } from "./stand-in";

/** `k3s secrets-encrypt` as the server that it asks does it (https://docs.k3s.io/cli/secrets-encrypt). */

interface Key {
  readonly name: string;
  readonly secret: string;
}

export interface EncryptionStatus {
  readonly enabled: boolean;
  readonly stage: string;
  /** Why servers differ; undefined where they do not. */
  readonly mismatch?: string;
  /** The one that encrypts comes first. */
  readonly keys: readonly string[];
}

const STATE = `${SERVER_DIR}/cred/encryption-state.json`;
const ANNOTATION = "k3s.io/encryption-config-hash";

interface Node {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
}

export async function encryptionStatus({ nodeName, secretsEncryption }: ServerConfig): Promise<EncryptionStatus> {
  if (!secretsEncryption) return { enabled: false, stage: "", keys: [] };
  const annotated = await annotations();
  const own = annotated.get(nodeName);
  if (own === undefined) throw new Refused("/v1-k3s/encrypt/status", 500, `missing annotation on node ${nodeName}`);
  const other = [...annotated].find(([, hash]) => hash !== own)?.[0];
  return {
    enabled: true,
    stage: own.split("-")[0] ?? "",
    ...(other !== undefined && { mismatch: `hash does not match between ${nodeName} and ${other}` }),
    keys: readKeys().map(({ name }) => name),
  };
}

/** Tells the other servers by which keys this one works, once its node is there. */
export async function announceEncryption({ nodeName, secretsEncryption }: ServerConfig): Promise<void> {
  if (secretsEncryption) await announce(nodeName, readIfExists(STATE)?.trim() ?? `start-${hash()}`);
}

/**
 * Resolves once the API server encrypts by a new key. That every secret is written anew, and old keys are forgotten, goes
 * on after that, and ends with the stage `reencrypt_finished`.
 */
export async function rotateKeys(config: ServerConfig, token: string): Promise<void> {
  const { stage, mismatch } = await encryptionStatus(config);
  if (mismatch !== undefined) throw new Refused("/v1-k3s/encrypt/config", 400, mismatch);
  if (!["start", "reencrypt_finished"].includes(stage))
    throw new Refused("/v1-k3s/encrypt/config", 400, `incorrect stage: ${stage} found on node ${config.nodeName}`);
  const fresh = { name: `aescbckey-${new Date().toISOString()}`, secret: randomBytes(32).toString("base64") };
  const before = await reloads();
  writeKeys([fresh, ...readKeys()]);
  // Before any secret is encrypted by it: whatever happens next, the key is not lost.
  await keepBootstrap(token);
  // The API server looks at the file once a minute.
  while ((await reloads()) <= before) await sleep(500);
  await reach(config, "reencrypt_request", token);
  reencrypt(config, fresh, token).catch((error: unknown) =>
    log("error", `Failed to reencrypt secrets: ${String(error)}`),
  );
}

async function reencrypt(config: ServerConfig, fresh: Key, token: string): Promise<void> {
  await reach(config, "reencrypt_active", token);
  interface Secrets {
    readonly items: readonly { readonly metadata: { readonly namespace: string; readonly name: string } }[];
  }
  const { items } = JSON.parse(await callKubernetes("GET", "/api/v1/secrets")) as Secrets;
  for (const { metadata } of items) await rewrite(`/api/v1/namespaces/${metadata.namespace}/secrets/${metadata.name}`);
  writeKeys([fresh]);
  await reach(config, "reencrypt_finished", token);
  log("info", `Removed old encryption keys, reencrypted ${items.length} secrets`);
}

/** As it is: the API server encrypts by the first key what it is given, and writes even what has not changed otherwise. */
async function rewrite(path: string): Promise<void> {
  for (;;) {
    try {
      await callKubernetes("PUT", path, JSON.parse(await callKubernetes("GET", path)));
      return;
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return;
      // Somebody else was faster.
      if (!(error instanceof Refused && error.status === 409)) throw error;
    }
  }
}

async function reach({ nodeName }: ServerConfig, stage: string, token: string): Promise<void> {
  const state = `${stage}-${hash()}`;
  writeFileAtomic(STATE, state);
  await keepBootstrap(token);
  await announce(nodeName, state);
}

async function announce(node: string, state: string): Promise<void> {
  const patch = { metadata: { annotations: { [ANNOTATION]: state } } };
  await callKubernetes("PATCH", `/api/v1/nodes/${node}`, patch, "application/merge-patch+json");
}

/** Of each server that has one. */
async function annotations(): Promise<Map<string, string>> {
  const path = "/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fcontrol-plane%3Dtrue";
  const { items } = JSON.parse(await callKubernetes("GET", path)) as { items: readonly Node[] };
  return new Map(
    items.flatMap(({ metadata: { name, annotations } }) => {
      const state = annotations?.[ANNOTATION];
      return state === undefined ? [] : [[name, state]];
    }),
  );
}

/** How often the API server has taken over a changed file. */
async function reloads(): Promise<number> {
  const metric = /^apiserver_encryption_config_controller_automatic_reloads_total\{.*status="success".*\} (\S+)$/m;
  return Number(metric.exec(await callKubernetes("GET", "/metrics"))?.[1] ?? 0);
}

interface Provider {
  readonly aescbc?: { readonly keys: readonly Key[] };
}

interface EncryptionConfig {
  readonly resources: readonly { readonly resources: readonly string[]; readonly providers: readonly Provider[] }[];
}

function readKeys(): readonly Key[] {
  const { resources } = JSON.parse(readFileSync(ENCRYPTION_CONFIG, "utf8")) as EncryptionConfig;
  return resources[0]?.providers[0]?.aescbc?.keys ?? [];
}

function writeKeys(keys: readonly Key[]): void {
  const config = JSON.parse(readFileSync(ENCRYPTION_CONFIG, "utf8")) as EncryptionConfig;
  const resources = [{ resources: ["secrets"], providers: [{ aescbc: { keys } }, { identity: {} }] }];
  writeFileAtomic(ENCRYPTION_CONFIG, JSON.stringify({ ...config, resources }));
}

function hash(): string {
  return createHash("sha256").update(readFileSync(ENCRYPTION_CONFIG)).digest("hex");
}
