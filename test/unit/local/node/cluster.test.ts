import { describe, expect, it } from "vitest";
import { delegatedFlags } from "../../../../local/node/cluster";

describe("the scheduler and the controller-manager of a real node's control plane", () => {
  const flags = delegatedFlags("/state/kubeconfig.yaml");

  it("ask the API server who calls and what they may", () => {
    expect(flags["authentication-kubeconfig"]).toBe("/state/kubeconfig.yaml");
    expect(flags["authorization-kubeconfig"]).toBe("/state/kubeconfig.yaml");
  });

  it("answer nobody unasked but that they are well", () => {
    expect(flags["authorization-always-allow-paths"]?.split(",").sort()).toEqual(["/healthz", "/livez", "/readyz"]);
  });
});
