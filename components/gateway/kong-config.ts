import { readFileSync } from "node:fs";
import * as path from "node:path";
import { EJECTION, RESERVED_HEADERS, USER_HEADERS, type RenderArgs } from "./render";
import { publicHttpsPort, type GatewayRoute, type Upstream } from "./routes";

/** Ports of Kong's container; `admin` is its status listener: health and metrics, which no Service publishes. */
export const KONG_PORTS = { http: 8000, https: 8443, admin: 9100 } as const;

/** Where Kong reads from, and the one place that it writes to beside /tmp. */
export const KONG_FILES = {
  declarative: "/etc/kong/gateway/kong.json",
  nginx: "/etc/kong/gateway/nginx.conf",
  certificates: "/etc/kong/tls",
  prefix: "/var/lib/kong",
} as const;

/** Asking the authorizer, in milliseconds: it answers in one, or in seconds where it first fetches its issuer's keys. */
const ASK = { connect: 500, answer: 10_000, keepAlive: 60_000 } as const;
/** Kept connections to the authorizer, per worker; those beyond are closed after use. */
const ASK_CONNECTIONS = 256;
/** Active probes of one upstream at a time: those of a lost agent's pods are over within the interval. */
const PROBES_AT_ONCE = 50;

/** A pod that fails answers so; what else is not the client's fault does not come from functions. */
const FAILED = [500, 502, 503, 504];
/** A pod that answers so is well, whatever it thinks of the request: it ends a row of failures. */
const WELL = [
  ...[200, 201, 202, 203, 204, 205, 206, 207, 208, 226],
  ...[300, 301, 302, 303, 304, 305, 307, 308],
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418],
  ...[421, 422, 423, 424, 425, 426, 428, 429, 431, 451],
];

/** Kong's declarative configuration. A service is a route's, since timeouts and retries are a service's in Kong. */
export function kongDeclarative(args: RenderArgs) {
  return {
    _format_version: "3.0",
    upstreams: args.upstreams.map(upstream),
    services: args.routes.map((route) => service(route, args)),
    plugins: [
      // One for all routes: none can be without.
      {
        name: "pre-function",
        config: {
          rewrite: [script("kong-arrive.lua", settings(args))],
          access: [script("kong-authorize.lua", settings(args))],
          ...(args.gateway.hsts > 0 && { header_filter: [hsts(args.gateway.hsts)] }),
          log: [markSlow(args.slow)],
        },
      },
      {
        name: "prometheus",
        config: {
          status_code_metrics: true,
          latency_metrics: true,
          bandwidth_metrics: true,
          // One series for each pod: thousands.
          upstream_health_metrics: false,
        },
      },
    ],
  };
}

/**
 * Kong's own settings. Its router takes expressions here: they say what is meant (an exact path is a comparison), and
 * their priority is the route's own, where the other flavors have rules of theirs.
 */
