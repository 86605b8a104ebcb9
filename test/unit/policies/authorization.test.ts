import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { loadPolicy } from "@open-policy-agent/opa-wasm";
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";

const FOLDER = resolve(__dirname, "../../../policies/authorization");
const MODULE = readFileSync(join(FOLDER, "policy.wasm"));
const DEFAULT = JSON.parse(readFileSync(join(FOLDER, "data.json"), "utf8")) as { serverless: { routes: Routes } };

interface Rule {
  readonly methods: readonly string[];
  readonly roles?: readonly string[] | undefined;
  readonly public?: boolean | undefined;
  readonly host?: string | undefined;
}

interface Routes {
  readonly exact: Readonly<Record<string, readonly Rule[]>>;
  readonly prefix: Readonly<Record<string, readonly Rule[]>>;
}

/** What is used of a loaded module; its own types are a browser's. */
interface Loaded {
  setData(data: object): void;
  evaluate(input: unknown): unknown;
  readonly mem: { readonly buffer: ArrayBuffer };
}

/** The committed module, as the authorizer loads it. */
class Policy {
  private constructor(private readonly loaded: Loaded) {}

  static async with(routes: Routes): Promise<Policy> {
    const policy = new Policy(await loadPolicy(MODULE));
    policy.use(routes);
    return policy;
  }

  use(routes: Routes): void {
    this.loaded.setData({ serverless: { routes } });
  }

  /** All that comes back: one result, a boolean. */
  answer(input: unknown): unknown {
    return this.loaded.evaluate(input);
  }

  allows(input: unknown): boolean {
    const [{ result }] = this.answer(input) as [{ result: boolean }];
    return result;
  }

  get memory(): number {
    return this.loaded.mem.buffer.byteLength;
  }
}

/** For records of which any part may be missing. */
const OPTIONAL = { requiredKeys: [] };

const REQUEST = {
  method: "POST",
  path: "/api/function",
  host: "shop.example.com",
  user: { role: "user", roles: ["user", "buyer"] },
  rate_limit: { remaining: 17 },
};

const POST: Rule = { methods: ["POST"], roles: ["user"] };
const PUBLIC: Rule = { methods: ["POST"], public: true };

describe("with its default data", () => {
  let policy: Policy;
  beforeEach(async () => {
    policy = await Policy.with(DEFAULT.serverless.routes);
  });

  it("answers with one boolean", () => {
    expect(policy.answer(REQUEST)).toEqual([{ result: true }]);
    expect(policy.answer({})).toEqual([{ result: false }]);
  });

  const methods = ["POST", "GET", "post"];
  const paths = ["/api/function", "/api/function/", "/api/Function", "/api/function/x", "/"];
  const roles = ["user", "admin", "User", undefined];
  const budgets = [17, 1, 0, -1, undefined];
  const table = methods.flatMap((method) =>
    paths.flatMap((path) => roles.flatMap((role) => budgets.map((remaining) => ({ method, path, role, remaining })))),
  );

  it("lets nobody but users, and them only POST to the function's path within their budget", () => {
    const allowed = table.filter(({ method, path, role, remaining }) =>
      policy.allows({ method, path, user: { role }, rate_limit: { remaining } }),
    );
    const one = { method: "POST", path: "/api/function", role: "user" };
    expect(table).toHaveLength(300);
    expect(allowed).toEqual([
      { ...one, remaining: 17 },
      { ...one, remaining: 1 },
    ]);
  });

  it.each([
    ["a list of roles in the place of one", { user: { roles: ["buyer", "user"] } }],
    ["no host", { host: undefined }],
    ["part of a request left", { rate_limit: { remaining: 0.5 } }],
    ["more left than 64 bits hold", { rate_limit: { remaining: 1e20 } }],
    ["parts that it does not know", { query: "?a=1", user: { role: "user", sub: "7" } }],
  ])("lets in with %s", (_, changes) => {
    expect(policy.allows({ ...REQUEST, ...changes })).toBe(true);
  });

  it.each([
    ["no method", { method: undefined }],
    ["methods", { method: ["POST"] }],
    ["no path", { path: undefined }],
    ["a path in parts", { path: ["api", "function"] }],
    ["a host that is no text", { host: ["shop.example.com"] }],
    ["no user", { user: undefined }],
    ["null for a user", { user: null }],
    ["a user that is a text", { user: "user" }],
    ["a user without roles", { user: {} }],
    ["roles that are a text", { user: { roles: "user" } }],
    ["roles that are an object", { user: { roles: { role: "user" } } }],
    ["a role that is a list", { user: { role: ["user"] } }],
    ["a role that is no text among the roles", { user: { role: "user", roles: ["user", 7] } }],
    ["no budget", { rate_limit: undefined }],
    ["an empty budget", { rate_limit: {} }],
    ["a budget that is a text", { rate_limit: { remaining: "17" } }],
    ["a budget that is true", { rate_limit: { remaining: true } }],
    ["a budget further below 0 than 64 bits reach", { rate_limit: { remaining: -1e19 } }],
    // JSON knows neither: null arrives.
    ["an endless budget", { rate_limit: { remaining: Infinity } }],
    ["a budget that is no number", { rate_limit: { remaining: NaN } }],
  ])("denies %s", (_, changes) => {
    expect(policy.answer({ ...REQUEST, ...changes })).toEqual([{ result: false }]);
  });

  it.each([[undefined], [null], [false], [0], [""], [7], ["POST"], [[]], [[REQUEST]]])(
    "denies %j in the place of a request",
    (input) => {
      expect(policy.answer(input)).toEqual([{ result: false }]);
    },
  );

  it("throws at half a character, and judges the next request as ever", () => {
    expect(() => policy.answer({ ...REQUEST, user: { role: "\ud800" } })).toThrow();
    expect(policy.allows(REQUEST)).toBe(true);
  });

  it("keeps nothing of a request", () => {
    policy.allows(REQUEST);
    const before = policy.memory;
    for (let count = 0; count < 20_000; count++) policy.allows(REQUEST);
    expect(policy.memory).toBe(before);
  });
});

