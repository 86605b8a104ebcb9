import { z } from "zod";
import { reasonOf } from "../tools/fetch";

/** Why a registry does not do what it is asked; no credential is ever in it. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
}

interface Challenge {
  readonly scheme: "basic" | "bearer";
  readonly parameters: Readonly<Record<string, string>>;
}

/** What a registry wants to see of who asks (its header `WWW-Authenticate`). */
export function parseChallenge(header: string): Challenge | undefined {
  const scheme = /^\s*(basic|bearer)\b/i.exec(header)?.[1]?.toLowerCase();
  if (scheme !== "basic" && scheme !== "bearer") return undefined;
  const parameters = [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value] as const);
  return { scheme, parameters: Object.fromEntries(parameters) };
}

export function basic(credential: string): string {
  return `Basic ${Buffer.from(credential).toString("base64")}`;
}

/** Credentials travel encrypted, or not beyond this machine. */
export function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || isLoopback(hostname);
}

export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

/**
 * The header `Authorization` that answers a challenge: the credential itself, or a token that is had for it, or without
 * one for nothing (https://distribution.github.io/distribution/spec/auth/token).
 *
 * @returns undefined where a credential is wanted and there is none
 */
export async function answerChallenge(
  header: string,
  credential: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const challenge = parseChallenge(header);
  if (challenge?.scheme === "basic") return credential === undefined ? undefined : basic(credential);
  if (challenge === undefined) return undefined;
  const { realm = "", ...query } = challenge.parameters;
  if (!URL.canParse(realm)) throw new RegistryError("its realm for tokens is no URL");
  const url = new URL(realm);
  if (credential !== undefined && !isPrivate(url))
    throw new RegistryError(`its tokens come from ${url.origin}, where a credential would go in clear text: refused`);
  for (const key of ["service", "scope"] as const) if (query[key] !== undefined) url.searchParams.set(key, query[key]);
  const headers = credential === undefined ? {} : { authorization: basic(credential) };
  const response = await fetch(url, { headers, ...(signal && { signal }), redirect: "error" }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw new RegistryError(`${url.origin} gives no token: ${reasonOf(error)}`);
    },
  );
  if (response.status === 401 || response.status === 403) return undefined;
  const token = tokenSchema.safeParse(response.ok ? await response.json().catch(() => undefined) : undefined);
  const text = token.success ? (token.data.token ?? token.data.access_token) : undefined;
  if (text === undefined) throw new RegistryError(`${url.origin} answers ${response.status}, and gives no token`);
  return `Bearer ${text}`;
}

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });
