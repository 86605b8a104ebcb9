import type { Budgets } from "./buckets";
import type { ClientAddresses } from "./client";
import type { Policy } from "./policy";
import type { Routes } from "./routes";
import type { Limit } from "./settings";
import { KeysUnavailable, TokenRefused, type Tokens, type User } from "./tokens";

/** A request as the gateway describes it; every part comes from the client and may be anything. */
export interface Described {
  /** Name of the route that the gateway found. */
  readonly route: string;
  readonly method: string;
  /** Path with query. */
  readonly uri: string;
  readonly host: string;
  readonly forwardedFor: string;
  readonly authorization: string | undefined;
}

export type Decision =
  | { readonly status: 200; readonly user?: User }
  | {
      readonly status: 401 | 403 | 429 | 503;
      readonly reason: string;
      readonly retryAfter?: number;
      readonly user?: User;
    };

export interface Judge {
  readonly addresses: ClientAddresses;
  readonly budgets: Budgets;
  readonly policy: Policy;
  readonly routes: Routes;
  /** Absent: nobody's tokens are believed. */
  readonly tokens: Tokens | undefined;
  /** See `AuthorizerSettings.seesAddresses`. */
  readonly seesAddresses: boolean;
}

/** What strangers may try in vain from one address: wrong tokens cost a signature's check each. */
const STRANGERS: Limit = { name: "strangers", requestsPerSecond: 20, burst: 100 };

/**
 * Decides on one request: 401 without a valid token, 429 without budget, 403 where the policy does not allow it, 503
 * where the issuer's keys cannot be had. Whatever fails, nothing is let through.
 */
export async function decide(judge: Judge, request: Described): Promise<Decision> {
  const path = request.uri.split("?", 1)[0] ?? "";
  const host = hostName(request.host);
  const route = judge.routes.find(host, path);
  const address = judge.addresses.of(request.forwardedFor);

  const user = await identify(judge, request.authorization, address);
  if ("status" in user) {
    // A public route asks for no token; who shows one that is worthless is told so all the same.
    if (!(route?.public === true && user.status === 401 && request.authorization === undefined)) return user;
  }
  const known = "status" in user ? undefined : user;
  // A host in a spelling of its own, or routes that one of the two does not know yet.
  if (route?.name !== request.route) {
    return {
      status: 403,
      reason: "gateway and authorizer take it for different routes",
      ...(known && { user: known }),
    };
  }
  const client = known === undefined ? `address ${address}` : `user ${known.subject}`;
  const { limit } = route;

  // Taken before the policy is asked: what it refuses counts as well, trying all paths is no way to be let in at one.
  const spent = judge.budgets.spend(limit, client);
  const budget = spent instanceof Promise ? await spent : spent;
  if (budget.remaining < 1) {
    return {
      status: 429,
      reason: "too many requests",
      retryAfter: seconds(budget.retryAfter),
      ...(known && { user: known }),
    };
  }
  const allowed = judge.policy({
    method: request.method,
    path,
    host,
    ...(known && { user: { ...(known.roles[0] !== undefined && { role: known.roles[0] }), roles: known.roles } }),
    rate_limit: { remaining: budget.remaining },
  });
  if (!allowed) return { status: 403, reason: "not allowed", ...(known && { user: known }) };
  return { status: 200, ...(known && { user: known }) };
}

async function identify(
  { tokens, budgets, seesAddresses }: Judge,
  authorization: string | undefined,
  address: string,
): Promise<User | Extract<Decision, { reason: string }>> {
  const token = /^Bearer +([\w.~+/=-]+) *$/i.exec(authorization ?? "")?.[1];
  const known = token === undefined ? undefined : tokens?.recall(token);
  if (known !== undefined) return known;

  // Where all strangers come from one address, those who only have a new token would be shut out with them.
  const shown = seesAddresses && authorization !== undefined;
  const strangers = shown ? budgets.look(STRANGERS, address) : undefined;
  if (strangers !== undefined && strangers.remaining < 1) {
    return {
      status: 429,
      reason: "too many requests without a valid token",
      retryAfter: seconds(strangers.retryAfter),
    };
  }
  try {
    if (authorization === undefined) throw new TokenRefused("a token is needed");
    if (token === undefined) throw new TokenRefused("the Authorization header has no Bearer token");
    if (tokens === undefined) throw new TokenRefused("no tokens are believed here");
    return await tokens.verify(token);
  } catch (error) {
    if (error instanceof KeysUnavailable) return { status: 503, reason: error.message, retryAfter: 1 };
    if (!(error instanceof TokenRefused)) throw error;
    if (shown) await budgets.spend(STRANGERS, address);
    return { status: 401, reason: error.message };
  }
}

/** As routes name it: without a port, in lower case. */
function hostName(host: string): string {
  return host.replace(/:\d+$/, "").toLowerCase();
}

/** Whole seconds, as Retry-After takes them. */
function seconds(wait: number): number {
  return Math.max(1, Math.ceil(wait));
}
