import { describe, expect, it } from "vitest";
import { runScript, type StubbedRequest } from "../../../support/kong/scripts";
import { renderArgs, scriptsOf } from "./kong-config";

const LOAD_BALANCER = "198.51.100.1";

const run = (phase: string, request: StubbedRequest, config: object = {}) =>
  runScript(scriptsOf(renderArgs(config))[phase] ?? "", request);
const arrive = (request: StubbedRequest, config: object = {}) => run("rewrite", request, config);
const authorize = (request: StubbedRequest, config: object = {}) =>
  run("access", { route: "api-function", ...request }, config);

const ALLOWED = { status: 200, headers: { "x-user-subject": "alice", "x-user-roles": "user,admin" } };

describe("Kong's script before routing", () => {
  it.each([
    ["GET", {}, 301, "https://shop.example.com:30443/api/function?a=%20b"],
    ["POST", {}, 308, "https://shop.example.com:30443/api/function?a=%20b"],
    ["GET", { entry: { kind: "servicelb" } }, 301, "https://shop.example.com/api/function?a=%20b"],
  ])("sends %s by HTTP to HTTPS (gateway %j)", async (method, gateway, status, Location) => {
    const vars = { scheme: "http", request_uri: "/api/function?a=%20b" };
    expect((await arrive({ method, vars }, { gateway })).exit).toEqual({ status, body: "", headers: { Location } });
  });

  const SAID = {
    "x-user-subject": "mallory",
    "X-User-Roles": "admin",
    "x-forwarded-method": "POST",
    "x-forwarded-uri": "/public",
    "x-forwarded-user": "mallory",
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "public.example.com",
    "x-forwarded-port": "1",
    "x-forwarded-path": "/public",
    "x-forwarded-prefix": "/public",
    "x-real-ip": "203.0.113.9",
    accept: "text/plain",
  };
  const host = "shop.example.com";

  it("takes from a client all that only proxies and gateways say", async () => {
    const trusting = { gateway: { trustedProxies: [`${LOAD_BALANCER}/32`] } };
    for (const config of [{}, trusting]) {
      const { headers, exit, problem } = await arrive({ headers: SAID }, config);
      expect({ headers, exit, problem }).toEqual({ headers: { host, accept: "text/plain" } });
    }
  });

  // The stub knows no networks: its trusted proxy is one address, written as one.
  const behind = { headers: SAID, vars: { remote_addr: "203.0.113.9", realip_remote_addr: `${LOAD_BALANCER}/32` } };

  it("keeps what a trusted proxy says, but nothing that is the authorizer's or the gateway's", async () => {
    const { headers } = await arrive(behind, { gateway: { trustedProxies: [`${LOAD_BALANCER}/32`] } });
    expect(Object.keys(headers).sort()).toEqual([
      "accept",
      "host",
      "x-forwarded-for",
      "x-forwarded-path",
      "x-forwarded-port",
      "x-forwarded-prefix",
      "x-forwarded-proto",
      "x-real-ip",
    ]);
  });

  it("goes by the address that PROXY protocol tells, not by the load balancer's", async () => {
    const gateway = { proxyProtocol: [`${LOAD_BALANCER}/32`], trustedProxies: [`${LOAD_BALANCER}/32`] };
    expect((await arrive(behind, { gateway })).headers).toEqual({ host, accept: "text/plain" });
  });
});

