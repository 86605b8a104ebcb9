import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import type { TokenSettings } from "../../../../programs/authorizer/settings";

export const ISSUER = "https://id.example.com/";
export const AUDIENCE = "shop";

/** Who issues tokens in tests. */
export interface Issuer {
  readonly settings: TokenSettings;
  readonly privateKey: CryptoKey;
  readonly publicJwk: Record<string, unknown>;
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
}

export async function makeIssuer(alg = "ES256", kid = "one"): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg };
  return {
    privateKey,
    publicJwk,
    settings: {
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ["ES256", "RS256", "EdDSA"],
      rolesClaim: "role",
      clockToleranceSeconds: 5,
      keys: [publicJwk],
    },
    token: (claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const all = { iss: ISSUER, aud: AUDIENCE, sub: "alice", role: "user", iat: now, exp: now + 600, ...claims };
      return new SignJWT(all).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
    },
  };
}

/** A server on loopback that publishes what `keys` gives at the time. */
export async function publishKeys(keys: () => unknown): Promise<{ url: string; asked: () => number; server: Server }> {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    const body = keys();
    if (body === undefined) response.writeHead(503).end();
    else response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/jwks.json`, asked: () => asked, server };
}
