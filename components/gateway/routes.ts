import type { FunctionConfig, GatewayConfig, RouteConfig } from "../../infra/config";
import { routeName } from "../route-name";

/** A route as any gateway needs it: what it matches, how it ranks, and where it leads. */
export interface GatewayRoute {
  /** Stays as long as host and path do: metrics go by it. */
  readonly name: string;
  readonly host?: string;
  readonly path: string;
  readonly match: "exact" | "prefix";
  /** Of two routes that match, the one with more wins: an exact path, then the longer one, then one for a host. */
  readonly priority: number;
  readonly targets: readonly RouteTarget[];
  /** Attempts on other pods where no connection could be made. */
  readonly retries: number;
  /** In bytes. */
  readonly maxBodySize: number;
}

export interface RouteTarget {
  readonly function: string;
  readonly weight: number;
}

/** A function as the gateway reaches it. */
export interface Upstream {
  /** What the gateway calls it. */
  readonly name: string;
  readonly function: string;
  readonly namespace: string;
  /** Port of its pods. */
  readonly port: number;
  /** Milliseconds until it must have begun to answer: it ends a request itself a second earlier. */
  readonly timeout: number;
  /** Milliseconds for which an unused connection is kept: well below the time after which the function closes it. */
  readonly idleTimeout: number;
  /** Answers 200 where the pod lives, whatever it has to do. */
  readonly livenessPath: string;
}

/** Beyond the function's own timeout, so that its answer to that comes through: milliseconds. */
const TIMEOUT_MARGIN = 1000;

export function gatewayRoutes(routes: readonly RouteConfig[]): GatewayRoute[] {
  return routes.map(({ host, path, match, to, retries, maxBodySize }) => ({
    name: routeName({ host, path, match }),
    ...(host !== undefined && { host }),
    path,
    match,
    priority: (match === "exact" ? 1_000_000 : 0) + path.length * 10 + (host === undefined ? 1 : 2),
    targets: to.map(({ function: fn, weight }) => ({ function: fn, weight })),
    retries,
    maxBodySize,
  }));
}

/** Of the functions, those that some route leads to. */
export function upstreams(routes: readonly RouteConfig[], functions: readonly FunctionConfig[]): Upstream[] {
  const reached = new Set(routes.flatMap(({ to }) => to.map((target) => target.function)));
  return functions
    .filter((fn) => reached.has(fn.name))
    .map((fn) => ({
      name: fn.name,
      function: fn.name,
      namespace: fn.tenant,
      port: fn.server.port,
      timeout: fn.requestTimeout + TIMEOUT_MARGIN,
      idleTimeout: Math.max(1000, fn.server.timeout / 2),
      livenessPath: fn.health.liveness,
    }));
}

/** Seconds of the gateway's histograms: about the latency objectives, so that it shows whether they hold. */
export function latencyBuckets(functions: readonly FunctionConfig[]): number[] {
  const objectives = functions.flatMap(({ objectives: { p99, p999 } }) => [p99 / 2, p99, p99 * 2.5, p999]);
  const seconds = objectives.map((milliseconds) => milliseconds / 1000);
  return [...new Set([0.001, 0.0025, 0.005, 0.01, ...seconds, 0.1, 0.25, 1, 5, 30])].sort((a, b) => a - b);
}

/** Where a redirect to HTTPS leads. */
export function publicHttpsPort({ entry }: GatewayConfig): number {
  return entry.kind === "nodePort" ? entry.https : 443;
}
