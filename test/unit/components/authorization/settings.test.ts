import { describe, expect, it } from "vitest";
import { authorizerSettings } from "../../../../components/authorization/settings";
import { parseConfig } from "../../../../infra/config";
import { rawConfig } from "../../infra/support";

const CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

function budgetsOf(budgets?: Record<string, unknown>) {
  const shared = budgets && { authorization: { budgets }, budgetStore: { password: "<secret>" } };
  const { authorization, gateway, routes, functions } = parseConfig(rawConfig(shared));
  const common = { authorization, gateway, routes, functions };
  return authorizerSettings({ ...common, peers: "peers.gateway", remembered: 1000, seesAddresses: true }).budgets;
}

describe("the authorizer is told of budgets", () => {
  it("that they are divided among its replicas, unless the stack says otherwise", () => {
    expect(budgetsOf()).toEqual({ kind: "divided", peers: "peers.gateway" });
  });

  it("where they are shared, and never the password", () => {
    const common = { kind: "shared", host: "valkey.example.com", addresses: ["10.9.0.0/24"] };
    expect(budgetsOf(common)).toEqual({
      kind: "shared",
      peers: "peers.gateway",
      host: "valkey.example.com",
      port: 6379,
      prefix: "wasm-functions",
      lease: 0.1,
      passwordFile: "/run/secrets/store/password",
    });
    const more = { port: 6380, username: "authorizer", prefix: "shop-prod", lease: "5%" };
    expect(budgetsOf({ ...common, ...more, tls: true })).toMatchObject({ ...more, lease: 0.05, tls: {} });
    expect(budgetsOf({ ...common, tls: true, ca: CA })).toMatchObject({ tls: { ca: CA } });
  });
});
