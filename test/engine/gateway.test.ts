import { createHmac } from "node:crypto";
import { connect } from "node:tls";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../infra/config";
import { projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { ensureTools } from "../../local/tools/resolve";
import { GatewayClient, type Ask } from "../support/gateway/client";
import { EchoFunction, LoopbackGateway, type Seen } from "../support/gateway/loopback";
import { makeIssuer } from "../unit/programs/authorizer/issuer";

process.stderr.write(
  "\nThe gateway's tests on loopback have an echo server in the place of functions: `make real` has the functions.\n",
);

const rateLimit = { requestsPerSecond: 100, burst: 200 };
const RAW = {
  cluster: { kind: "existing", kubeconfig: "none" },
  functions: [
    { name: "checkout", rateLimit, requestTimeout: "1s", workload: { peakRequestsPerSecond: 100 } },
    { name: "next", rateLimit: { requestsPerSecond: 10_000, burst: 20_000 }, workload: { peakRequestsPerSecond: 100 } },
    { name: "narrow", rateLimit: { requestsPerSecond: 1, burst: 5 }, workload: { peakRequestsPerSecond: 10 } },
  ],
  routes: [
    { maxBodySize: "10Ki" },
    { path: "/api/admin", methods: ["GET", "POST"], roles: ["admin"] },
    { path: "/api/orders", match: "prefix", methods: ["GET", "POST"] },
    { path: "/api/status", methods: ["GET"], auth: "none" },
    { path: "/api/hosted", methods: ["GET"], host: "shop.example.com" },
    { path: "/api/hosted", methods: ["GET"], auth: "none" },
    { path: "/api/narrow", methods: ["POST"], to: [{ function: "narrow" }] },
    {
      path: "/api/split",
      to: [
        { function: "next", weight: 80 },
        { function: "checkout", weight: 20 },
      ],
    },
  ],
};

describe("the gateway with its authorizer", () => {
  const [checkout, twin, next, narrow] = ["checkout", "checkout", "next", "narrow"].map(
    (name) => new EchoFunction(name),
  ) as [EchoFunction, EchoFunction, EchoFunction, EchoFunction];
  const gateway = LoopbackGateway.of(RAW);
  let client: GatewayClient;
  let subjects = 0;
  const all = () => ({ checkout: [checkout.port, twin.port], next: [next.port], narrow: [narrow.port] });
  /** A user whom no test has met: each has a budget of its own. */
  const fresh = (claims: Record<string, unknown> = {}) =>
    gateway.issuer.token({ sub: `user-${++subjects}`, ...claims });
  const ask = (request: Ask = {}) => client.ask(request);
  const seen = async (request: Ask = {}) => JSON.parse((await ask(request)).body) as Seen;

  beforeAll(async () => {
    await ensureTools(["traefik"], { paths: projectPaths(resolve(__dirname, "../..")), progress: silentProgress });
    for (const fn of [checkout, twin, next, narrow]) await fn.start();
    await gateway.start(all());
    client = new GatewayClient("127.0.0.1", gateway.ports);
  });
  afterAll(async () => {
    client.close();
    await gateway.end();
    for (const fn of [checkout, twin, next, narrow]) await fn.stop();
  });

  describe("lets a request through by method, path and role", () => {
    it.each([
      ["POST", "/api/function", "user", 200],
      ["POST", "/api/function?a=/../b&c=%2e%2e", "user", 200],
      ["GET", "/api/function", "user", 403],
      ["PUT", "/api/function", "user", 403],
      ["DELETE", "/api/function", "user", 403],
      ["OPTIONS", "/api/function", "user", 403],
      ["POST", "/api/function", "guest", 403],
      ["POST", "/api/function", "admin", 403],
      ["POST", "/api/function", "USER", 403],
      ["GET", "/api/admin", "admin", 200],
      ["GET", "/api/admin", "user", 403],
      ["GET", "/api/orders", "user", 200],
      ["GET", "/api/orders/7/lines", "user", 200],
      ["GET", "/api/ordersx", "user", 404],
      ["POST", "/", "user", 404],
      ["POST", "/nowhere", "user", 404],
      ["GET", "/api/hosted", "user", 200],
    ])("%s %s as %s: %d", async (method, path, role, status) => {
      expect((await ask({ method, path, token: await fresh({ role }) })).status).toBe(status);
    });

    it("by the rules of its host, however that is spelled", async () => {
      const hosted = { method: "GET", path: "/api/hosted" };
      const spelled = (host: string, token?: string) =>
        client.ask({ ...hosted, headers: { Host: host }, ...(token !== undefined && { token }) });
      expect((await spelled("shop.example.com", await fresh())).status).toBe(200);
      expect((await spelled("SHOP.example.com:443", await fresh())).status).toBe(200);
      expect((await spelled("other.example.com")).status).toBe(200);
      for (const host of ["shop.example.com", "shop.example.com.", "shop.example.com:", "[shop.example.com]:443"]) {
        expect([400, 401, 403, 404]).toContain((await spelled(host)).status);
      }
      const answer = await client.ask({
        ...hosted,
        headers: { Host: "shop.example.com", "X-Forwarded-Host": "other.example.com" },
      });
      expect(answer.status).toBe(401);
    });

    it("that is public without a token", async () => {
      expect((await client.ask({ method: "GET", path: "/api/status" })).status).toBe(200);
    });
  });

  describe("takes no other spelling of a path for it", () => {
    it.each([
      "/api/function/",
      "//api/function",
      "/api//function",
      "/API/function",
      "/api/Function",
      "/api/%66unction",
      "/api%2ffunction",
      "/api/function%00",
      "/api/function;x=1",
      "/api/function%3fx",
      "/api/function%23",
      "/api/function%20",
      "/api\\function",
    ])("%s", async (path) => {
      const { status, body } = await ask({ path, token: await fresh() });
      // Some are tidied by the gateway before it routes: they are then the same path to all, and that is as good.
      if (status === 200) expect((JSON.parse(body) as Seen).url).toBe("/api/function");
      else expect([400, 403, 404]).toContain(status);
    });

    it.each([
      "/api/orders/../admin",
      "/api/orders/./../admin",
      "/api/orders/%2e%2e/admin",
      "/api/orders/%2E%2E/admin",
      "/api/orders/.%2e/admin",
      "/api/orders//../admin",
      "/api/orders/..%2fadmin",
      "/api/orders/..\\admin",
      "/api/status/../admin",
    ])("and reaches nothing of an administrator's by %s", async (path) => {
      const answer = await ask({ method: "GET", path, token: await fresh() });
      if (answer.status === 200) expect((JSON.parse(answer.body) as Seen).url).not.toMatch(/^\/api\/admin/);
      else expect([400, 403, 404]).toContain(answer.status);
    });

    it("and hands on to a function the very path that it was allowed for", async () => {
      expect((await seen({ path: "/api/function?q=%2e%2e", token: await fresh() })).url).toBe("/api/function?q=%2e%2e");
    });
  });

  describe("answers 401", () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = () => Math.floor(Date.now() / 1000);
    const forged = async () => (await makeIssuer("ES256", "one")).token();
    it.each<[string, () => Promise<string | undefined>]>([
      ["without a token", () => Promise.resolve(undefined)],
      ["to a token that has expired", () => fresh({ exp: now() - 60 })],
      ["to a token that is not valid yet", () => fresh({ nbf: now() + 600 })],
      ["to a token for another audience", () => fresh({ aud: "payments" })],
      ["to a token of another issuer", () => fresh({ iss: "https://evil.example.com/" })],
      ["to a token that somebody else signed", forged],
      [
        "to a token without a signature",
        () =>
          Promise.resolve(
            `${encode({ alg: "none" })}.${encode({ sub: "a", role: "user", iss: gateway.issuer.settings.issuer, aud: "shop", exp: now() + 60 })}.`,
          ),
      ],
      [
        "to a token signed by its public key as a secret",
        () => {
          const text = `${encode({ alg: "HS256", kid: "one" })}.${encode({ sub: "a", role: "user", iss: gateway.issuer.settings.issuer, aud: "shop", exp: now() + 60 })}`;
          const signature = createHmac("sha256", JSON.stringify(gateway.issuer.publicJwk))
            .update(text)
            .digest("base64url");
          return Promise.resolve(`${text}.${signature}`);
        },
      ],
      ["to what is no token", () => Promise.resolve("hunter2")],
    ])("%s", async (_, make) => {
      const wrong = await make();
      const before = checkout.requests + twin.requests;
      const answer = await client.ask({ ...(wrong !== undefined && { token: wrong }) });
      expect(answer.status).toBe(401);
      expect(answer.headers["www-authenticate"]).toMatch(/^Bearer /);
      expect(checkout.requests + twin.requests).toBe(before);
    });

    it("and tells no token to its logs", async () => {
      const secret = await fresh();
      await ask({ token: secret });
      await ask({ token: `${secret}x` });
      expect(gateway.logs).toContain('"status":401');
      expect(gateway.logs).not.toContain(secret.split(".")[2]);
      expect(gateway.logs).not.toContain("hunter2");
    });
  });

  describe("believes nothing that a client says of itself", () => {
    it.each<[string, Record<string, string>]>([
      ["of its role", { "X-User-Roles": "admin", "X-User-Subject": "root" }],
      ["of the method that it asks by", { "X-Forwarded-Method": "GET", "X-HTTP-Method-Override": "GET" }],
      ["of the path that it asks for", { "X-Forwarded-Uri": "/api/status", "X-Original-Url": "/api/status" }],
      ["in other spellings", { "x-forwarded-URI": "/api/status", X_Forwarded_Uri: "/api/status" }],
      [
        "by naming headers that are to be dropped",
        { Connection: "X-Forwarded-Uri, X-Forwarded-Method, Authorization, close" },
      ],
    ])("%s", async (_, headers) => {
      const { status } = await ask({ method: "GET", path: "/api/admin", headers, token: await fresh() });
      // Whose own token is named for dropping has none.
      expect(status).toBe(headers["Connection"] === undefined ? 403 : 401);
    });

    it("tells the function who the user is, and not by what it was proved", async () => {
      const headers = { "X-User-Subject": "root", "X-User-Roles": "admin", "X-Forwarded-User": "root" };
      const got = await seen({ token: await gateway.issuer.token({ sub: "alice", role: ["user", "buyer"] }), headers });
      expect(got.headers).toMatchObject({ "x-user-subject": "alice", "x-user-roles": "user,buyer" });
      expect(Object.keys(got.headers)).not.toContain("authorization");
      expect(Object.keys(got.headers)).not.toContain("x-forwarded-user");
    });

    it("tells a function of a public route no user at all", async () => {
      const answer = await client.ask({ method: "GET", path: "/api/status", headers: { "X-User-Subject": "root" } });
      expect(Object.keys((JSON.parse(answer.body) as Seen).headers)).not.toContain("x-user-subject");
    });

    it("of its address: what comes from no trusted proxy is not handed on", async () => {
      const got = await seen({
        headers: { "X-Forwarded-For": "1.2.3.4", "X-Real-Ip": "1.2.3.4", Forwarded: "for=1.2.3.4" },
        token: await fresh(),
      });
      expect(got.headers["x-forwarded-for"]).toBe("127.0.0.1");
      expect(got.headers["x-real-ip"]).toBe("127.0.0.1");
    });

    it.each([
      [
        "two lengths of a body",
        "POST /api/function HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      ],
      [
        "a length beside chunks",
        "POST /api/function HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/admin HTTP/1.1\r\nHost: a\r\n\r\n",
      ],
      [
        "an unknown transfer encoding",
        "POST /api/function HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      ],
      [
        "a header with a space before its colon",
        "POST /api/function HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
      ],
      ["two hosts", "POST /api/function HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    ])("in a request with %s", async (_, text) => {
      const before = checkout.requests + twin.requests;
      expect(await rawStatus(gateway.ports.https, text)).toMatch(/^(?:400|401|501)$/);
      expect(checkout.requests + twin.requests).toBe(before);
    });
  });

  describe("limits", () => {
    it("each user's requests, and says when to come again", async () => {
      const [mine, other] = [await fresh(), await fresh()];
      const statuses: number[] = [];
      for (let request = 0; request < 8; request++)
        statuses.push((await ask({ path: "/api/narrow", token: mine })).status);
      expect(statuses).toEqual([...Array<number>(5).fill(200), ...Array<number>(3).fill(429)]);
      const refused = await ask({ path: "/api/narrow", token: mine });
      expect(refused.headers["retry-after"]).toBe("1");
      expect((await ask({ path: "/api/narrow", token: other })).status).toBe(200);
    });

    it("the size of a body, whether it is told before or not", async () => {
      const body = Buffer.alloc(20 * 1024, "x");
      expect((await ask({ body, token: await fresh() })).status).toBe(413);
      expect((await ask({ body, chunked: true, token: await fresh() })).status).toBe(413);
      expect((await seen({ body: Buffer.alloc(10 * 1024, "x"), token: await fresh() })).body).toBe(10 * 1024);
    });

    it("the time that a function may take", async () => {
      checkout.delay = twin.delay = 4000;
      try {
        expect((await ask({ token: await fresh() })).status).toBe(504);
      } finally {
        checkout.delay = twin.delay = 0;
      }
    });
  });

  it("sends plain HTTP to HTTPS, and tells browsers to come by that alone", async () => {
    const { status, headers } = await client.ask({
      method: "GET",
      path: "/api/status",
      plain: true,
      headers: { Host: "shop.example.com" },
    });
    expect(status).toBe(301);
    expect(headers["location"]).toBe("https://shop.example.com:30443/api/status");
    expect((await client.ask({ plain: true })).status).toBe(308);
    expect((await ask({ token: await fresh() })).headers["strict-transport-security"]).toBe("max-age=31536000");
  });

  it("speaks no TLS below 1.2", async () => {
    const protocol = (version: "TLSv1.1" | "TLSv1.2" | "TLSv1.3") =>
      new Promise<string>((done) => {
        const socket = connect({
          ...{ port: gateway.ports.https, host: "127.0.0.1", rejectUnauthorized: false },
          ...{ minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" },
        });
        socket.once("secureConnect", () => done((socket.end(), socket.getProtocol() ?? "")));
        socket.once("error", () => done("refused"));
      });
    expect([await protocol("TLSv1.1"), await protocol("TLSv1.2"), await protocol("TLSv1.3")]).toEqual([
      "refused",
      "TLSv1.2",
      "TLSv1.3",
    ]);
  });

  it("splits requests between two versions by their weights", async () => {
    const user = await fresh();
    const counts: Record<string, number> = {};
    for (let request = 0; request < 500; request++) {
      const name = (JSON.parse((await ask({ path: "/api/split", token: user })).body) as Seen).function;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    // 80 %: three standard deviations of 500 draws are 27 either way.
    expect(counts["next"]).toBeGreaterThan(373);
    expect(counts["next"]).toBeLessThan(427);
    expect((counts["next"] ?? 0) + (counts["checkout"] ?? 0)).toBe(500);
  });

  describe("when something breaks", () => {
    it("passes over a server that is gone, ejects it, and fails no request", async () => {
      await twin.stop();
      const user = await fresh();
      const statuses = new Set<number>();
      for (let request = 0; request < 60; request++) statuses.add((await ask({ token: user })).status);
      expect([...statuses]).toEqual([200]);
      await twin.start(twin.port);
    });

    it("answers 502 or 503 when no server is there, and 200 again soon after one is", async () => {
      await narrow.stop();
      expect([502, 503]).toContain((await ask({ path: "/api/narrow", token: await fresh() })).status);
      await narrow.start(narrow.port);
      await until(async () => (await ask({ path: "/api/narrow", token: await fresh() })).status === 200, 15_000);
    });

    it("lets nobody in while the authorizer is down, and everybody again when it is back", async () => {
      await gateway.kill("authorizer");
      const before = checkout.requests + twin.requests;
      expect((await ask({ token: await fresh() })).status).toBe(500);
      expect((await client.ask({ method: "GET", path: "/api/status" })).status).toBe(500);
      expect(checkout.requests + twin.requests).toBe(before);
      gateway.startAuthorizer();
      await gateway.authorizerReady();
      expect((await ask({ token: await fresh() })).status).toBe(200);
    });

    it("takes over other routes and servers without failing a request", async () => {
      const user = await gateway.issuer.token({ sub: "steady" });
      const statuses: number[] = [];
      const stop = new AbortController();
      const steady = (async () => {
        while (!stop.signal.aborted) {
          statuses.push((await ask({ path: "/api/split", token: user })).status);
          await new Promise((resume) => setTimeout(resume, 5));
        }
      })();
      const config = parseConfig({
        ...RAW,
        routes: [...RAW.routes.slice(0, -1), { path: "/api/split", to: [{ function: "next" }] }],
      });
      await gateway.reload({ config });
      await gateway.reload({ servers: { ...all(), checkout: [checkout.port] } });
      const names = new Set<string>();
      for (let request = 0; request < 30; request++)
        names.add((await seen({ path: "/api/split", token: user })).function);
      stop.abort();
      await steady;
      expect([...names]).toEqual(["next"]);
      expect(statuses.length).toBeGreaterThan(100);
      expect(new Set(statuses)).toEqual(new Set([200]));
    });

    it("goes on answering while it is told to leave", async () => {
      const left = gateway.kill("traefik", "SIGTERM");
      await new Promise((resume) => setTimeout(resume, 500));
      expect((await fetch(`http://127.0.0.1:${gateway.ports.admin}/ping`)).status).toBe(503);
      expect((await ask({ token: await fresh() })).status).toBe(200);
      await left;
    });
  });
});

/** The status of what is answered to these very bytes. */
function rawStatus(port: number, text: string): Promise<string> {
  return new Promise((done, failed) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => socket.write(text));
    let got = "";
    socket.on("data", (chunk: Buffer) => {
      got += chunk.toString();
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(got)?.[1];
      if (status !== undefined) done((socket.destroy(), status));
    });
    socket.on("end", () => done(got));
    socket.on("error", failed);
  });
}

async function until(holds: () => Promise<boolean>, milliseconds: number): Promise<void> {
  for (const end = Date.now() + milliseconds; Date.now() < end;) {
    if (await holds()) return;
    await new Promise((resume) => setTimeout(resume, 200));
  }
  throw new Error(`did not come true within ${milliseconds} ms`);
}