export function kongEnvironment({ gateway, routes, upstreams, longest }: RenderArgs): Record<string, string> {
  const proxied = gateway.proxyProtocol.length > 0;
  const believed = proxied ? gateway.proxyProtocol : gateway.trustedProxies;
  const listener = ["reuseport", "backlog=16384", ...(proxied ? ["proxy_protocol"] : [])].join(" ");
  const largestBody = String(Math.max(...routes.map(({ maxBodySize }) => maxBodySize)));
  const retries = Math.max(...routes.map((route) => route.retries));
  return {
    KONG_DATABASE: "off",
    KONG_DECLARATIVE_CONFIG: KONG_FILES.declarative,
    KONG_PREFIX: KONG_FILES.prefix,
    KONG_ANONYMOUS_REPORTS: "off",
    KONG_ADMIN_LISTEN: "off",
    KONG_ADMIN_GUI_LISTEN: "off",
    KONG_STATUS_LISTEN: `0.0.0.0:${KONG_PORTS.admin}`,
    KONG_PROXY_LISTEN: `0.0.0.0:${KONG_PORTS.http} ${listener}, 0.0.0.0:${KONG_PORTS.https} http2 ssl ${listener}`,
    // What functions are told in X-Forwarded-Port.
    KONG_PORT_MAPS: `${publicHttpsPort(gateway)}:${KONG_PORTS.https}`,
    ...(believed.length > 0 && {
      KONG_TRUSTED_IPS: believed.map((network) => network.text).join(","),
      KONG_REAL_IP_HEADER: proxied ? "proxy_protocol" : "X-Forwarded-For",
      KONG_REAL_IP_RECURSIVE: "on",
    }),

    KONG_PLUGINS: "pre-function,prometheus,request-size-limiting",
    KONG_VAULTS: "off",
    KONG_UNTRUSTED_LUA: "sandbox",
    KONG_UNTRUSTED_LUA_SANDBOX_REQUIRES: "resty.http,resty.ipmatcher",
    KONG_ROUTER_FLAVOR: "expressions",
    KONG_HEADERS: "off",
    KONG_HEADERS_UPSTREAM: "off",

    // Headless Services have SRV records too, of which each target is one more name to ask for.
    KONG_DNS_ORDER: "A",
    KONG_DNS_NOT_FOUND_TTL: "1",

    KONG_SSL_CIPHER_SUITE: "intermediate",
    ...(gateway.tls.kind === "certificate" && {
      KONG_SSL_CERT: `${KONG_FILES.certificates}/tls.crt`,
      KONG_SSL_CERT_KEY: `${KONG_FILES.certificates}/tls.key`,
    }),

    // As many as the container has cores: by itself Kong counts the node's.
    KONG_NGINX_WORKER_PROCESSES: String(Math.max(1, Math.ceil(gateway.replicas.limits.cpu / 1000))),
    KONG_MEM_CACHE_SIZE: "32m",
    KONG_NGINX_HTTP_INCLUDE: KONG_FILES.nginx,
    KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT: "180s",
    KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT: `${longest}ms`,
    KONG_NGINX_HTTP_CLIENT_BODY_TIMEOUT: `${longest}ms`,
    // In memory up to the limit, and nothing of an answer on a disk: a pod's root is read-only.
    KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE: largestBody,
    KONG_NGINX_HTTP_CLIENT_BODY_BUFFER_SIZE: largestBody,
    KONG_NGINX_PROXY_PROXY_MAX_TEMP_FILE_SIZE: "0",
    // Time for all attempts to connect, and none after a function has had time to work.
    KONG_NGINX_PROXY_PROXY_NEXT_UPSTREAM_TIMEOUT: `${(retries + 1) * gateway.connectTimeout}ms`,
    KONG_UPSTREAM_KEEPALIVE_IDLE_TIMEOUT: String(
      Math.max(1, Math.floor(Math.min(...upstreams.map(({ idleTimeout }) => idleTimeout)) / 1000)),
    ),

    KONG_LOG_LEVEL: "warn",
    KONG_PROXY_ACCESS_LOG: `/dev/stdout gateway${gateway.accessLog === "errors" ? " if=$gateway_logged" : ""}`,
    KONG_PROXY_ERROR_LOG: "/dev/stderr",
    KONG_STATUS_ACCESS_LOG: "off",
    KONG_STATUS_ERROR_LOG: "/dev/stderr",
    KONG_NGINX_PROXY_SET: "$gateway_slow 0",
  };
}

/** What nginx is told beside what Kong tells it: the form of the access log, and what of it is kept by `errors`. */
export function kongNginx(): string {
  const fields = {
    time: "$time_iso8601",
    client: "$remote_addr",
    host: "$host",
    method: "$request_method",
    uri: "$request_uri",
    status: "$status",
    seconds: "$request_time",
    bytes: "$bytes_sent",
    pods: "$upstream_addr",
    podStatuses: "$upstream_status",
    podSeconds: "$upstream_response_time",
  };
  return `log_format gateway escape=json '${JSON.stringify(fields)}';

# Errors, what took long, and what needed more than one pod.
map "$status $gateway_slow $upstream_addr" $gateway_logged {
  default 0;
  "~^[45]" 1;
  "~^... 1" 1;
  "~," 1;
}
`;
}

function upstream({ name, function: fn, namespace, port, livenessPath }: Upstream) {
  const { failures, seconds } = EJECTION;
  return {
    name,
    algorithm: "round-robin",
    // A headless Service's name has an address for each pod that is ready.
    targets: [{ target: `${fn}-pods.${namespace}.svc.cluster.local:${port}`, weight: 100 }],
    healthchecks: {
      passive: {
        type: "http",
        healthy: { http_statuses: WELL, successes: 1 },
        unhealthy: { http_statuses: FAILED, http_failures: failures, tcp_failures: failures, timeouts: failures },
      },
      // By passive checks alone a pod would stay ejected: nothing is sent to it that it could answer well.
      active: {
        type: "http",
        http_path: livenessPath,
        timeout: 1,
        concurrency: PROBES_AT_ONCE,
        healthy: { interval: 0, http_statuses: [200], successes: 1 },
        unhealthy: { interval: seconds, http_statuses: FAILED, http_failures: 0, tcp_failures: 0, timeouts: 0 },
      },
    },
  };
}

