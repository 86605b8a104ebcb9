import { describe, expect, it } from "vitest";
import { assertUpgradePath } from "../../../infra/upgrade-path";

describe("the way from one K3s to another", () => {
  it.each([
    ["nothing", undefined, "v1.30.4+k3s1"],
    ["the same", "v1.30.4+k3s1", "v1.30.4+k3s1"],
    ["a patch", "v1.30.4+k3s1", "v1.30.10+k3s2"],
    ["a patch back", "v1.30.4+k3s1", "v1.30.3+k3s1"],
    ["the next minor version", "v1.30.4+k3s1", "v1.31.1+k3s1"],
  ])("is there from %s", (_, from, to) => {
    expect(() => assertUpgradePath(from, to)).not.toThrow();
  });

  it("is refused where it skips a minor version, with the next one named", () => {
    expect(() => assertUpgradePath("v1.30.4+k3s1", "v1.32.0+k3s1")).toThrow(
      "cluster.version: v1.32.0+k3s1: v1.30.4+k3s1 is installed, and this skips a minor version; go by each version between: a v1.31 next",
    );
  });

  it("is refused back to an older minor version", () => {
    expect(() => assertUpgradePath("v1.30.4+k3s1", "v1.29.9+k3s1")).toThrow("restore a snapshot");
  });
});
