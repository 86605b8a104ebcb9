import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, exportPKCS8, generateKeyPair, importPKCS8, SignJWT } from "jose";
import { writeFileAtomic } from "../files";
import type { Paths } from "../paths";

/** The algorithm of tokens that are issued here. */
const ALGORITHM = "ES256";
const KEY_ID = "local";

/** The public keys of a disposable stack's own issuer. */
export function tokenKeysFile(paths: Paths): string {
  return join(paths.state, "tokens", "jwks.json");
}

function privateKeyFile(paths: Paths): string {
  return join(paths.state, "tokens", "key.pem");
}

/** The issuer of a disposable stack: a key pair that is made once, and goes with the stack. */
export async function ensureTokenKeys(paths: Paths): Promise<void> {
  if (existsSync(privateKeyFile(paths)) && existsSync(tokenKeysFile(paths))) return;
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  writeFileAtomic(privateKeyFile(paths), await exportPKCS8(privateKey));
  const key = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: ALGORITHM, use: "sig" };
  writeFileAtomic(tokenKeysFile(paths), `${JSON.stringify({ keys: [key] }, undefined, 2)}\n`);
}

export interface TokenClaims {
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  /** What the config's `rolesClaim` has; dots go into objects. */
  readonly rolesClaim: string;
  readonly roles: readonly string[];
  /** Seconds. */
  readonly lifetime: number;
}

/** A token of that issuer's. */
export async function issueToken(paths: Paths, claims: TokenClaims): Promise<string> {
  const key = await importPKCS8(readFileSync(privateKeyFile(paths), "utf8"), ALGORITHM);
  const { roles, rolesClaim } = claims;
  const value: unknown = roles.length === 1 ? roles[0] : roles;
  const payload = rolesClaim.split(".").reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT(payload as Record<string, unknown>)
    .setProtectedHeader({ alg: ALGORITHM, kid: KEY_ID })
    .setIssuer(claims.issuer)
    .setAudience(claims.audience)
    .setSubject(claims.subject)
    .setIssuedAt(now)
    .setExpirationTime(now + claims.lifetime)
    .sign(key);
}
