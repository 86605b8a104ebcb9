import { routeName } from "../../route-name";
import { anyOf, bucketLimit } from "./promql";
import type { RulesArgs } from "./types";

/** What the rules ask of a gateway, each an expression; windows are as Prometheus writes durations. */
export interface GatewaySource {
  /** Requests/s that clients made to functions and were not refused, `by (function, tenant)`. */
  readonly requests: (window: string) => string;
  /** Of these, answered with 5xx. */
  readonly errors: (window: string) => string;
  /**
   * Requests/s of one function that took longer than so many seconds, `by (function, tenant)`; undefined where no
   * bucket can show it.
   */
  readonly slower: (
    fn: { readonly name: string; readonly tenant: string },
    seconds: number,
    window: string,
  ) => string | undefined;
  /** Rate of the buckets of latency, `by (le, function, tenant)`. */
  readonly buckets: (window: string) => string;
  /** Of these buckets' limits. */
  readonly bucketsPerSecond: number;
  /** All requests/s that clients make, whatever becomes of them, and of these the failed: one series each. */
  readonly all: (window: string) => string;
  readonly failed: (window: string) => string;
  /** CPU that each pod uses, in cores. */
  readonly cpu: (window: string) => string;
  /** Share of its file descriptors that each pod has open; undefined where it does not tell. */
  readonly descriptors: string | undefined;
  /** For each pod that has not taken over a configuration that others have, by how many seconds it is behind. */
  readonly behind: string | undefined;
  /** Seconds until each certificate expires, `by (cn)`. */
  readonly certificates: string | undefined;
}

/** The only place that knows what the gateways call their metrics. */
export function gatewaySource(args: RulesArgs): GatewaySource {
  switch (args.gateway.kind) {
    case "traefik":
      return traefik(args);
    case "kong":
      return kong(args);
  }
}

const BY_FUNCTION = "by (function, tenant)";
const JOB = 'job="gateway"';

/** A change of pods and routes reaches all gateways within a second or two; a start has its own first load. */
const FIRST_LOAD_SECONDS = 60;
const BEHIND_SECONDS = 300;

/** Answers of the authorizer to whom it does not let through. */
const REFUSED = "401|403|429";

/**
 * What clients see of a function is what the routers say that lead to it alone: a request counts once, with its last
 * answer and the time of all attempts and of the authorizer, and counts where no pod was there to try. Routers say the
 * authorizer's refusals too, which are left out: nobody can tell them from the function's own 401, 403 and 429.
 *
 * The router of a split route does not say which function answered. So functions that are in any split are read of
 * services, which count attempts: a retried one as well, with its own time, and none where there is no pod to try.
 * Prometheus gives both the labels `function` and `tenant`.
 */
function traefik({ routes }: Pick<RulesArgs, "routes">): GatewaySource {
  const shared = new Set(routes.filter(({ to }) => to.length > 1).flatMap(({ to }) => to.map((one) => one.function)));
  const among = anyOf([...shared].sort());
  /** Rates of a kind of series, with what both have selected. */
  const rateOf = (kind: "requests_total" | "request_duration_seconds_bucket") => {
    const router = (selector: string, window: string) =>
      `rate(traefik_router_${kind}{${JOB},code!~"${REFUSED}"${selector}}[${window}])`;
    const service = (selector: string, window: string) => `rate(traefik_service_${kind}{${JOB}${selector}}[${window}])`;
    return {
      all: (selector: string, window: string) =>
        shared.size === 0
          ? router(`,function!=""${selector}`, window)
          : `${router(`,function!="",function!~"${among}"${selector}`, window)} or ${service(`,function=~"${among}"${selector}`, window)}`,
      of: (name: string, selector: string, window: string) =>
        (shared.has(name) ? service : router)(`,function="${name}"${selector}`, window),
    };
  };
  const requests = rateOf("requests_total");
  const duration = rateOf("request_duration_seconds_bucket");
  const entry = (selector: string, window: string) =>
    `sum(rate(traefik_entrypoint_requests_total{${JOB},entrypoint="https"${selector}}[${window}]))`;
  const reloaded = `traefik_config_last_reload_success{${JOB}}`;
  const newest = `max(${reloaded} > on (instance) process_start_time_seconds{${JOB}} + ${FIRST_LOAD_SECONDS})`;
  return {
    requests: (window) => `sum ${BY_FUNCTION} (${requests.all("", window)})`,
    errors: (window) => `sum ${BY_FUNCTION} (${requests.all(',code=~"5.."', window)})`,
    slower: ({ name, tenant }, seconds, window) => {
      const until = (limit: string) =>
        `sum ${BY_FUNCTION} (${duration.of(name, `,tenant="${tenant}",${limit}`, window)})`;
      // Each counter is extrapolated for itself, so the difference of what is equal may be a little below 0.
      return `clamp_min(${until('le="+Inf"')} - ${until(bucketLimit(seconds))}, 0)`;
    },
    buckets: (window) => `sum by (le, function, tenant) (${duration.all("", window)})`,
    bucketsPerSecond: 1,
    all: (window) => entry("", window),
    failed: (window) => entry(',code=~"5.."', window),
    cpu: (window) => `rate(process_cpu_seconds_total{${JOB}}[${window}])`,
    descriptors: `process_open_fds{${JOB}} / process_max_fds{${JOB}}`,
    // It tells the time of its last good reload, and nothing of failed ones: who fails is known by those who did not.
    behind: `(${newest} - on () group_right () ${reloaded}) > ${BEHIND_SECONDS}`,
    // The newest of a name in each pod, and of these the worst: what was replaced counts as long as some pod has no other.
    certificates: `min by (cn) (max by (cn, instance) (traefik_tls_certs_not_after{${JOB}})) - time()`,
  };
}

