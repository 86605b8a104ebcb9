import { describe, expect, it } from "vitest";
import { isExperimental, parseStatus } from "../../../../local/hosts/encryption-key";
import { parseSnapshots } from "../../../../local/hosts/snapshots";

describe("how K3s tells that it encrypts secrets", () => {
  // As its documentation has it.
  const HEADS = "Active  Key Type  Name\n------  --------  ----\n";

  it("before the first rotation", () => {
    const text = `Encryption Status: Enabled\nCurrent Rotation Stage: start\nServer Encryption Hashes: All hashes match\n\n${HEADS} *      AES-CBC   aescbckey\n\n`;
    expect(parseStatus(text)).toEqual({ enabled: true, stage: "start", alike: true, active: "aescbckey" });
  });

  it("while servers work by different keys", () => {
    const text = `Encryption Status: Enabled\nCurrent Rotation Stage: reencrypt_finished\nServer Encryption Hashes: hash does not match between node-1 and node-2\n\n${HEADS} *      AES-CBC   aescbckey-2021-12-10T22:54:38Z\n        AES-CBC   aescbckey\n\n`;
    expect(parseStatus(text)).toEqual({
      enabled: true,
      stage: "reencrypt_finished",
      alike: false,
      active: "aescbckey-2021-12-10T22:54:38Z",
    });
  });

  it("where it does not", () => {
    expect(parseStatus("Encryption Status: Disabled, no configuration file found\n").enabled).toBe(false);
    expect(parseStatus("").enabled).toBe(false);
  });
});

it("snapshots are told a line each, and none by nothing", () => {
  expect(
    parseSnapshots(
      "on-demand-server-1-17\t5062688\t2026-01-02T03:04:05\netcd-snapshot-server-1-16.zip\t1\t2026-01-01T00:00:00\n",
    ),
  ).toEqual([
    { name: "on-demand-server-1-17", bytes: 5062688, taken: "2026-01-02T03:04:05" },
    { name: "etcd-snapshot-server-1-16.zip", bytes: 1, taken: "2026-01-01T00:00:00" },
  ]);
  expect(parseSnapshots("")).toEqual([]);
});

it.each([
  ["v1.30.4+k3s1", true],
  ["v1.30.5+k3s1", false],
  ["v1.31.0+k3s1", true],
  ["v1.31.1+k3s1", false],
  ["v1.32.0+k3s1", false],
])("K3s %s has the rotation of keys as an experiment: %s", (version, is) => {
  expect(isExperimental(version)).toBe(is);
});