describe("with routes of its own", () => {
  const asked = (changes: object) => ({ ...REQUEST, user: undefined, ...changes });

  it("denies all without any", async () => {
    expect((await Policy.with({ exact: {}, prefix: {} })).allows(REQUEST)).toBe(false);
  });

  it("replaces the ones before", async () => {
    const policy = await Policy.with({ exact: { "/a": [PUBLIC] }, prefix: {} });
    expect(policy.allows(asked({ path: "/a" }))).toBe(true);
    policy.use({ exact: { "/b": [PUBLIC] }, prefix: {} });
    expect(policy.allows(asked({ path: "/a" }))).toBe(false);
    expect(policy.allows(asked({ path: "/b" }))).toBe(true);
  });

  it.each([
    ["/api/orders", true],
    ["/api/orders/", true],
    ["/api/orders/7", true],
    ["/api/orders//7", true],
    ["/api/ordersx", false],
    ["/api", false],
    ["/API/orders", false],
    ["/api/%6frders", false],
    ["/x/../api/orders", false],
    ["api/orders", false],
  ])("takes %s for something below /api/orders: %s", async (path, expected) => {
    expect((await Policy.with({ exact: {}, prefix: { "/api/orders": [PUBLIC] } })).allows(asked({ path }))).toBe(
      expected,
    );
  });

  it.each([
    ["an exact path", { exact: { "/api/function": [POST] }, prefix: { "/": [PUBLIC] } }],
    ["a longer prefix", { exact: {}, prefix: { "/api": [POST], "/": [PUBLIC] } }],
    ["the request's host", { exact: { "/api/function": [{ ...POST, host: REQUEST.host }, PUBLIC] }, prefix: {} }],
  ])("lets the rules of %s decide alone", async (_, routes) => {
    const policy = await Policy.with(routes);
    expect(policy.allows(REQUEST)).toBe(true);
    expect(policy.allows(asked({}))).toBe(false);
  });

  it("keeps a rule to its host", async () => {
    const policy = await Policy.with({ exact: { "/": [{ ...PUBLIC, host: "a.example.com" }] }, prefix: {} });
    const hosts = ["a.example.com", "A.example.com", "a.example.com:443", "b.example.com", "", undefined];
    expect(hosts.filter((host) => policy.allows(asked({ path: "/", host })))).toEqual(["a.example.com"]);
  });
});

