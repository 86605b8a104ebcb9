import { readFileSync } from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import Ajv from "ajv";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ApiGatewayArgs } from "../../../../components/gateway/api-gateway";
import { kongPods } from "../../../../components/gateway/kong";
import { kongDeclarative, kongEnvironment, kongNginx } from "../../../../components/gateway/kong-config";
import type { RenderArgs } from "../../../../components/gateway/render";
import { Routes } from "../../../../programs/authorizer/routes";
import { find, names, register } from "../../../support/mocks";
import { renderArgs } from "./kong-config";

const ROUTES = [
  { to: [{ function: "checkout" }] },
  { path: "/api", match: "prefix", host: "shop.example.com", retries: 0, maxBodySize: "2Mi" },
  {
    path: "/",
    match: "prefix",
    auth: "none",
    to: [
      { function: "checkout", weight: 95 },
      { function: "next", weight: 5 },
    ],
  },
];

const HEALTHCHECKS = {
  passive: {
    type: "http",
    healthy: { http_statuses: expect.arrayContaining([200, 201, 404, 429]), successes: 1 },
    unhealthy: { http_statuses: [500, 502, 503, 504], http_failures: 10, tcp_failures: 10, timeouts: 10 },
  },
  active: {
    type: "http",
    http_path: "/healthz",
    timeout: 1,
    concurrency: 50,
    healthy: { interval: 0, http_statuses: [200], successes: 1 },
    unhealthy: { interval: 10, http_statuses: [500, 502, 503, 504], http_failures: 0, tcp_failures: 0, timeouts: 0 },
  },
};

const service = (name: string, overrides: { retries?: number; timeout?: number }, route: object, limit = 2 ** 20) => ({
  name,
  protocol: "http",
  host: "checkout",
  port: 80,
  retries: overrides.retries ?? 2,
  connect_timeout: 500,
  write_timeout: 31_000,
  read_timeout: 31_000,
  routes: [
    {
      name,
      protocols: ["http", "https"],
      ...route,
      strip_path: false,
      preserve_host: true,
      plugins: [
        {
          name: "request-size-limiting",
          config: { allowed_payload_size: limit, size_unit: "bytes", require_content_length: false },
        },
      ],
    },
  ],
});

describe("Kong's declarative configuration", () => {
  it("has a service for each route, and an upstream for each function", () => {
    const args = renderArgs({ routes: ROUTES });
    const [exact = "", prefix = "", rest = ""] = args.routes.map(({ name }) => name);
    const { plugins, ...entities } = kongDeclarative(args);
    expect(entities).toEqual({
      _format_version: "3.0",
      upstreams: ["checkout", "next"].map((name) => ({
        name,
        algorithm: "round-robin",
        targets: [{ target: `${name}-pods.shop.svc.cluster.local:8080`, weight: 100 }],
        healthchecks: HEALTHCHECKS,
      })),
      services: [
        service(exact, {}, { expression: '(http.path == "/api/function")', priority: 1_000_131 }),
        service(
          prefix,
          { retries: 0 },
          {
            expression: '(lower(http.host) == "shop.example.com" && (http.path == "/api" || http.path ^= "/api/"))',
            priority: 42,
          },
          2 * 2 ** 20,
        ),
        // To the first of both, until the script has chosen; the longer timeout is for both.
        service(rest, {}, { expression: '(http.path ^= "/")', priority: 11 }),
      ],
    });
    expect(plugins.map(({ name, config }) => [name, Object.keys(config)])).toEqual([
      ["pre-function", ["rewrite", "access", "header_filter", "log"]],
      ["prometheus", ["status_code_metrics", "latency_metrics", "bandwidth_metrics", "upstream_health_metrics"]],
    ]);
    expect(JSON.stringify(plugins)).toContain(
      JSON.stringify(
        `["${rest}"] = { ["total"] = 100, ["shares"] = { { ["upstream"] = "checkout", ["up_to"] = 95 }`,
      ).slice(1, -1),
    );
  });

  it("is what Kong's published schema allows, whatever the routes", () => {
    const { $schema, ...schema } = JSON.parse(
      readFileSync(path.resolve(__dirname, "../../../support/kong/kong_json_schema.json"), "utf8"),
    ) as Record<string, unknown>;
    // Of draft 4 it uses nothing that later ones read differently.
    expect($schema).toContain("draft-04");
    const validate = new Ajv({ strict: false }).compile(schema);
    fc.assert(
      fc.property(anyRoutes, (routes) => {
        validate(kongDeclarative(renderArgs({ routes })));
        expect(validate.errors).toBeNull();
      }),
      { numRuns: 50 },
    );
  });

  it("leads every request to the route that the authorizer judges it by", () => {
    fc.assert(
      fc.property(
        anyRoutes,
        anyPath,
        fc.constantFrom("a.example.com", "b.example.com", "other"),
        (routes, at, host) => {
          const args = renderArgs({ routes });
          const judged = new Routes(
            args.routes.map(({ name, host: of, path: under, match }) => ({
              name,
              ...(of !== undefined && { host: of }),
              path: under,
              match,
              methods: ["POST"],
              public: false,
              roles: ["user"],
              limit: { name, requestsPerSecond: 1, burst: 1 },
            })),
          ).find(host, at);
          expect(routedBy(args, host, at)).toBe(judged?.limit.name);
        },
      ),
      { numRuns: 300 },
    );
  });
});

