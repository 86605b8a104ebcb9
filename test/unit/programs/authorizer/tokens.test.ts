import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { Tokens } from "../../../../programs/authorizer/tokens";
import { AUDIENCE, ISSUER, makeIssuer, publishKeys, type Issuer } from "./issuer";

let issuer: Issuer;
let other: Issuer;
beforeAll(async () => {
  [issuer, other] = await Promise.all([makeIssuer(), makeIssuer("ES256", "other")]);
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const seconds = () => Math.floor(Date.now() / 1000);

describe("a token is believed", () => {
  it.each([
    ["with one role", { role: "user" }, ["user"]],
    ["with several", { role: ["user", "admin"] }, ["user", "admin"]],
    ["with none", { role: undefined }, []],
    ["with roles of which some are no texts", { role: ["user", 7, null, { role: "admin" }] }, ["user"]],
    ["with a role that would break a header", { role: ["user", "a\r\nX-Evil: 1", "a,admin"] }, ["user"]],
    ["that was made out to several audiences", { aud: ["other", AUDIENCE] }, ["user"]],
    ["that expired within the clock's tolerance", { exp: seconds() - 2 }, ["user"]],
  ])("%s", async (_, claims, roles) => {
    const tokens = new Tokens(issuer.settings, 10);
    expect(await tokens.verify(await issuer.token(claims))).toEqual({ subject: "alice", roles });
  });

  it("with roles deep in an object, where the config says so", async () => {
    const tokens = new Tokens({ ...issuer.settings, rolesClaim: "realm_access.roles" }, 10);
    const token = await issuer.token({ role: "admin", realm_access: { roles: ["user"] } });
    expect(await tokens.verify(token)).toEqual({ subject: "alice", roles: ["user"] });
  });

  it.each(["RS256", "EdDSA"])("signed by %s", async (alg) => {
    const its = await makeIssuer(alg);
    expect(await new Tokens(its.settings, 10).verify(await its.token())).toMatchObject({ subject: "alice" });
  });
});

describe("a token is refused", () => {
  const cases: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    ["that has expired", () => issuer.token({ exp: seconds() - 60 }), /has expired/],
    ["that is not valid yet", () => issuer.token({ nbf: seconds() + 60 }), /claim nbf/],
    ["without an end", () => issuer.token({ exp: undefined }), /claim exp/],
    ["of another issuer", () => issuer.token({ iss: "https://evil.example.com/" }), /claim iss/],
    ["for another audience", () => issuer.token({ aud: "payments" }), /claim aud/],
    ["without an audience", () => issuer.token({ aud: undefined }), /claim aud/],
    ["without a subject", () => issuer.token({ sub: undefined }), /claim sub/],
    [
      "whose subject would break a header",
      () => issuer.token({ sub: "a\r\nX-User-Roles: admin" }),
      /no usable subject/,
    ],
    [
      "signed by another key that goes by the same name",
      () => other.token({}, { kid: "one" }),
      /signature does not hold/,
    ],
    ["signed by a key that is not known", () => other.token(), /not known/],
    [
      "without a signature (alg none)",
      () =>
        Promise.resolve(
          `${encode({ alg: "none" })}.${encode({ iss: ISSUER, aud: AUDIENCE, sub: "alice", exp: seconds() + 60 })}.`,
        ),
      /./,
    ],
    [
      "signed with the public key as if it were a shared secret",
      () => {
        const head = encode({ alg: "HS256", kid: "one" });
        const body = encode({ iss: ISSUER, aud: AUDIENCE, sub: "alice", role: "admin", exp: seconds() + 60 });
        const pem = createPublicKey({ key: issuer.publicJwk as JsonWebKey, format: "jwk" }).export({
          type: "spki",
          format: "pem",
        });
        const signature = createHmac("sha256", pem).update(`${head}.${body}`).digest("base64url");
        return Promise.resolve(`${head}.${body}.${signature}`);
      },
      /not allowed/,
    ],
    [
      "whose claims were changed after it was signed",
      async () => {
        const [head = "", , signature = ""] = (await issuer.token()).split(".");
        return `${head}.${encode({ iss: ISSUER, aud: AUDIENCE, sub: "alice", role: "admin", exp: seconds() + 60 })}.${signature}`;
      },
      /signature does not hold/,
    ],
    ["that is no token", () => Promise.resolve("hunter2"), /malformed/],
    ["that is empty in its parts", () => Promise.resolve(".."), /malformed/],
    ["that is longer than any header", () => Promise.resolve("a".repeat(20_000)), /too long/],
  ];
  it.each(cases)("%s", async (_, make, reason) => {
    const tokens = new Tokens(issuer.settings, 10);
    const token = await make();
    await expect(tokens.verify(token)).rejects.toThrow(reason);
    expect(tokens.recall(token)).toBeUndefined();
  });
});

describe("a token that was verified", () => {
  it("is remembered until it expires, the clock's tolerance included", async () => {
    let now = Date.now();
    const tokens = new Tokens(issuer.settings, 10, () => now);
    const token = await issuer.token({ exp: Math.floor(now / 1000) + 60 });
    await tokens.verify(token);
    expect(tokens.recall(token)).toMatchObject({ subject: "alice", roles: ["user"] });
    now += 64_000;
    expect(tokens.recall(token)).toBeDefined();
    now += 2000;
    expect(tokens.recall(token)).toBeUndefined();
  });

  it("is one of no more than fit", async () => {
    const tokens = new Tokens(issuer.settings, 2);
    const all = await Promise.all(["a", "b", "c"].map((sub) => issuer.token({ sub })));
    for (const token of all) await tokens.verify(token);
    expect(all.map((token) => tokens.recall(token) !== undefined)).toEqual([false, true, true]);
  });
});

describe("keys that the issuer publishes", () => {
  it("are fetched once, and again when a token names one that is not known", async () => {
    const keys = [issuer.publicJwk];
    const published = await publishKeys(() => ({ keys }));
    try {
      const tokens = new Tokens({ ...issuer.settings, keys: { url: published.url } }, 10);
      await tokens.verify(await issuer.token({ sub: "a" }));
      await tokens.verify(await issuer.token({ sub: "b" }));
      expect(published.asked()).toBe(1);
      await expect(tokens.verify(await other.token())).rejects.toThrow(/not known/);
    } finally {
      published.server.close();
    }
  });

  it("that cannot be had are no reason to call a token wrong", async () => {
    const published = await publishKeys(() => undefined);
    try {
      const tokens = new Tokens({ ...issuer.settings, keys: { url: published.url } }, 10);
      await expect(tokens.verify(await issuer.token())).rejects.toThrow("the issuer's keys cannot be had");
    } finally {
      published.server.close();
    }
  });
});