/** Upper bounds of Kong's histogram of whole requests, in milliseconds: they are its plugin's own and cannot be set. */
const KONG_BUCKETS = [25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/**
 * Kong names the route, so a function has the requests of routes that lead to it alone; those of a route that is split
 * are nobody's. Its histogram has what was refused in it too, and bounds of its own: an objective is judged by the next
 * one above it, 25 ms for 20 ms. Of certificates, file descriptors and failed reloads it tells nothing.
 */
function kong({ functions, routes, gateway }: RulesArgs): GatewaySource {
  const led = functions
    .map((fn) => ({
      fn,
      names: routes.filter(({ to }) => to.length === 1 && to[0]?.function === fn.name).map(routeName),
    }))
    .filter(({ names }) => names.length > 0);
  const named = (expr: string, { name, tenant }: { name: string; tenant: string }) =>
    `label_replace(label_replace(${expr}, "function", "${name}", "", ""), "tenant", "${tenant}", "", "")`;
  /** One expression for each function, put together; without any, one that has no series. */
  const each = (expr: (routes: string) => string) =>
    led.map(({ fn, names }) => named(expr(`,route=~"${anyOf(names)}"`), fn)).join(" or ") || "vector(0) < 0";
  const rate = (selector: string, window: string) => `rate(kong_http_requests_total{${JOB}${selector}}[${window}])`;
  const duration = (selector: string, window: string) =>
    `rate(kong_request_latency_ms_bucket{${JOB}${selector}}[${window}])`;
  /** What Kong answered itself since the authorizer said no. */
  const refused = `,source="kong",code=~"${REFUSED}"`;
  return {
    requests: (window) =>
      each((of) => `(sum(${rate(of, window)}) - (sum(${rate(`${of}${refused}`, window)}) or vector(0)))`),
    errors: (window) => each((of) => `sum(${rate(`${of},code=~"5.."`, window)})`),
    slower: (fn, seconds, window) => {
      const bound = KONG_BUCKETS.find((limit) => limit >= seconds * 1000);
      const names = led.find((one) => one.fn.name === fn.name)?.names;
      if (bound === undefined || names === undefined) return undefined;
      const of = `,route=~"${anyOf(names)}"`;
      const quick = `sum(${duration(`${of},${bucketLimit(bound)}`, window)})`;
      return named(`clamp_min(sum(${duration(`${of},le="+Inf"`, window)}) - ${quick}, 0)`, fn);
    },
    buckets: (window) => each((of) => `sum by (le) (${duration(of, window)})`),
    bucketsPerSecond: 1000,
    all: (window) => `sum(${rate("", window)})`,
    failed: (window) => `sum(${rate(',code=~"5.."', window)})`,
    cpu: (window) =>
      `sum by (pod) (rate(container_cpu_usage_seconds_total{job="cadvisor",namespace="${gateway.namespace}",container="kong"}[${window}]))`,
    descriptors: undefined,
    behind: undefined,
    certificates: undefined,
  };
}
