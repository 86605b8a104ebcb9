import { createCipheriv, createDecipheriv, createHash, randomBytes, scryptSync } from "node:crypto";
import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../../local/files";
import { callEtcd } from "./client";
import { Fatal, SERVER_DIR } from "./stand-in";

/** What secrets are encrypted by, and how far a rotation of that has come. */
const FILES = ["cred/encryption-config.json", "cred/encryption-state.json"];

const CIPHER = "aes-256-gcm";
const [SALT_BYTES, IV_BYTES, TAG_BYTES] = [16, 12, 16];

interface Found {
  readonly kvs?: readonly { readonly value: string }[];
}

/**
 * What all servers have to have alike is kept in etcd, encrypted by the servers' token, as K3s does it: so it is in every
 * snapshot, and a server that starts takes it from there.
 */
export async function keepBootstrap(token: string): Promise<void> {
  const files = FILES.flatMap((name) => {
    const content = readIfExists(join(SERVER_DIR, name));
    return content === undefined ? [] : [[name, content]];
  });
  const value = encrypt(JSON.stringify(Object.fromEntries(files)), token);
  await callEtcd("/v3/kv/put", { key: keyOf(token), value: value.toString("base64") });
}

/** Writes what etcd keeps over what is on disk; tells whether there was anything. */
export async function takeBootstrap(token: string): Promise<boolean> {
  const { kvs = [] } = JSON.parse(await callEtcd("/v3/kv/range", { key: keyOf(token) })) as Found;
  const [kept] = kvs;
  if (!kept) return false;
  const files = JSON.parse(decrypt(Buffer.from(kept.value, "base64"), token)) as Record<string, string>;
  for (const [name, content] of Object.entries(files)) writeFileAtomic(join(SERVER_DIR, name), content);
  return true;
}

function keyOf(token: string): string {
  const hash = createHash("sha256").update(token).digest("hex").slice(0, 12);
  return Buffer.from(`/bootstrap/${hash}`).toString("base64");
}

function encrypt(text: string, token: string): Buffer {
  const [salt, iv] = [randomBytes(SALT_BYTES), randomBytes(IV_BYTES)];
  const cipher = createCipheriv(CIPHER, scryptSync(token, salt, 32), iv);
  const body = Buffer.concat([cipher.update(text), cipher.final()]);
  return Buffer.concat([salt, iv, cipher.getAuthTag(), body]);
}

function decrypt(sealed: Buffer, token: string): string {
  const iv = sealed.subarray(SALT_BYTES, SALT_BYTES + IV_BYTES);
  const start = SALT_BYTES + IV_BYTES + TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, scryptSync(token, sealed.subarray(0, SALT_BYTES), 32), iv);
  decipher.setAuthTag(sealed.subarray(SALT_BYTES + IV_BYTES, start));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(start)), decipher.final()]).toString();
  } catch {
    throw new Fatal("bootstrap data already found and encrypted with different token");
  }
}
