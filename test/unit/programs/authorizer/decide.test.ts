import { readFileSync } from "node:fs";
import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { LocalBuckets } from "../../../../programs/authorizer/buckets";
import { ClientAddresses } from "../../../../programs/authorizer/client";
import { decide, type Described, type Judge } from "../../../../programs/authorizer/decide";
import { loadRules, type Policy } from "../../../../programs/authorizer/policy";
import { Routes } from "../../../../programs/authorizer/routes";
import type { RouteSettings } from "../../../../programs/authorizer/settings";
import { Tokens } from "../../../../programs/authorizer/tokens";
import { makeIssuer, publishKeys, type Issuer } from "./issuer";

const POLICY = readFileSync(path.join(__dirname, "../../../../policies/authorization/policy.wasm"));
const LIMIT = { name: "checkout", requestsPerSecond: 10, burst: 20 };
const common = { match: "exact", methods: ["POST"], public: false, roles: ["user"], limit: LIMIT } as const;
const ROUTES: readonly RouteSettings[] = [
  { ...common, name: "function", path: "/api/function" },
  { ...common, name: "orders", path: "/api/orders", match: "prefix", methods: ["GET", "POST"] },
  { ...common, name: "export", path: "/api/orders/export", methods: ["GET"], roles: ["admin"] },
  { ...common, name: "status", path: "/api/status", methods: ["GET"], public: true },
  { ...common, name: "prices", path: "/api/prices", methods: ["GET"], host: "shop.example.com" },
  { ...common, name: "prices-of-all", path: "/api/prices", methods: ["GET"], public: true },
];

let issuer: Issuer;
let policy: Policy;
beforeAll(async () => {
  issuer = await makeIssuer();
  policy = await loadRules(POLICY, ROUTES);
});

function judgeOf(changes: Partial<Judge> = {}): Judge {
  return {
    addresses: new ClientAddresses([]),
    // By a clock that stands: however slow the machine is, nothing is filled up meanwhile.
    budgets: new LocalBuckets(
      1000,
      () => 1,
      () => 0,
    ),
    policy,
    routes: new Routes(ROUTES),
    tokens: new Tokens(issuer.settings, 100),
    seesAddresses: true,
    ...changes,
  };
}

async function ask(changes: Partial<Described> & { as?: string | Record<string, unknown> } = {}, judge = judgeOf()) {
  const { as, ...more } = changes;
  const token = typeof as === "object" ? await issuer.token(as) : as;
  const described = { uri: "/api/function", host: "shop.example.com", ...more };
  return decide(judge, {
    // As a gateway that agrees with the authorizer finds it.
    route:
      judge.routes.find(described.host.toLowerCase().replace(/:\d+$/, ""), described.uri.split("?")[0] ?? "")?.name ??
      "",
    method: "POST",
    uri: "/api/function",
    host: "shop.example.com",
    forwardedFor: "203.0.113.9",
    authorization: token === undefined ? undefined : `Bearer ${token}`,
    ...more,
  });
}

describe("the reference's rule", () => {
  it.each([
    ["POST", "/api/function", "user", 200],
    ["GET", "/api/function", "user", 403],
    ["DELETE", "/api/function", "user", 403],
    ["post", "/api/function", "user", 403],
    ["POST", "/api/other", "user", 403],
    ["POST", "/api/function", "guest", 403],
    ["POST", "/api/function", "User", 403],
    ["POST", "/api/function/", "user", 403],
    ["POST", "/api//function", "user", 403],
    ["POST", "/api/./function", "user", 403],
    ["POST", "/api/%66unction", "user", 403],
    ["POST", "/API/function", "user", 403],
    ["POST", "/api/function?x=/../..", "user", 200],
    ["POST", "", "user", 403],
  ])("%s %s as %s: %d", async (method, uri, role, status) => {
    expect((await ask({ method, uri, as: { role } })).status).toBe(status);
  });

  it("asks for one of the roles, whichever place it has", async () => {
    expect((await ask({ as: { role: ["guest", "user"] } })).status).toBe(200);
    expect((await ask({ as: { role: [] } })).status).toBe(403);
  });
});

