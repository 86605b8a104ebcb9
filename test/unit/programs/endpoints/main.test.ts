import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bundle } from "../../../../components/bundle";
import { FakeApi, type FakeObject } from "./fake-api";

const CONFIG_MAPS = "/api/v1/namespaces/gateway/configmaps";
const slicesOf = (namespace: string) => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
const SOON = { timeout: 10_000, interval: 20 };
/** Longer than it lets changes settle. */
const SETTLED = 600;

let folder: string;
let api: FakeApi;
let helper: ChildProcess | undefined;
let health: number;
let logged: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "endpoints-"));
  for (const name of ["dynamic", "certificates"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "endpoints.js"), bundle("endpoints"));
  api = await FakeApi.start(folder);
  health = await freePort();
  logged = "";
});
afterEach(async () => {
  if (helper?.exitCode === null) {
    helper.kill("SIGKILL");
    await once(helper, "exit");
  }
  helper = undefined;
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The program as the pod has it: one script under Node. */
function start(): void {
  const child = spawn(process.execPath, [join(folder, "endpoints.js")], {
    env: {
      GATEWAY_NAMESPACE: "gateway",
      GATEWAY_CONFIG_MAP: "gateway-routes",
      DYNAMIC_FOLDER: join(folder, "dynamic"),
      CERTIFICATES_FOLDER: join(folder, "certificates"),
      HEALTH_PORT: String(health),
      CREDENTIALS_FOLDER: api.account,
      KUBERNETES_SERVICE_HOST: api.credentials.host,
      KUBERNETES_SERVICE_PORT: String(api.credentials.port),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (logged += String(part)));
  helper = child;
}

/** Events of its log, a line each. */
const events = () =>
  logged
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { event: string; reason?: string });

const status = () =>
  fetch(`http://127.0.0.1:${health}/`).then(
    (response) => response.status,
    () => "no answer",
  );

const dynamicFile = () => join(folder, "dynamic", "dynamic.yaml");

/** Servers of each service, as the gateway would read them. */
function written(): Record<string, string[]> | undefined {
  if (!existsSync(dynamicFile())) return undefined;
  const { http } = JSON.parse(readFileSync(dynamicFile(), "utf8")) as {
    http: { services: Record<string, { loadBalancer: { servers: { url: string }[] } }> };
  };
  return Object.fromEntries(
    Object.entries(http.services).map(([name, { loadBalancer }]) => [name, loadBalancer.servers.map(({ url }) => url)]),
  );
}

/** A file that was replaced is another one, though it holds the same. */
const fileId = () => statSync(dynamicFile()).ino;

/** The ConfigMap of routes to functions, each in the namespace named. */
function routes(namespaces: Readonly<Record<string, string>>): FakeObject {
  const names = Object.keys(namespaces);
  return configMap(
    JSON.stringify({
      dynamic: { http: { services: Object.fromEntries(names.map((name) => [name, { loadBalancer: {} }])) } },
      endpoints: Object.fromEntries(
        Object.entries(namespaces).map(([name, namespace]) => [name, { namespace, name, port: "http" }]),
      ),
    }),
  );
}

function configMap(text: string | undefined): FakeObject {
  const data = text === undefined ? {} : { data: { "gateway.json": text } };
  return { metadata: { name: "gateway-routes", resourceVersion: "7" }, ...data };
}

function slice(service: string, namespace: string, ...addresses: string[]): FakeObject {
  return {
    metadata: {
      name: `${service}-x7k2p`,
      ...{ namespace, resourceVersion: "7", labels: { "kubernetes.io/service-name": service } },
    },
    ports: [{ name: "http", port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, SETTLED));

/** Running with one function of one pod. */
async function running(): Promise<void> {
  api.list(CONFIG_MAPS, [routes({ checkout: "shop" })], "7");
  api.list(slicesOf("shop"), [slice("checkout", "shop", "10.42.0.5")], "7");
  start();
  await expect.poll(written, SOON).toEqual({ checkout: ["http://10.42.0.5:8080"] });
  await expect.poll(() => api.watching(CONFIG_MAPS) + api.watching(slicesOf("shop")), SOON).toBe(2);
}

describe("the gateway's helper", () => {
  it("writes the gateway's file when the routes and all namespaces' pods are known, and is healthy from then on", async () => {
    api.list(CONFIG_MAPS, [routes({ checkout: "shop", ledger: "bank" })], "7");
    api.list(slicesOf("shop"), [slice("checkout", "shop", "10.42.0.5")], "7");
    api.refuse(slicesOf("bank"), 503);
    start();
    await expect.poll(() => api.watching(slicesOf("shop")), SOON).toBe(1);
    await settled();
    expect([await status(), written()]).toEqual([503, undefined]);

    api.list(slicesOf("bank"), [slice("ledger", "bank", "10.42.1.5")], "7");
    await expect.poll(written, SOON).toEqual({
      checkout: ["http://10.42.0.5:8080"],
      ledger: ["http://10.42.1.5:8080"],
    });
    expect(await status()).toBe(200);
    expect(statSync(dynamicFile()).mode & 0o777).toBe(0o640);
    expect(api.queries(CONFIG_MAPS, "list")[0]).toEqual({ fieldSelector: "metadata.name=gateway-routes" });
    expect(events().map(({ event }) => event)).toContain("first configuration written");
    expect(logged).not.toContain("first-token");
  });

  it("waits for a ConfigMap that is not there yet, and for one that is empty", async () => {
    api.list(CONFIG_MAPS, [], "7");
    start();
    await expect.poll(() => api.watching(CONFIG_MAPS), SOON).toBe(1);
    api.event(CONFIG_MAPS, "ADDED", configMap(undefined));
    await settled();
    expect([await status(), written()]).toEqual([503, undefined]);
    api.list(slicesOf("shop"), [], "7");
    api.event(CONFIG_MAPS, "MODIFIED", routes({ checkout: "shop" }));
    await expect.poll(written, SOON).toEqual({ checkout: [] });
  });

  it("takes over other pods and other routes, and keeps what is there until a new namespace's pods are known", async () => {
    await running();
    api.event(slicesOf("shop"), "MODIFIED", slice("checkout", "shop", "10.42.0.6", "10.42.0.7"));
    const before = { checkout: ["http://10.42.0.6:8080", "http://10.42.0.7:8080"] };
    await expect.poll(written, SOON).toEqual(before);

    api.event(CONFIG_MAPS, "MODIFIED", routes({ checkout: "shop", ledger: "bank" }));
    await expect.poll(() => api.queries(slicesOf("bank"), "list").length, SOON).toBe(1);
    await settled();
    expect(written()).toEqual(before);
    api.list(slicesOf("bank"), [slice("ledger", "bank", "10.42.1.5")], "7");
    await expect.poll(written, SOON).toEqual({ ...before, ledger: ["http://10.42.1.5:8080"] });
  });

  it("is not held up by a namespace that no route leads to any more", async () => {
    await running();
    api.event(CONFIG_MAPS, "MODIFIED", routes({ checkout: "shop", ledger: "forbidden" }));
    await expect.poll(() => api.queries(slicesOf("forbidden"), "list").length, SOON).toBe(1);
    api.event(CONFIG_MAPS, "MODIFIED", routes({ checkout: "shop", cart: "shop" }));
    await expect.poll(written, SOON).toEqual({ checkout: ["http://10.42.0.5:8080"], cart: [] });
  });

  it.each([
    ["is broken JSON", '{"dynamic": {'],
    ["is of another form", "{}"],
    ["is nothing", "null"],
    ["has routes alone", '{"dynamic":{"http":{"services":{}}}}'],
  ])("lets the last configuration stand while the ConfigMap %s, and lives", async (_, text) => {
    await running();
    api.event(CONFIG_MAPS, "MODIFIED", configMap(text));
    await expect.poll(() => events().at(-1)?.event, SOON).toBe("the ConfigMap cannot be read");
    // Pods are followed as before.
    api.event(slicesOf("shop"), "MODIFIED", slice("checkout", "shop", "10.42.0.6"));
    await expect.poll(written, SOON).toEqual({ checkout: ["http://10.42.0.6:8080"] });
    expect([helper?.exitCode, await status()]).toEqual([null, 200]);
    api.event(CONFIG_MAPS, "MODIFIED", routes({ checkout: "shop", cart: "shop" }));
    await expect.poll(written, SOON).toEqual({ checkout: ["http://10.42.0.6:8080"], cart: [] });
  });

  it("lets it stand when the ConfigMap is deleted, and while the API is down", async () => {
    await running();
    api.event(CONFIG_MAPS, "DELETED", routes({ checkout: "shop" }));
    await api.close();
    await expect.poll(() => events().at(-1)?.event, SOON).toBe("the API cannot be reached");
    await settled();
    expect([await status(), written()]).toEqual([200, { checkout: ["http://10.42.0.5:8080"] }]);
    api.list(slicesOf("shop"), [slice("checkout", "shop", "10.42.0.6")], "9");
    await api.listen();
    await expect.poll(written, SOON).toEqual({ checkout: ["http://10.42.0.6:8080"] });
  });

  it("writes the file anew when the certificate is another one, and else only when something changed", async () => {
    writeFileSync(join(folder, "certificates", "tls.crt"), "first");
    writeFileSync(join(folder, "certificates", "tls.key"), "first");
    await running();
    const first = fileId();
    api.event(slicesOf("shop"), "MODIFIED", slice("checkout", "shop", "10.42.0.5"));
    writeFileSync(join(folder, "certificates", "ca.crt"), "nothing that it serves with");
    await settled();
    expect(fileId()).toBe(first);
    // Looked for every ten seconds.
    writeFileSync(join(folder, "certificates", "tls.crt"), "second");
    await expect.poll(fileId, { timeout: 20_000, interval: 50 }).not.toBe(first);
    expect(written()).toEqual({ checkout: ["http://10.42.0.5:8080"] });
  }, 40_000);

  it("goes at once when it is told to", async () => {
    await running();
    helper?.kill("SIGTERM");
    await expect.poll(() => helper?.exitCode, SOON).toBe(0);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
