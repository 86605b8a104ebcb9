import { describe, expect, it } from "vitest";
import { apiServerPeers } from "../../../infra/api-server";
import { parseConfig } from "../../../infra/config";
import { existing, k3s } from "./support";

const peers = (cluster: Record<string, unknown>) => apiServerPeers(parseConfig({ cluster }));

describe("pods reach the cluster's API", () => {
  it("at the addresses of the stack's own servers, and their port alone", () => {
    expect(peers(k3s(3, 1))).toEqual({
      networks: [{ cidr: "172.20.0.1/32" }, { cidr: "172.20.0.2/32" }, { cidr: "172.20.0.3/32" }],
      ports: [6443],
    });
  });

  it("at the address by which nodes reach a server, not at the one that it is entered by", () => {
    const server = { name: "server-0", host: "bastion.example.com", address: "10.0.0.11", hostKeyUnchecked: true };
    expect(peers(k3s(0, 1, { servers: [server] })).networks).toEqual([{ cidr: "10.0.0.11/32" }]);
    const bare = { name: "server-0", host: "192.0.2.11", hostKeyUnchecked: true };
    expect(peers(k3s(0, 1, { servers: [bare] })).networks).toEqual([{ cidr: "192.0.2.11/32" }]);
  });

  it("of a cluster that somebody else made at whatever is no pod and no cloud's metadata, by the usual ports", () => {
    expect(peers(existing({ network: { podCidr: "10.244.0.0/16" } }))).toEqual({
      networks: [{ cidr: "0.0.0.0/0", except: ["10.244.0.0/16", "169.254.0.0/16"] }],
      ports: [443, 6443],
    });
  });

  it("of one that `make up` starts on any port", () => {
    expect(peers(existing({ embedded: "wasm-node" })).ports).toEqual([]);
  });
});