describe("Kong's script that asks the authorizer", () => {
  it("asks what forwardAuth asks, and nothing else of the request", async () => {
    const { asked, timeouts } = await authorize({
      headers: {
        host: "Shop.example.com:443",
        Authorization: "Bearer abc",
        Cookie: "secret",
        "X-Forwarded-For": "203.0.113.9",
        "Content-Length": "7",
      },
      vars: {
        // As the client sent it, and as it is sent on.
        request_uri: "/api//./function?a=1&b=%2F",
        upstream_uri: "/api/function",
        is_args: "?",
        args: "a=1&b=%2F",
        remote_addr: "203.0.113.9",
        realip_remote_addr: LOAD_BALANCER,
      },
      answers: [ALLOWED],
    });
    expect(asked).toEqual([
      {
        uri: "http://authorizer.gateway.svc.cluster.local:9000/api-function",
        method: "GET",
        keepalive: true,
        headers: {
          "X-Forwarded-Method": "POST",
          "X-Forwarded-Uri": "/api/function?a=1&b=%2F",
          "X-Forwarded-Host": "Shop.example.com:443",
          "X-Forwarded-For": `203.0.113.9, ${LOAD_BALANCER}`,
          "X-Forwarded-Proto": "https",
          Authorization: "Bearer abc",
        },
      },
    ]);
    expect(timeouts).toEqual([500, 10_000, 10_000]);
  });

  it("keeps an empty query, as Kong does", async () => {
    const { asked } = await authorize({ vars: { request_uri: "/api/function?" }, answers: [ALLOWED] });
    expect(asked[0]?.headers["X-Forwarded-Uri"]).toBe("/api/function?");
  });

  it("names the client by its own address where PROXY protocol tells it", async () => {
    const vars = { remote_addr: "203.0.113.9", realip_remote_addr: LOAD_BALANCER };
    const { asked, vars: set } = await authorize(
      { vars, answers: [ALLOWED] },
      { gateway: { proxyProtocol: [`${LOAD_BALANCER}/32`] } },
    );
    expect(asked[0]?.headers["X-Forwarded-For"]).toBe("203.0.113.9");
    expect(set["upstream_x_forwarded_for"]).toBe("203.0.113.9");
  });

  it("tells the function who the user is, and keeps the token", async () => {
    const { headers, exit, problem } = await authorize({
      headers: { Authorization: "Bearer abc", "X-User-Roles": "admin", Accept: "*/*" },
      answers: [ALLOWED],
    });
    expect({ exit, problem }).toEqual({});
    expect(headers).toEqual({
      host: "shop.example.com",
      accept: "*/*",
      "x-user-subject": "alice",
      "x-user-roles": "user,admin",
    });
  });

  it("lets nobody say who they are on a public route", async () => {
    const { headers, exit } = await authorize({
      headers: { "X-User-Subject": "mallory", "X-User-Roles": "admin" },
      answers: [{ status: 200 }],
    });
    expect({ headers, exit }).toEqual({ headers: { host: "shop.example.com" } });
  });

  it.each([401, 403, 429, 500, 503, 204, 301])("passes a refusal on as it is (%i)", async (status) => {
    const told = {
      "WWW-Authenticate": "Bearer",
      "Retry-After": "3",
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
    };
    const answer = { status, body: '{"error":"no"}', headers: { ...told, "X-User-Subject": "alice", Date: "today" } };
    const { exit, upstream } = await authorize({ answers: [answer] });
    expect({ exit, upstream }).toEqual({ exit: { status, body: '{"error":"no"}', headers: told } });
  });

  it.each([
    ["once a connection fails, and by one of its own the second time", "connection refused", 2],
    ["once only where it takes too long", "timeout", 1],
  ])("lets nothing through when the authorizer cannot be reached: it asks %s", async (_, failure, times) => {
    const { asked, exit, upstream } = await authorize({ answers: [{ failure }, { failure }, ALLOWED] });
    expect(asked).toHaveLength(times);
    expect(upstream).toBeUndefined();
    expect(exit).toEqual({
      status: 503,
      body: '{"error":"the authorizer cannot be reached"}',
      headers: { "Content-Type": "application/json", "Cache-Control": "no-store", "Retry-After": "1" },
    });
  });

  it("asks again when a kept connection was closed", async () => {
    const { asked, exit } = await authorize({ answers: [{ failure: "closed" }, ALLOWED] });
    expect(asked.map(({ pool, keepalive }) => ({ pool, keepalive }))).toEqual([
      { keepalive: true },
      { pool: "authorizer again", keepalive: false },
    ]);
    expect(exit).toBeUndefined();
  });

  it("fails, and lets nothing through, where it does not know the path", async () => {
    const { problem, asked } = await authorize({ vars: { upstream_uri: "" }, answers: [ALLOWED] });
    expect({ problem, asked: Object.keys(asked) }).toEqual({ problem: expect.stringContaining("no path"), asked: [] });
  });
});

describe("Kong's script for a route to several functions", () => {
  const config = {
    routes: [
      {
        to: [
          { function: "checkout", weight: 90 },
          { function: "next", weight: 10 },
        ],
      },
    ],
  };
  const route = renderArgs(config).routes[0]!.name;

  it.each([
    [1, "checkout"],
    [90, "checkout"],
    [91, "next"],
    [100, "next"],
  ])("draws %i of 100: %s", async (random, upstream) => {
    const { exit, problem, ...seen } = await authorize({ route, random, answers: [ALLOWED] }, config);
    expect({ exit, problem, upstream: seen.upstream }).toEqual({ upstream });
  });

  it("chooses nothing for who is refused, and nothing on other routes", async () => {
    expect((await authorize({ route, random: 1, answers: [{ status: 403 }] }, config)).upstream).toBeUndefined();
    expect((await authorize({ route: "other", random: 1, answers: [ALLOWED] }, config)).upstream).toBeUndefined();
  });
});

describe("Kong's scripts on answers", () => {
  it("tell browsers to come by HTTPS, on routes alone", async () => {
    const sent = { "Strict-Transport-Security": "max-age=31536000" };
    expect((await run("header_filter", { route: "any" })).answered).toEqual(sent);
    expect((await run("header_filter", {})).answered).toBeUndefined();
    expect((await run("header_filter", { route: "any", vars: { scheme: "http" } })).answered).toBeUndefined();
    expect(scriptsOf(renderArgs({ gateway: { hsts: "0s" } }))).not.toHaveProperty("header_filter");
  });

  it("mark what took long for the access log", async () => {
    expect((await run("log", { started: 10, now: 10.05 })).vars).toEqual({ gateway_slow: "1" });
    expect(Object.keys((await run("log", { started: 10, now: 10.049 })).vars)).toEqual([]);
  });
});
