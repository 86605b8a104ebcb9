import { createHash } from "node:crypto";
import { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { LRUCache } from "lru-cache";
import type { TokenSettings } from "./settings";

/** Who a token was made out to. */
export interface User {
  readonly subject: string;
  readonly roles: readonly string[];
}

/** Why a token is not believed: in words that may be told, since they name nothing of the token. */
export class TokenRefused extends Error {}

/** The issuer's keys cannot be had, so that nothing can be said of the token. */
export class KeysUnavailable extends Error {}

/** For how long keys, and what they have verified, are believed without asking the issuer again: milliseconds. */
const LIFETIME = 600_000;
/** No token of that many characters fits a request's header. */
const LONGEST = 16_384;

interface Verified extends User {
  /** Seconds since 1970, the clock's tolerance included. */
  readonly expires: number;
}

/** Verifies JSON Web Tokens, and remembers by their digests those that it has verified, until they expire. */
export class Tokens {
  private readonly verified: LRUCache<string, Verified>;
  private readonly keys: JWTVerifyGetKey;
  hits = 0;

  constructor(
    private readonly settings: TokenSettings,
    remembered: number,
    private readonly now: () => number = Date.now,
  ) {
    this.verified = new LRUCache({ max: remembered, ttl: LIFETIME });
    const { keys } = settings;
    this.keys =
      "url" in keys
        ? createRemoteJWKSet(new URL(keys.url), {
            timeoutDuration: 2000,
            cooldownDuration: 5000,
            cacheMaxAge: LIFETIME,
          })
        : createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) });
  }

  get size(): number {
    return this.verified.size;
  }

  /** Whom a token that was verified before is for. */
  recall(token: string): User | undefined {
    const known = this.verified.get(digest(token));
    if (known === undefined || known.expires <= this.now() / 1000) return undefined;
    this.hits++;
    return known;
  }

  /**
   * Whom a token is for.
   *
   * @throws TokenRefused when it is not one of the issuer's, not for this audience, or not valid now
   * @throws KeysUnavailable when the issuer's keys cannot be had
   */
  async verify(token: string): Promise<User> {
    if (token.length > LONGEST) throw new TokenRefused("the token is too long");
    const { issuer, audience, algorithms, clockToleranceSeconds: clockTolerance } = this.settings;
    try {
      const { payload } = await jwtVerify(token, this.keys, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance,
        requiredClaims: ["exp", "sub"],
        currentDate: new Date(this.now()),
      });
      const user = { subject: subjectOf(payload), roles: rolesOf(payload, this.settings.rolesClaim) };
      this.verified.set(digest(token), { ...user, expires: (payload.exp ?? 0) + clockTolerance });
      return user;
    } catch (error) {
      throw refusal(error);
    }
  }
}

/** The token itself is not kept: who can read this memory could use it. */
function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}

function subjectOf({ sub }: JWTPayload): string {
  // It becomes a header's value and a budget's name.
  if (typeof sub !== "string" || !/^[\x21-\x7e]{1,256}$/.test(sub))
    throw new TokenRefused("the token has no usable subject");
  return sub;
}

/** Nothing but texts: `["user", 7]` has the role `user`. */
function rolesOf(payload: JWTPayload, claim: string): readonly string[] {
  const value = claim
    .split(".")
    .reduce<unknown>(
      (at, key) =>
        typeof at === "object" && at !== null && Object.hasOwn(at, key)
          ? (at as Record<string, unknown>)[key]
          : undefined,
      payload,
    );
  const roles: readonly unknown[] = Array.isArray(value) ? value : [value];
  return roles
    .filter((role): role is string => typeof role === "string" && /^[\x21-\x2b\x2d-\x7e]{1,128}$/.test(role))
    .slice(0, 64);
}

function refusal(error: unknown): Error {
  if (error instanceof TokenRefused) return error;
  if (error instanceof errors.JWTExpired) return new TokenRefused("the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed)
    return new TokenRefused(`the token's claim ${error.claim} does not hold`);
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return new TokenRefused("the token's signature does not hold");
  if (error instanceof errors.JOSEAlgNotAllowed)
    return new TokenRefused("the token is signed by an algorithm that is not allowed");
  if (error instanceof errors.JWKSNoMatchingKey)
    return new TokenRefused("the token is signed by a key that is not known");
  if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError))
    return new KeysUnavailable("the issuer's keys cannot be had");
  // What the issuer serves in the place of its keys says nothing of the token.
  if (error.code === "ERR_JOSE_GENERIC" || error.code === "ERR_JWKS_INVALID")
    return new KeysUnavailable("the issuer's keys cannot be had");
  return new TokenRefused("the token is malformed");
}
