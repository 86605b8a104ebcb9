import { AnalyzerService } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import { AnalyzerStackConfigureRequest } from "@pulumi/pulumi/proto/analyzer_pb";
import { afterEach, describe, expect, it } from "vitest";
import { stackFacts } from "../../../../policies/stack/stack-config";
import { stackConfig } from "../../../support/rendered";

const { requestDeserialize } = AnalyzerService.configureStack;
afterEach(() => void (AnalyzerService.configureStack.requestDeserialize = requestDeserialize));

/** What the engine sends, as it arrives at the SDK's server. */
function configure(config: Readonly<Record<string, string>>, secretKeys: readonly string[]): void {
  const request = new AnalyzerStackConfigureRequest();
  request.setProject("wasm-functions");
  for (const [key, text] of Object.entries(config)) request.getConfigMap().set(key, text);
  request.setConfigSecretKeysList([...secretKeys]);
  AnalyzerService.configureStack.requestDeserialize(Buffer.from(request.serializeBinary()));
}

const OF_STACK = Object.fromEntries(
  Object.entries(stackConfig("prod")).map(([key, value]) => [
    `wasm-functions:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]),
);

describe("the stack's facts", () => {
  it("are of the config that the engine tells, and not of another's", () => {
    const facts = stackFacts();
    configure({ ...OF_STACK, "other:tenants": "[]" }, []);
    expect(facts({ hosts: 3 })).toMatchObject({
      config: { platform: { environment: "prod" }, tenants: [{ name: "shop" }] },
      secrets: [],
      settings: { hosts: 3 },
    });
  });

  it("have as secrets all that the engine keeps as such, a provider's too", () => {
    const facts = stackFacts();
    const urls = JSON.stringify({ "serverless-function": "postgres://correct-horse" });
    configure(
      { ...OF_STACK, "wasm-functions:databaseUrls": urls, "dns:token": "battery-staple", "dns:zone": "example.com" },
      ["wasm-functions:databaseUrls", "dns:token"],
    );
    expect([...new Set(facts({}).secrets)].sort()).toEqual(["battery-staple", "postgres://correct-horse"]);
  });

  it("are not made up where the engine tells none", () => {
    const facts = stackFacts();
    expect(() => facts({})).toThrow("tells policies no config");
  });
});
