import type { GatewayConfig } from "../../infra/config";
import type { GatewayConfig as WatchedConfig } from "../../programs/endpoints/settings";
import { EJECTION, PROPAGATION_SECONDS, RESERVED_HEADERS, USER_HEADERS, type RenderArgs } from "./render";
import { publicHttpsPort, type GatewayRoute, type Upstream } from "./routes";

/** Ports of Traefik's container; `admin` has health and metrics, which no Service publishes. */
export const TRAEFIK_PORTS = { http: 8000, https: 8443, admin: 9100 } as const;

/** Where Traefik reads from. */
export const TRAEFIK_FILES = {
  static: "/etc/traefik/static/traefik.yaml",
  dynamic: "/etc/traefik/dynamic",
  certificates: "/etc/traefik/tls",
} as const;

/** The configuration that Traefik starts with; a change starts it again. */
export function traefikStatic({ gateway, buckets, slow, longest }: RenderArgs) {
  const trusting = {
    ...(gateway.trustedProxies.length > 0 && {
      forwardedHeaders: { trustedIPs: gateway.trustedProxies.map((network) => network.text) },
    }),
    ...(gateway.proxyProtocol.length > 0 && {
      proxyProtocol: { trustedIPs: gateway.proxyProtocol.map((network) => network.text) },
    }),
  };
  const transport = {
    lifeCycle: { requestAcceptGraceTimeout: `${PROPAGATION_SECONDS}s`, graceTimeOut: milliseconds(longest) },
    respondingTimeouts: { readTimeout: milliseconds(longest), idleTimeout: "180s" },
  };
  return {
    global: { checkNewVersion: false, sendAnonymousUsage: false },
    log: { level: "INFO", format: "json" },
    entryPoints: {
      http: {
        address: `:${TRAEFIK_PORTS.http}`,
        ...trusting,
        transport,
        http: {
          redirections: {
            entryPoint: { to: `:${publicHttpsPort(gateway)}`, scheme: "https", permanent: true },
          },
        },
      },
      https: {
        address: `:${TRAEFIK_PORTS.https}`,
        asDefault: true,
        ...trusting,
        transport,
        http: { tls: {}, sanitizePath: true },
      },
      // As long as the others, or nobody would hear that it is leaving.
      admin: { address: `:${TRAEFIK_PORTS.admin}`, transport },
    },
    providers: { providersThrottleDuration: "200ms", file: { directory: TRAEFIK_FILES.dynamic, watch: true } },
    // By a route of the dynamic configuration: it is not ready before it has its routes.
    ping: { manualRouting: true, terminatingStatusCode: 503 },
    metrics: {
      prometheus: {
        entryPoint: "admin",
        addEntryPointsLabels: true,
        addRoutersLabels: true,
        addServicesLabels: true,
        buckets,
      },
    },
    accessLog: {
      format: "json",
      ...(gateway.accessLog === "errors" && {
        filters: { statusCodes: ["400-599"], minDuration: milliseconds(slow), retryAttempts: true },
      }),
      fields: { headers: { defaultMode: "drop" } },
    },
  };
}

/**
 * What Traefik takes over while it runs: routes, middlewares and TLS. The servers of its services are filled in by the
 * program `endpoints`, from the pods that are ready.
 */
