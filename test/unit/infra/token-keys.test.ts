import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { exportJWK, generateKeyPair } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseConfig } from "../../../infra/config";
import { tokenKeys } from "../../../infra/token-keys";
import { rawConfig } from "./support";

const PUBLIC = { kty: "EC", crv: "P-256", x: "abc", y: "def", kid: "one" };

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), "token-keys-"))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (value: unknown) =>
  writeFileSync(join(root, "keys.json"), typeof value === "string" ? value : JSON.stringify(value));

/** Of a stack whose issuer's keys are to be had so. */
const stack = (keys: Record<string, unknown>) =>
  parseConfig(rawConfig({ authorization: { jwt: { issuer: "https://id.example.com/", audience: "shop", ...keys } } }));
const inFile = stack({ keysFile: "keys.json" });

function refusal(): string {
  try {
    tokenKeys(inFile, root, false);
  } catch (error) {
    // The kind of error that Pulumi shows without a stack.
    expect(error).toBeInstanceOf(pulumi.RunError);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe("the issuer's keys", () => {
  it("are those of the file, which is looked for from the project's folder", () => {
    write({ keys: [PUBLIC, { ...PUBLIC, kid: "two" }] });
    expect(tokenKeys(inFile, root, false)).toEqual({ keys: [PUBLIC, { ...PUBLIC, kid: "two" }] });
    expect(tokenKeys(stack({ keysFile: join(root, "keys.json") }), "/", false)).toEqual({
      keys: [PUBLIC, { ...PUBLIC, kid: "two" }],
    });
  });

  it.each([
    ["are in the config", stack({ keys: [PUBLIC] })],
    ["are published", stack({ keysUrl: "https://id.example.com/jwks.json", keysAddresses: ["198.51.100.20/32"] })],
    ["are not needed", parseConfig(rawConfig())],
  ])("are not looked for where they %s", (_, config) => {
    expect(tokenKeys(config, root, false)).toEqual({ keys: undefined });
  });

  it("have to be there for an `up`", () => {
    expect(refusal()).toBe(
      `authorization.jwt.keysFile: ${join(root, "keys.json")}: is not there; correct the path (for a cluster that \`make up\` starts, it writes it)`,
    );
  });

  it("need not be there for a preview, which says so", () => {
    expect(tokenKeys(inFile, root, true)).toEqual({
      keys: [],
      warning: `authorization.jwt.keysFile: ${join(root, "keys.json")}: is not there; correct the path (for a cluster that \`make up\` starts, it writes it). Previewed without keys`,
    });
  });

  it.each<[string, unknown]>([
    ["no JSON", "-----BEGIN PUBLIC KEY-----"],
    ["null", "null"],
    ["one key alone", PUBLIC],
    ["no keys", { keys: [] }],
    ["keys that are no list", { keys: PUBLIC }],
    ["a key that is nothing", { keys: [null] }],
    ["a key that is a text", { keys: ["abc"] }],
    ["a key without its type", { keys: [{ ...PUBLIC, kty: undefined }] }],
    ["a shared secret", { keys: [{ kty: "oct", k: "aHVudGVyMg" }] }],
  ])("are refused of a file that holds %s", (_, content) => {
    write(content);
    expect(refusal()).toBe(
      `authorization.jwt.keysFile: ${join(root, "keys.json")}: must be a JSON Web Key Set of public keys: {"keys": [...]}`,
    );
  });

  it.each(["ES256", "RS256", "EdDSA"])("are never a private one, which is not told: %s", async (algorithm) => {
    const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const jwk = await exportJWK(privateKey);
    write({ keys: [PUBLIC, jwk] });
    const message = refusal();
    expect(message).toContain("must be a JSON Web Key Set of public keys");
    expect(message).not.toContain(jwk.d);
  });
});
