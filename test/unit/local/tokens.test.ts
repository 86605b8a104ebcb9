import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { tokenKeys } from "../../../infra/token-keys";
import { readStackFile } from "../../../local/engine/stack-file";
import type { Session } from "../../../local/engine/commands";
import { projectPaths, type Paths } from "../../../local/paths";
import { token } from "../../../local/tokens/command";
import { ensureTokenKeys, issueToken, tokenKeysFile, type TokenClaims } from "../../../local/tokens/keys";
import { Tokens } from "../../../programs/authorizer/tokens";
import { problemsOf } from "../infra/support";
import { recordingProgress } from "./engine/support";

let root: string;
let paths: Paths;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tokens-"));
  paths = projectPaths(root, {});
  for (const name of ["SUBJECT", "ROLE", "LIFETIME"]) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

const KEYS_FILE = ".local/state/tokens/jwks.json";
const privateFile = () => join(paths.state, "tokens", "key.pem");
const publicKeys = () => JSON.parse(readFileSync(tokenKeysFile(paths), "utf8")) as { keys: Record<string, unknown>[] };

const CLAIMS: TokenClaims = {
  issuer: "wasm-functions-local",
  audience: "shop",
  subject: "alice",
  rolesClaim: "role",
  roles: ["user"],
  lifetime: 60,
};

/** The authorizer's own verification, with the keys as the program reads them. */
function verifier(rolesClaim = "role", now?: () => number): Tokens {
  const keys = publicKeys().keys;
  const { issuer, audience } = CLAIMS;
  const settings = { issuer, audience, algorithms: ["ES256"], rolesClaim, clockToleranceSeconds: 0, keys };
  return new Tokens(settings, 10, now);
}