describe("other routes", () => {
  it.each([
    ["GET", "/api/orders", "user", 200],
    ["GET", "/api/orders/7/items", "user", 200],
    ["GET", "/api/ordersx", "user", 403],
    ["GET", "/api/orders/export", "user", 403],
    ["GET", "/api/orders/export", "admin", 200],
    ["GET", "/api/prices", "user", 200],
  ])("%s %s as %s: %d", async (method, uri, role, status) => {
    expect((await ask({ method, uri, as: { role } })).status).toBe(status);
  });

  it("for a host are for it alone, whatever port and case a client writes it in", async () => {
    const prices = { method: "GET", uri: "/api/prices", as: {} };
    expect((await ask({ ...prices, host: "SHOP.example.com:443" })).status).toBe(200);
    expect((await ask({ ...prices, authorization: undefined, host: "other.example.com" })).status).toBe(200);
  });
});

describe("who shows no valid token", () => {
  it("gets 401 and is told why", async () => {
    expect(await ask()).toEqual({ status: 401, reason: "a token is needed" });
    expect(await ask({ as: "hunter2" })).toEqual({ status: 401, reason: "the token is malformed" });
    expect(await ask({ authorization: "Basic aHVudGVyMg==" })).toMatchObject({ status: 401 });
  });

  it("gets 401 on paths that do not exist as well", async () => {
    expect((await ask({ uri: "/nothing" })).status).toBe(401);
  });

  it("may call what is public, but not with a worthless token", async () => {
    expect((await ask({ method: "GET", uri: "/api/status" })).status).toBe(200);
    expect((await ask({ method: "GET", uri: "/api/status", as: "hunter2" })).status).toBe(401);
    expect((await ask({ method: "POST", uri: "/api/status" })).status).toBe(403);
  });

  it("is not believed where nobody's tokens are", async () => {
    expect((await ask({ as: {} }, judgeOf({ tokens: undefined }))).status).toBe(401);
  });

  it("gets 503 while the issuer's keys cannot be had", async () => {
    const { url, server } = await publishKeys(() => undefined);
    const tokens = new Tokens({ ...issuer.settings, keys: { url } }, 10);
    expect(await ask({ as: {} }, judgeOf({ tokens }))).toMatchObject({ status: 503, retryAfter: 1 });
    server.close();
  });
});

describe("a client's budget", () => {
  it("is its user's, from wherever that comes, and refusals count", async () => {
    const judge = judgeOf();
    const statuses: number[] = [];
    for (let request = 0; request < 25; request++) {
      const method = request < 5 ? "GET" : "POST";
      statuses.push((await ask({ method, as: {}, forwardedFor: `203.0.113.${request}` }, judge)).status);
    }
    expect(statuses).toEqual([
      ...Array<number>(5).fill(403),
      ...Array<number>(15).fill(200),
      ...Array<number>(5).fill(429),
    ]);
    const bob = { sub: "bob" };
    expect((await ask({ as: bob }, judge)).status).toBe(200);
  });

  it("is its address's where it shows no token", async () => {
    const judge = judgeOf();
    const status = (forwardedFor: string) => ask({ method: "GET", uri: "/api/status", forwardedFor }, judge);
    for (let request = 0; request < 20; request++) await status("203.0.113.9");
    expect(await status("203.0.113.9")).toMatchObject({ status: 429, retryAfter: 1 });
    expect((await status("203.0.113.10")).status).toBe(200);
  });

  it("is also for wrong tokens: whoever tries too many has to wait, from that address alone", async () => {
    const judge = judgeOf();
    for (let request = 0; request < 100; request++) await ask({ as: `wrong${request}` }, judge);
    expect((await ask({ as: "another" }, judge)).status).toBe(429);
    expect((await ask({ as: {}, forwardedFor: "203.0.113.10" }, judge)).status).toBe(200);
  });

  it("is not for wrong tokens where all clients come from one address", async () => {
    const judge = judgeOf({ seesAddresses: false });
    for (let request = 0; request < 150; request++) await ask({ as: "wrong" }, judge);
    expect((await ask({ as: {} }, judge)).status).toBe(200);
  });
});

it.each(["shop.example.com.", "shop.example.com:", "shop.example.com:x", "[shop.example.com]:443"])(
  "judges by no other route than the gateway's, however the host is spelled: %s",
  async (host) => {
    const spelled = { method: "GET", uri: "/api/prices", host, route: "prices", as: { role: "guest" } };
    expect((await ask(spelled)).status).toBe(403);
    expect((await ask({ ...spelled, as: { role: "user" } })).status).toBe(403);
  },
);

it("fails closed: a policy that breaks is an error, never a yes", async () => {
  const broken = judgeOf({
    policy: () => {
      throw new Error("out of memory");
    },
  });
  await expect(ask({ as: {} }, broken)).rejects.toThrow("out of memory");
});