export function traefikDynamic({ gateway, routes, upstreams, authorizer }: RenderArgs) {
  const certificate = {
    certFile: `${TRAEFIK_FILES.certificates}/tls.crt`,
    keyFile: `${TRAEFIK_FILES.certificates}/tls.key`,
  };
  const dynamic = {
    http: {
      routers: {
        ...Object.fromEntries(routes.map((route) => [route.name, router(route, gateway)])),
        ping: { entryPoints: ["admin"], rule: "Path(`/ping`)", service: "ping@internal" },
      },
      services: {
        ...Object.fromEntries(upstreams.map((upstream) => [upstream.name, loadBalancer(upstream)])),
        ...Object.fromEntries(routes.filter(isSplit).map((route) => [splitName(route), split(route)])),
      },
      middlewares: {
        // First of all: nobody but the authorizer says who the user is, and nobody but this gateway what is asked.
        "only-our-word": {
          headers: { customRequestHeaders: Object.fromEntries(RESERVED_HEADERS.map((name) => [name, ""])) },
        },
        ...Object.fromEntries(routes.map((route) => [askName(route), ask(route, authorizer)])),
        // A function is told who the user is; the token that proves it would let the function act as that user.
        "keep-token": { headers: { customRequestHeaders: { Authorization: "" } } },
        ...(gateway.hsts > 0 && { hsts: { headers: { stsSeconds: Math.floor(gateway.hsts / 1000) } } }),
        ...Object.fromEntries(routes.map((route) => [bodyName(route), bodyLimit(route)])),
        ...Object.fromEntries(
          routes
            .filter(({ retries }) => retries > 0)
            .map((route) => [retryName(route), { retry: { attempts: route.retries + 1 } }]),
        ),
      },
      serversTransports: Object.fromEntries(
        upstreams.map((upstream) => [upstream.name, transportOf(upstream, gateway)]),
      ),
    },
    tls: {
      options: { default: { minVersion: "VersionTLS12" } },
      ...(gateway.tls.kind === "certificate" && { stores: { default: { defaultCertificate: certificate } } }),
    },
  };
  return {
    dynamic,
    endpoints: Object.fromEntries(
      upstreams.map(({ name, namespace, function: fn }) => [name, { namespace, name: fn, port: "http" }]),
    ),
  } satisfies WatchedConfig;
}

function router(route: GatewayRoute, gateway: GatewayConfig) {
  return {
    entryPoints: ["https"],
    rule: rule(route),
    priority: route.priority,
    service: isSplit(route) ? splitName(route) : (route.targets[0]?.function ?? ""),
    middlewares: [
      "only-our-word",
      ...(gateway.hsts > 0 ? ["hsts"] : []),
      askName(route),
      "keep-token",
      bodyName(route),
      ...(route.retries > 0 ? [retryName(route)] : []),
    ],
    tls: {},
  };
}

function rule({ host, path, match }: GatewayRoute): string {
  const paths =
    match === "exact"
      ? `Path(\`${path}\`)`
      : path === "/"
        ? "PathPrefix(`/`)"
        : `(Path(\`${path}\`) || PathPrefix(\`${path}/\`))`;
  return host === undefined ? paths : `Host(\`${host}\`) && ${paths}`;
}

function loadBalancer({ name }: Upstream) {
  return {
    loadBalancer: {
      passHostHeader: true,
      serversTransport: name,
      passiveHealthCheck: { failureWindow: `${EJECTION.seconds}s`, maxFailedAttempts: EJECTION.failures },
    },
  };
}

function transportOf({ timeout, idleTimeout }: Upstream, { connectTimeout }: GatewayConfig) {
  return {
    forwardingTimeouts: {
      dialTimeout: milliseconds(connectTimeout),
      responseHeaderTimeout: milliseconds(timeout),
      idleConnTimeout: milliseconds(idleTimeout),
    },
  };
}

function isSplit({ targets }: GatewayRoute): boolean {
  return targets.length > 1;
}

function split({ targets }: GatewayRoute) {
  return { weighted: { services: targets.map(({ function: name, weight }) => ({ name, weight })) } };
}

/** The authorizer is told which route it is: however a host is spelled, both judge by the same one. */
function ask({ name }: GatewayRoute, authorizer: string) {
  return {
    forwardAuth: {
      address: `${authorizer}/${name}`,
      // X-Forwarded-For then comes with what trusted proxies said; the rest cannot, it was taken away.
      trustForwardHeader: true,
      authRequestHeaders: ["Authorization"],
      authResponseHeaders: [...USER_HEADERS],
      maxResponseBodySize: 4096,
    },
  };
}

/** In memory up to the limit: a pod's root is read-only. */
function bodyLimit({ maxBodySize }: GatewayRoute) {
  return { buffering: { maxRequestBodyBytes: maxBodySize, memRequestBodyBytes: maxBodySize + 1 } };
}

const splitName = ({ name }: GatewayRoute) => `split-${name}`;
const askName = ({ name }: GatewayRoute) => `authorize-${name}`;
const bodyName = ({ name }: GatewayRoute) => `body-${name}`;
const retryName = ({ name }: GatewayRoute) => `retry-${name}`;

function milliseconds(value: number): string {
  return `${value}ms`;
}
