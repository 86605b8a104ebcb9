import type { GatewayConfig } from "../../infra/config";
import type { GatewayRoute, Upstream } from "./routes";

/** What each kind of gateway is configured from. */
export interface RenderArgs {
  readonly gateway: GatewayConfig;
  readonly routes: readonly GatewayRoute[];
  readonly upstreams: readonly Upstream[];
  /** Where it asks before each request: `http://authorizer.gateway.svc.cluster.local:9000`. */
  readonly authorizer: string;
  /** Seconds of its histograms. */
  readonly buckets: readonly number[];
  /** Requests that take longer are logged even where they succeed: milliseconds. */
  readonly slow: number;
  /** The longest that a request may take: milliseconds. */
  readonly longest: number;
}

/** While it is told to leave, it goes on accepting for so long, until nobody sends anything to it any more: seconds. */
export const PROPAGATION_SECONDS = 5;

/** A pod that could not be reached, or failed, so many times in a row gets nothing for so many seconds. */
export const EJECTION = { failures: 10, seconds: 10 } as const;

/** Headers that the authorizer alone sets. */
export const USER_HEADERS = ["X-User-Subject", "X-User-Roles"] as const;

/** Headers that no client sets: the authorizer's, and what it believes of the gateway alone. */
export const RESERVED_HEADERS = [
  ...USER_HEADERS,
  "X-Forwarded-Method",
  "X-Forwarded-Uri",
  "X-Forwarded-User",
  // A gateway routes by Host: another host here would have the request judged by that host's rules.
  "X-Forwarded-Host",
] as const;