/** The rules once more, read as they are told rather than as they are quick to ask. */
const requestSchema = z.object({
  method: z.string(),
  path: z.string(),
  host: z.string().optional(),
  user: z.object({ role: z.string().optional(), roles: z.array(z.string()).optional() }).optional(),
  rate_limit: z.object({ remaining: z.number().positive() }),
});

function reading({ exact, prefix }: Routes, input: unknown): boolean {
  const parsed = requestSchema.safeParse(input);
  if (!parsed.success) return false;
  const { method, path, host, user } = parsed.data;
  const heard = (rules: readonly Rule[] = []) => {
    const forHost = rules.filter((rule) => rule.host !== undefined && rule.host === host);
    return forHost.length > 0 ? forHost : rules.filter((rule) => rule.host === undefined);
  };
  const prefixes = Object.entries(prefix)
    .filter(([key]) => path === key || path.startsWith(key === "/" ? "/" : `${key}/`))
    .sort(([a], [b]) => b.length - a.length)
    .map(([, rules]) => rules);
  const candidates = [new Map(Object.entries(exact)).get(path), ...prefixes].map(heard);
  const deciding = candidates.find((rules) => rules.length > 0) ?? [];
  const roles = [user?.role, ...(user?.roles ?? [])];
  return deciding.some(
    (rule) =>
      rule.methods.includes(method) &&
      (rule.public === true || (rule.roles ?? []).some((role) => roles.includes(role))),
  );
}

describe("its Wasm and a plain reading of the rules", () => {
  const segments = fc.array(fc.constantFrom("a", "a", "b", "A", "%61", ".", "..", "%2e", "%2f", ""), { maxLength: 3 });
  const paths = segments.map((parts) => `/${parts.join("/")}`);
  const host = fc.constantFrom("a.example.com", "b.example.com");
  const role = fc.constantFrom("user", "admin", "");
  const rule: fc.Arbitrary<Rule> = fc.record(
    {
      methods: fc.subarray(["GET", "POST"], { minLength: 1 }),
      roles: fc.subarray(["user", "admin"]),
      public: fc.boolean(),
      host,
    },
    { requiredKeys: ["methods"] },
  );
  const rules = fc.dictionary(paths, fc.array(rule, { maxLength: 3 }), { maxKeys: 6, noNullPrototype: true });
  const routes: fc.Arbitrary<Routes> = fc.record({ exact: rules, prefix: rules });

  /** Mostly as it should be. */
  const perhaps = (good: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 20, arbitrary: good }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
  const user = fc.record({ role: perhaps(role), roles: perhaps(fc.array(perhaps(role), { maxLength: 3 })) }, OPTIONAL);
  const remaining = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: -1, max: 20 }) },
    { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  );

  /** Requests for paths that have rules, for some below them, and for others. */
  function requests({ exact, prefix }: Routes): fc.Arbitrary<unknown> {
    const known = fc.constantFrom("/", ...Object.keys(exact), ...Object.keys(prefix));
    const below = fc.tuple(known, paths).map(([start, rest]) => start + rest);
    const parts = {
      method: perhaps(fc.constantFrom("GET", "POST")),
      path: perhaps(fc.oneof(known, known, known, below, paths, fc.string())),
      rate_limit: perhaps(fc.record({ remaining: perhaps(remaining) })),
    };
    const whole = fc.record(
      { ...parts, host: perhaps(host), user: perhaps(user) },
      { requiredKeys: ["method", "path", "rate_limit"] },
    );
    return perhaps(fc.oneof({ weight: 10, arbitrary: whole }, { weight: 1, arbitrary: fc.record(parts, OPTIONAL) }));
  }

  it("give the same answers", async () => {
    const policy = await Policy.with({ exact: {}, prefix: {} });
    const seen = { true: 0, false: 0 };
    const asked = routes.chain((data) =>
      fc.tuple(fc.constant(data), fc.array(requests(data), { minLength: 1, maxLength: 10 })),
    );
    fc.assert(
      fc.property(asked, ([data, inputs]) => {
        policy.use(data);
        for (const input of inputs) {
          const expected = reading(data, input);
          expect(policy.allows(input), JSON.stringify(input)).toBe(expected);
          seen[`${expected}`]++;
        }
      }),
      { numRuns: 1000 },
    );
    // It would prove little if hardly anything were let in.
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(100);
  });
});