const anyPath = fc
  .array(fc.constantFrom("api", "function", "apis", "v1"), { maxLength: 3 })
  .map((segments) => `/${segments.join("/")}`);
const anyRoutes = fc.uniqueArray(
  fc.record(
    {
      path: anyPath,
      match: fc.constantFrom("exact" as const, "prefix" as const),
      host: fc.constantFrom("a.example.com", "b.example.com"),
      to: fc.constantFrom(
        [{ function: "checkout" }],
        [
          { function: "next", weight: 0 },
          { function: "checkout", weight: 1 },
        ],
      ),
    },
    { requiredKeys: ["path", "match"] },
  ),
  { minLength: 1, maxLength: 6, selector: ({ path: at, match, host }) => JSON.stringify([at, match, host]) },
);

/** The name of the route whose expression holds and whose priority is the highest, by the few forms that are rendered. */
function routedBy(args: RenderArgs, host: string, at: string): string | undefined {
  const holding = kongDeclarative(args)
    .services.flatMap(({ routes }) => routes)
    .filter(({ expression }) => {
      const [, only, paths = ""] =
        /^\((?:lower\(http\.host\) == "(.*?)" && \()?(http.*?)\){1,2}$/.exec(expression) ?? [];
      return (
        (only === undefined || only === host) &&
        paths.split(" || ").some((term) => {
          const [, operator, value = ""] = /^http\.path (==|\^=) "(.*)"$/.exec(term) ?? [];
          return operator === "==" ? at === value : operator === "^=" && at.startsWith(value);
        })
      );
    })
    .sort((a, b) => b.priority - a.priority);
  expect(new Set(holding.map(({ priority }) => priority)).size).toBe(holding.length);
  return holding[0]?.name;
}

describe("Kong's environment", () => {
  const of = (gateway: object = {}, routes: readonly object[] = ROUTES) =>
    kongEnvironment(renderArgs({ gateway, routes }));

  it("has no database, no administration, and no more than is used", () => {
    expect(of()).toEqual({
      KONG_DATABASE: "off",
      KONG_DECLARATIVE_CONFIG: "/etc/kong/gateway/kong.json",
      KONG_PREFIX: "/var/lib/kong",
      KONG_ANONYMOUS_REPORTS: "off",
      KONG_ADMIN_LISTEN: "off",
      KONG_ADMIN_GUI_LISTEN: "off",
      KONG_STATUS_LISTEN: "0.0.0.0:9100",
      KONG_PROXY_LISTEN: "0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=16384",
      KONG_PORT_MAPS: "30443:8443",
      KONG_PLUGINS: "pre-function,prometheus,request-size-limiting",
      KONG_VAULTS: "off",
      KONG_UNTRUSTED_LUA: "sandbox",
      KONG_UNTRUSTED_LUA_SANDBOX_REQUIRES: "resty.http,resty.ipmatcher",
      KONG_ROUTER_FLAVOR: "expressions",
      KONG_HEADERS: "off",
      KONG_HEADERS_UPSTREAM: "off",
      KONG_DNS_ORDER: "A",
      KONG_DNS_NOT_FOUND_TTL: "1",
      KONG_SSL_CIPHER_SUITE: "intermediate",
      KONG_NGINX_WORKER_PROCESSES: "2",
      KONG_MEM_CACHE_SIZE: "32m",
      KONG_NGINX_HTTP_INCLUDE: "/etc/kong/gateway/nginx.conf",
      KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT: "180s",
      KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT: "31000ms",
      KONG_NGINX_HTTP_CLIENT_BODY_TIMEOUT: "31000ms",
      KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE: "2097152",
      KONG_NGINX_HTTP_CLIENT_BODY_BUFFER_SIZE: "2097152",
      KONG_NGINX_PROXY_PROXY_MAX_TEMP_FILE_SIZE: "0",
      KONG_NGINX_PROXY_PROXY_NEXT_UPSTREAM_TIMEOUT: "1500ms",
      KONG_UPSTREAM_KEEPALIVE_IDLE_TIMEOUT: "15",
      KONG_LOG_LEVEL: "warn",
      KONG_PROXY_ACCESS_LOG: "/dev/stdout gateway if=$gateway_logged",
      KONG_PROXY_ERROR_LOG: "/dev/stderr",
      KONG_STATUS_ACCESS_LOG: "off",
      KONG_STATUS_ERROR_LOG: "/dev/stderr",
      KONG_NGINX_PROXY_SET: "$gateway_slow 0",
    });
  });

  it("serves a certificate that is mounted, and logs every request where that is asked for", () => {
    expect(of({ tls: { kind: "certificate" }, accessLog: "all" })).toMatchObject({
      KONG_SSL_CERT: "/etc/kong/tls/tls.crt",
      KONG_SSL_CERT_KEY: "/etc/kong/tls/tls.key",
      KONG_PROXY_ACCESS_LOG: "/dev/stdout gateway",
    });
  });

  it("believes trusted proxies, or who speaks PROXY protocol", () => {
    expect(of({ trustedProxies: ["10.0.0.0/8", "192.0.2.0/24"] })).toMatchObject({
      KONG_TRUSTED_IPS: "10.0.0.0/8,192.0.2.0/24",
      KONG_REAL_IP_HEADER: "X-Forwarded-For",
      KONG_REAL_IP_RECURSIVE: "on",
    });
    expect(of({ trustedProxies: ["10.0.0.0/8"], proxyProtocol: ["198.51.100.0/24"] })).toMatchObject({
      KONG_TRUSTED_IPS: "198.51.100.0/24",
      KONG_REAL_IP_HEADER: "proxy_protocol",
      KONG_PROXY_LISTEN: expect.stringMatching(/8000 reuseport .* proxy_protocol, .*8443 http2 ssl .* proxy_protocol$/),
    });
  });
});

describe("Kong's pods", () => {
  const create = (config: object = {}, certificate: { name?: string; version?: string } = {}) =>
    register(() => {
      const args = renderArgs({ routes: ROUTES, ...config });
      const labels = { "app.kubernetes.io/name": "kong" };
      const namespace = pulumi.output("gateway");
      const gateway = { gateway: args.gateway, images: { gateway: "registry.example.com/kong:3.9.1", node: "unused" } };
      return kongPods(gateway as ApiGatewayArgs, args, {
        name: "gateway",
        namespace,
        labels,
        metadata: (name) => ({ name, namespace, labels }),
        opts: {},
        certificateSecret: certificate.name,
        certificateVersion: certificate.version,
      });
    });

  it("are rolled by any change of the configuration, and by no other", async () => {
    const name = async (config: object) => names((await create(config)).resources);
    const before = await name({});
    expect(before).toEqual([expect.stringMatching(/^kubernetes:core\/v1:ConfigMap kong-config-[0-9a-f]{10}$/)]);
    expect(await name({})).toEqual(before);
    expect(await name({ routes: [{}] })).not.toEqual(before);
    expect(await name({ gateway: { trustedProxies: ["10.0.0.0/8"] } })).not.toEqual(before);
  });

  it("read an immutable configuration, write to two scratch volumes, and ask no API", async () => {
    const { result, resources } = await create();
    const [map] = resources;
    expect(find(resources, map!.type, map!.name).inputs).toMatchObject({
      immutable: true,
      data: {
        "kong.json": `${JSON.stringify(kongDeclarative(renderArgs({ routes: ROUTES })), null, 2)}\n`,
        "nginx.conf": kongNginx(),
      },
    });
    expect(result).toMatchObject({
      callsApi: false,
      initContainers: [],
      ports: { http: 8000, https: 8443, admin: 9100 },
    });
    expect(result.containers).toHaveLength(1);
    expect(result.containers[0]).toMatchObject({
      image: "registry.example.com/kong:3.9.1",
      securityContext: {
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
      },
      readinessProbe: { httpGet: { path: "/status/ready", port: "admin" } },
      livenessProbe: { httpGet: { path: "/status", port: "admin" } },
      lifecycle: { preStop: { exec: { command: ["/bin/sh", "-c", "sleep 5; kong quit --timeout=31"] } } },
      volumeMounts: [
        { name: "config", mountPath: "/etc/kong/gateway", readOnly: true },
        { name: "prefix", mountPath: "/var/lib/kong" },
        { name: "tmp", mountPath: "/tmp" },
      ],
    });
    expect(result.volumes).toMatchObject([
      { name: "config" },
      { name: "prefix", emptyDir: {} },
      { name: "tmp", emptyDir: {} },
    ]);
  });

  it("mount the certificate, and are rolled by another one", async () => {
    const tls = { gateway: { tls: { kind: "certificate" } } };
    const { result } = await create(tls, { name: "gateway-tls", version: "7" });
    const [kong] = result.containers as unknown as [{ env: { name: string; value: string }[]; volumeMounts: object[] }];
    expect(kong.env).toContainEqual({ name: "CERTIFICATE_VERSION", value: "7" });
    expect(kong.volumeMounts).toContainEqual({ name: "certificate", mountPath: "/etc/kong/tls", readOnly: true });
    expect(result.volumes).toContainEqual({
      name: "certificate",
      secret: { secretName: "gateway-tls", defaultMode: 0o440 },
    });
  });
});
