import { BlockList, isIPv4 } from "node:net";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planLink } from "../../../../local/node/network";

const benchmarks = new BlockList();
benchmarks.addSubnet("198.18.0.0", 15, "ipv4");

const lastOctet = (address: string) => Number(address.split(".").pop());

describe("the link between this machine and its node", () => {
  it("follows from the node's folder, and stays as it is", () => {
    expect(planLink("/home/me/project/.local/state/node", ["10.42.0.0/16"])).toEqual({
      name: "wf4237bcef80",
      host: "198.19.233.201",
      node: "198.19.233.202",
      routes: ["10.42.0.0/16"],
    });
  });

  it("has a name and addresses that the kernel takes, of the benchmarks' network, whatever the folder", () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (folder, routes) => {
        const link = planLink(folder, routes);
        expect(link).toEqual(planLink(folder, routes));
        expect(link.routes).toEqual(routes);
        expect(link.name).toMatch(/^[a-z][a-z0-9]{0,14}$/);
        for (const address of [link.host, link.node]) {
          expect(isIPv4(address)).toBe(true);
          expect(benchmarks.check(address, "ipv4")).toBe(true);
        }
        // The two usable addresses of a /30, so that two nodes share both or none.
        expect([lastOctet(link.host) % 4, lastOctet(link.node) % 4]).toEqual([1, 2]);
        expect(link.node.replace(/\d+$/, "")).toBe(link.host.replace(/\d+$/, ""));
        expect(lastOctet(link.node)).toBe(lastOctet(link.host) + 1);
      }),
    );
  });

  it("has another name for another folder", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 2, maxLength: 50 }), (folders) => {
        expect(new Set(folders.map((folder) => planLink(folder, []).name)).size).toBe(folders.length);
      }),
    );
  });

  it("takes addresses of the whole network", () => {
    const hosts = Array.from({ length: 2000 }, (_, index) => planLink(`/clone-${index}`, []).host);
    expect(new Set(hosts.map((host) => host.split(".")[1]))).toEqual(new Set(["18", "19"]));
    expect(new Set(hosts.map((host) => host.split(".")[2])).size).toBe(256);
    // 2,000 of 32,768 pairs: a few meet by chance, as on birthdays.
    expect(new Set(hosts).size).toBeGreaterThan(1900);
  });
});