describe("a disposable stack's issuer", () => {
  it("has keys that are made once", async () => {
    await ensureTokenKeys(paths);
    const made = [readFileSync(privateFile(), "utf8"), readFileSync(tokenKeysFile(paths), "utf8")];
    await ensureTokenKeys(paths);
    expect([readFileSync(privateFile(), "utf8"), readFileSync(tokenKeysFile(paths), "utf8")]).toEqual(made);
  });

  it.each(["key.pem", "jwks.json"])(
    "has both made anew where %s is lost, so that they belong together",
    async (lost) => {
      await ensureTokenKeys(paths);
      rmSync(join(paths.state, "tokens", lost));
      await ensureTokenKeys(paths);
      expect(await verifier().verify(await issueToken(paths, CLAIMS))).toEqual({ subject: "alice", roles: ["user"] });
    },
  );

  it("keeps the private one for the user alone", async () => {
    await ensureTokenKeys(paths);
    expect(statSync(privateFile()).mode & 0o777).toBe(0o600);
    expect(statSync(join(paths.state, "tokens")).mode & 0o777).toBe(0o700);
    expect(readFileSync(privateFile(), "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  });

  it("publishes the public one alone, in the form that the program takes", async () => {
    await ensureTokenKeys(paths);
    expect(publicKeys()).toEqual({
      keys: [
        {
          kty: "EC",
          crv: "P-256",
          x: expect.stringMatching(/^[\w-]{43}$/) as string,
          y: expect.stringMatching(/^[\w-]{43}$/) as string,
          kid: "local",
          alg: "ES256",
          use: "sig",
        },
      ],
    });
    writeStack(AUTHORIZATION());
    expect(tokenKeys(readStackFile(root, "local").config, root, false)).toEqual(publicKeys());
  });
});

describe("its tokens", () => {
  beforeEach(() => ensureTokenKeys(paths));

  it("are believed by the authorizer, for as long as they say", async () => {
    const issued = await issueToken(paths, CLAIMS);
    expect(decodeProtectedHeader(issued)).toEqual({ alg: "ES256", kid: "local" });
    const { iat = 0, exp = 0, ...rest } = decodeJwt(issued);
    expect([rest, exp - iat]).toEqual([{ iss: "wasm-functions-local", aud: "shop", sub: "alice", role: "user" }, 60]);
    expect(await verifier().verify(issued)).toEqual({ subject: "alice", roles: ["user"] });
    const later = verifier("role", () => (exp + 1) * 1000);
    await expect(later.verify(issued)).rejects.toThrow("the token has expired");
  });

  it("are believed by no stack with other keys", async () => {
    const issued = await issueToken(paths, CLAIMS);
    rmSync(join(paths.state, "tokens"), { recursive: true });
    await ensureTokenKeys(paths);
    await expect(verifier().verify(issued)).rejects.toThrow("the token's signature does not hold");
  });

  it.each<[string, string, string[], object]>([
    ["one role as a text", "role", ["user"], { role: "user" }],
    ["several as a list", "role", ["user", "admin"], { role: ["user", "admin"] }],
    ["none as an empty list", "role", [], { role: [] }],
    ["a claim within objects", "realm_access.roles", ["user", "admin"], { realm_access: { roles: ["user", "admin"] } }],
    ["a claim far within", "a.b.c", ["user"], { a: { b: { c: "user" } } }],
  ])("have %s, where the authorizer looks for it", async (_, rolesClaim, roles, payload) => {
    const issued = await issueToken(paths, { ...CLAIMS, rolesClaim, roles });
    expect(decodeJwt(issued)).toMatchObject(payload);
    expect(await verifier(rolesClaim).verify(issued)).toEqual({ subject: "alice", roles });
  });
});

function writeStack(more = "", cluster = "embedded: simulated-nodes, kubeconfig: .local/kubeconfig", stack = "local") {
  writeFileSync(
    join(root, `Pulumi.${stack}.yaml`),
    `config:\n  wasm-functions:cluster: { kind: existing, ${cluster} }\n${more}`,
  );
}

const AUTHORIZATION = (more = `keysFile: ${KEYS_FILE}`) =>
  `  wasm-functions:authorization:\n    jwt: { issuer: wasm-functions-local, audience: shop, ${more} }\n`;

/** What `make token` prints, a line each. */
async function makeToken(stack = "local"): Promise<string[]> {
  const printed: string[] = [];
  const { signal } = new AbortController();
  const session: Session = {
    ...{ paths, signal, engineSignal: signal },
    progress: recordingProgress(),
    print: (text) => void printed.push(text),
  };
  await token(session, stack);
  return printed;
}

/** What it is refused for; nothing is printed then. */
async function refusals(stack = "local"): Promise<string[]> {
  const failure: unknown = await makeToken(stack).then(
    (printed) => new Error(`printed ${printed.length} lines`),
    (error: unknown) => error,
  );
  return problemsOf(() => {
    throw failure;
  });
}

describe("make token", () => {
  beforeEach(async () => {
    writeStack(AUTHORIZATION());
    await ensureTokenKeys(paths);
  });

  it("prints a token of alice's, a user, for an hour, and nothing else", async () => {
    const [issued = "", ...rest] = await makeToken();
    expect(rest).toEqual([]);
    const { iat = 0, exp = 0 } = decodeJwt(issued);
    expect(exp - iat).toBe(3600);
    expect(await verifier().verify(issued)).toEqual({ subject: "alice", roles: ["user"] });
  });

  it("takes user, roles with commas, and lifetime from the environment", async () => {
    vi.stubEnv("SUBJECT", "bob");
    vi.stubEnv("ROLE", "user, admin,,");
    vi.stubEnv("LIFETIME", "90s");
    const [issued = ""] = await makeToken();
    const { iat = 0, exp = 0 } = decodeJwt(issued);
    expect(exp - iat).toBe(90);
    expect(await verifier().verify(issued)).toEqual({ subject: "bob", roles: ["user", "admin"] });
  });

  it("takes what is set to nothing as not set, as make hands it on", async () => {
    for (const name of ["SUBJECT", "ROLE", "LIFETIME"]) vi.stubEnv(name, "");
    const [issued = ""] = await makeToken();
    expect(await verifier().verify(issued)).toEqual({ subject: "alice", roles: ["user"] });
  });

  it("puts roles where the stack's config has them", async () => {
    writeStack(AUTHORIZATION(`rolesClaim: realm_access.roles, keysFile: ${KEYS_FILE}`));
    const [issued = ""] = await makeToken();
    expect(decodeJwt(issued)).toMatchObject({ realm_access: { roles: "user" } });
    expect(await verifier("realm_access.roles").verify(issued)).toEqual({ subject: "alice", roles: ["user"] });
  });

  it.each([
    ["a cluster of somebody else's", () => writeStack(AUTHORIZATION(), "kubeconfig: kubeconfig.yaml")],
    ["no issuer", () => writeStack()],
    [
      "another issuer's published keys",
      () => writeStack(AUTHORIZATION("keysUrl: https://id.example.com/keys, keysAddresses: [198.51.100.20/32]")),
    ],
  ])("is refused of a stack with %s", async (_, write) => {
    write();
    expect(await refusals()).toEqual(["STACK: local: its tokens are issued by somebody else; ask that issuer for one"]);
  });

  it("is refused of a stack that is not up", async () => {
    rmSync(join(paths.state, "tokens"), { recursive: true });
    expect(await refusals()).toEqual(["STACK: local: is not up, so it has no keys; make up STACK=local"]);
  });

  it("is refused of a stack that is not there", async () => {
    expect(await refusals("prod")).toEqual(["STACK: prod: Pulumi.prod.yaml does not exist; use one of local"]);
  });

  it.each(["1", "an hour", "-1h", "0s", "999ms", "25h", "86401s"])("refuses the lifetime %s", async (lifetime) => {
    vi.stubEnv("LIFETIME", lifetime);
    expect(await refusals()).toEqual([`LIFETIME: ${lifetime}: must be a duration from 1s to 24h; write it as "1h"`]);
  });

  it.each([
    ["1s", 1],
    ["1500ms", 1],
    ["24h", 86_400],
  ])("takes the lifetime %s", async (lifetime, seconds) => {
    vi.stubEnv("LIFETIME", lifetime);
    const { iat = 0, exp = 0 } = decodeJwt((await makeToken())[0]!);
    expect(exp - iat).toBe(seconds);
  });
});
