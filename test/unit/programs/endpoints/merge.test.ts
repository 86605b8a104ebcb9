import { describe, expect, it } from "vitest";
import { merge, type EndpointSlice } from "../../../../programs/endpoints/merge";
import type { GatewayConfig } from "../../../../programs/endpoints/settings";

type Endpoint = NonNullable<EndpointSlice["endpoints"]>[number];

const CONFIG: GatewayConfig = {
  dynamic: {
    http: { services: { checkout: { loadBalancer: { passHostHeader: true } } } },
  },
  endpoints: { checkout: { namespace: "shop", name: "checkout", port: "http" } },
};

const ready = (...addresses: string[]): Endpoint[] =>
  addresses.map((address) => ({ addresses: [address], conditions: { ready: true, terminating: false } }));

function slice(endpoints: Endpoint[] | null, more: Partial<EndpointSlice> = {}, service = "checkout"): EndpointSlice {
  return {
    metadata: { name: `${service}-x7k2p`, namespace: "shop", labels: { "kubernetes.io/service-name": service } },
    ports: [{ name: "http", port: 8080 }],
    endpoints,
    ...more,
  };
}

/** URLs of the servers that a service of the gateway gets. */
function servers(slices: EndpointSlice[], config = CONFIG, service = "checkout"): string[] {
  const { loadBalancer } = merge(config, slices).http.services[service] as {
    loadBalancer: { servers: { url: string }[] };
  };
  return loadBalancer.servers.map(({ url }) => url);
}

describe("a service's servers", () => {
  it("are the pods that are ready, and not those that leave or are not ready yet", () => {
    expect(
      servers([
        slice([
          ...ready("10.42.0.5"),
          { addresses: ["10.42.0.6"], conditions: { ready: false } },
          { addresses: ["10.42.0.7"], conditions: { ready: false, terminating: true } },
          // Of a Service that publishes pods that are not ready.
          { addresses: ["10.42.0.8"], conditions: { ready: true, terminating: true } },
        ]),
      ]),
    ).toEqual(["http://10.42.0.5:8080"]);
  });

  it("count as ready where nothing is said, as the API has it", () => {
    expect(servers([slice([{ addresses: ["10.42.0.5"] }, { addresses: ["10.42.0.6"], conditions: {} }])])).toEqual([
      "http://10.42.0.5:8080",
      "http://10.42.0.6:8080",
    ]);
  });

  it("come from all slices of the service, each pod once though it stands in two", () => {
    expect(
      servers([slice(ready("10.42.0.5", "10.42.1.5")), slice(ready("10.42.1.5", "10.42.2.5")), slice([]), slice(null)]),
    ).toEqual(["http://10.42.0.5:8080", "http://10.42.1.5:8080", "http://10.42.2.5:8080"]);
  });

  it("have their slice's port of the name that was asked for", () => {
    const ports = [
      { name: "drain", port: 8081 },
      { name: "http", port: 9090 },
    ];
    expect(servers([slice(ready("10.42.0.5"), { ports }), slice(ready("10.42.0.6"))])).toEqual([
      "http://10.42.0.5:9090",
      "http://10.42.0.6:8080",
    ]);
  });

  it.each([
    ["has no port of that name", [{ name: "drain", port: 8081 }]],
    ["has a port of that name without a number", [{ name: "http" }]],
    ["has ports without a name", [{ port: 8080 }]],
    ["has no ports", null],
  ])("are none of a slice that %s", (_, ports) => {
    expect(servers([slice(ready("10.42.0.5"), { ports })])).toEqual([]);
  });

  it("are none of another service's, or of one of the same name in another namespace, or of nobody's", () => {
    const labels = { "kubernetes.io/service-name": "checkout" };
    expect(
      servers([
        slice(ready("10.42.0.5"), {}, "checkout-pods"),
        slice(ready("10.42.0.6"), { metadata: { name: "checkout-a", namespace: "other", labels } }),
        slice(ready("10.42.0.7"), { metadata: { name: "checkout-b", namespace: "shop" } }),
      ]),
    ).toEqual([]);
  });

  it("have an IPv6 address in brackets, and of several addresses the first", () => {
    expect(servers([slice(ready("fd00::5")), slice([{ addresses: ["10.42.0.5", "10.42.0.6"] }])])).toEqual([
      "http://10.42.0.5:8080",
      "http://[fd00::5]:8080",
    ]);
  });

  it("are none where there are no slices, and the list is there", () => {
    expect(merge(CONFIG, [])).toEqual({
      http: { services: { checkout: { loadBalancer: { passHostHeader: true, servers: [] } } } },
    });
  });

  it("come in one order, whatever that of slices and pods", () => {
    const addresses = ["10.42.0.10", "10.42.0.9", "10.42.1.1", "fd00::1"];
    const expected = servers([slice(ready(...addresses))]);
    expect(servers([...addresses].reverse().map((address) => slice(ready(address))))).toEqual(expected);
    expect(expected).toHaveLength(4);
  });
});

describe("the dynamic configuration", () => {
  const weighted = { weighted: { services: [{ name: "checkout", weight: 95 }] } };
  const config = {
    dynamic: {
      http: {
        routers: { all: { rule: "PathPrefix(`/`)", service: "split" } },
        services: { ...CONFIG.dynamic.http.services, split: weighted, other: { loadBalancer: { servers: [] } } },
      },
      tls: { certificates: [{ certFile: "/etc/traefik/tls/tls.crt" }] },
    },
    endpoints: CONFIG.endpoints,
  };

  it("is otherwise what it was: routers, TLS, and services that have no pods of their own", () => {
    expect(merge(config, [slice(ready("10.42.0.5"))])).toEqual({
      http: {
        routers: config.dynamic.http.routers,
        services: {
          checkout: { loadBalancer: { passHostHeader: true, servers: [{ url: "http://10.42.0.5:8080" }] } },
          split: weighted,
          other: { loadBalancer: { servers: [] } },
        },
      },
      tls: config.dynamic.tls,
    });
  });

  it("is made without changing what it is made from", () => {
    const before = structuredClone(config);
    merge(config, [slice(ready("10.42.0.5"))]);
    expect(config).toEqual(before);
  });
});