/** To several functions: to the first, until the script has chosen one; all have the time that the slowest may take. */
function service(route: GatewayRoute, { gateway, upstreams }: RenderArgs) {
  const reached = upstreams.filter(({ name }) => route.targets.some((target) => target.function === name));
  const timeout = Math.max(...reached.map((each) => each.timeout));
  return {
    name: route.name,
    protocol: "http",
    host: route.targets[0]?.function ?? "",
    port: 80,
    retries: route.retries,
    connect_timeout: gateway.connectTimeout,
    write_timeout: timeout,
    read_timeout: timeout,
    routes: [
      {
        name: route.name,
        // Also what a trusted proxy says came by HTTP: the listener for that only redirects.
        protocols: ["http", "https"],
        expression: expression(route),
        priority: route.priority,
        strip_path: false,
        preserve_host: true,
        plugins: [
          {
            name: "request-size-limiting",
            config: { allowed_payload_size: route.maxBodySize, size_unit: "bytes", require_content_length: false },
          },
        ],
      },
    ],
  };
}

/** In brackets as a whole: Kong appends a condition to it. */
function expression({ host, path, match }: GatewayRoute): string {
  const exact = `http.path == ${JSON.stringify(path)}`;
  const below = `http.path ^= ${JSON.stringify(path === "/" ? path : `${path}/`)}`;
  const paths = match === "exact" ? exact : path === "/" ? below : `${exact} || ${below}`;
  return host === undefined ? `(${paths})` : `(lower(http.host) == ${JSON.stringify(host)} && (${paths}))`;
}

/** A script with its settings before it. */
function script(file: string, values: LuaValue): string {
  return `local settings = ${lua(values)}\n\n${readFileSync(path.join(__dirname, file), "utf8")}`;
}

function settings({ gateway, routes, authorizer }: RenderArgs) {
  return {
    authorizer,
    connect_timeout: ASK.connect,
    answer_timeout: ASK.answer,
    keepalive_timeout: ASK.keepAlive,
    keepalive_pool: ASK_CONNECTIONS,
    https_port: publicHttpsPort(gateway),
    proxy_protocol: gateway.proxyProtocol.length > 0,
    trusted_proxies: gateway.trustedProxies.map((network) => network.text),
    user_headers: [...USER_HEADERS],
    reserved: [...RESERVED_HEADERS],
    splits: Object.fromEntries(
      routes.filter(({ targets }) => targets.length > 1).map((route) => [route.name, split(route)]),
    ),
  };
}

function split({ targets }: GatewayRoute) {
  let total = 0;
  const shares = targets
    .filter(({ weight }) => weight > 0)
    .map((target) => ({ upstream: target.function, up_to: (total += target.weight) }));
  return { total, shares };
}

function hsts(duration: number): string {
  return `if ngx.var.scheme == "https" and kong.router.get_route() then
  kong.response.set_header("Strict-Transport-Security", "max-age=${Math.floor(duration / 1000)}")
end
`;
}

function markSlow(slow: number): string {
  return `if (ngx.now() - ngx.req.start_time()) * 1000 >= ${slow} then
  ngx.var.gateway_slow = "1"
end
`;
}

type LuaValue = string | number | boolean | readonly LuaValue[] | { readonly [key: string]: LuaValue };

/** As a literal of Lua. Texts are printable ASCII, which it quotes as JSON does. */
function lua(value: LuaValue): string {
  if (typeof value === "string") {
    if (!/^[ -~]*$/.test(value)) throw new Error(`${JSON.stringify(value)} is no printable ASCII`);
    return JSON.stringify(value);
  }
  if (typeof value !== "object") return String(value);
  const items = Array.isArray(value)
    ? (value as readonly LuaValue[]).map(lua)
    : Object.entries(value).map(([key, item]) => `[${JSON.stringify(key)}] = ${lua(item)}`);
  return `{ ${items.join(", ")} }`;
}
