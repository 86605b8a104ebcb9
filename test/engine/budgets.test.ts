import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { bundle } from "../../components/bundle";
import { ensureRootFs } from "../../local/node/root-fs";
import { projectPaths } from "../../local/paths";
import { createProgress } from "../../local/progress";
import { LocalBuckets } from "../../programs/authorizer/buckets";
import type { AuthorizerSettings, StoreSettings } from "../../programs/authorizer/settings";
import { ANSWER_BOUND, SharedBuckets } from "../../programs/authorizer/shared-buckets";
import { ValkeyStore } from "../../programs/authorizer/valkey";
import { eventually } from "../support/local-stack";
import { NO_VALKEY, ValkeyServer } from "../support/valkey-server";

/** So slow that nothing comes back while a test runs. */
const SLOW = { name: "checkout", requestsPerSecond: 0.01, burst: 200 };
const FAST = { name: "orders", requestsPerSecond: 100, burst: 200 };
const LEASE = 0.1;
const POLICY = resolve(__dirname, "../../policies/authorization/policy.wasm");

/** Replicas of the authorizer on a real Valkey, Debian's. */
describe.skipIf(NO_VALKEY)("budgets that replicas share in Valkey", () => {
  /** Far less than the server is away for, on a busy machine too. */
  const NO_WAIT = 500;
  let folder: string;
  const replicas: SharedBuckets[] = [];
  const programs: ChildProcess[] = [];
  let said: string[] = [];
  let server: ValkeyServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "budgets-"));
    const options = { paths: projectPaths(resolve(__dirname, "../..")), progress: createProgress(process.stderr) };
    const rootFs = await ensureRootFs("test", options);
    const [port, tlsPort] = [await freePort(), await freePort()];
    server = new ValkeyServer(rootFs, join(folder, "valkey"), port, tlsPort);
    await server.create();
    await server.start();
  });
  afterEach(() => {
    for (const replica of replicas.splice(0)) replica.stop();
    for (const program of programs.splice(0)) program.kill("SIGKILL");
    said = [];
  });
  afterAll(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  function settings(changes: Partial<StoreSettings> & { password?: string } = {}): StoreSettings {
    const { password = server.password, ...more } = changes;
    const passwordFile = join(folder, `password-${password}`);
    writeFileSync(passwordFile, password);
    const { host, port } = server;
    // Each test has budgets of its own.
    return { host, port, passwordFile, prefix: `shop:${expect.getState().currentTestName?.length}`, ...more };
  }

  /** One of two replicas, as far as it knows while the store does not answer. */
  async function replica(store = settings()): Promise<SharedBuckets> {
    const events = {
      failed: () => undefined,
      changed: (up: boolean, reason?: string) => void said.push(up ? "up" : `down: ${reason}`),
    };
    const created = new SharedBuckets(new ValkeyStore(store), new LocalBuckets(100, () => 1 / 2), LEASE, 100, events);
    replicas.push(created);
    await created.start();
    return created;
  }

  async function passed(of: SharedBuckets, requests: number, { limit = SLOW, client = "user alice" } = {}) {
    const budgets = await Promise.all(Array.from({ length: requests }, async () => of.spend(limit, client)));
    return budgets.filter(({ remaining }) => remaining >= 1).length;
  }

  it("are exactly one budget, however requests are spread", async () => {
    const [one, other] = [await replica(), await replica()];
    expect(await passed(one, 150)).toBe(150);
    expect(await passed(other, 150)).toBe(50);
    let through = 0;
    for (let request = 0; request < 300; request++) {
      through += await passed(request % 3 === 0 ? one : other, 1, { client: "user bob" });
    }
    // At the end no lease has anything left: both were asked until they refused.
    expect(through).toBe(200);
    expect(said).toEqual(["up", "up"]);
  });

  it("come back by the rate, by the server's clock", async () => {
    const one = await replica();
    const started = performance.now();
    expect(await passed(one, 300, { limit: FAST })).toBeGreaterThanOrEqual(200);
    await sleep(500);
    await passed(one, 300, { limit: FAST });
    const other = await replica();
    await sleep(250);
    const more = await passed(other, 300, { limit: FAST });
    const elapsed = (performance.now() - started) / 1000;
    expect(more).toBeGreaterThanOrEqual(25);
    expect(more).toBeLessThanOrEqual(1 + elapsed * FAST.requestsPerSecond);
  });

  it("are keys that name no client, and are gone when a budget is full again", async () => {
    const one = await replica(settings({ prefix: "shop:keys" }));
    await passed(one, 1, { limit: { ...FAST, name: "soon", requestsPerSecond: 2000 }, client: "address 203.0.113.9" });
    await passed(one, 1, { client: "user alice" });
    const keys = await server.ask((client) => client.keys("shop:keys:*"));
    for (const key of keys) expect(key).toMatch(/^shop:keys:(?:soon|checkout|probe):[\w-]{22}$/);
    const kept = keys.filter((key) => key.startsWith("shop:keys:checkout:"));
    expect(kept.length).toBe(1);
    // A lease of 20 at 0.01 a second.
    const life = await server.ask((client) => client.pttl(kept[0]!));
    expect(life).toBeGreaterThan(1_990_000);
    expect(life).toBeLessThanOrEqual(2_000_000);
    await sleep(50);
    expect(await server.ask((client) => client.keys("shop:keys:soon:*"))).toEqual([]);
  });

  it("need no more of a user than config.md says, and come over TLS", async () => {
    const { name: username, password } = server.limited;
    const one = await replica(settings({ username, password, port: server.tlsPort, tls: { ca: server.ca } }));
    expect(await passed(one, 300)).toBe(200);
    await replica(settings({ username, password, prefix: "other" }));
    await replica(settings({ port: server.tlsPort, tls: {} }));
    expect(said[0]).toBe("up");
    expect(said[1]).toMatch(/^down: .*NOPERM/);
    expect(said[2]).toMatch(/^down: self-signed certificate/);
    expect(said.join()).not.toContain(password);
  });

  it("are divided while the server holds its answers back, and no request waits for it", async () => {
    const [one, other] = [await replica(), await replica()];
    await server.ask((client) => client.call("CLIENT", "PAUSE", "1500", "ALL"));
    const started = performance.now();
    expect(await passed(one, 300)).toBe(100);
    const took = performance.now() - started;
    expect(took).toBeGreaterThanOrEqual(ANSWER_BOUND - 2);
    expect(took).toBeLessThan(NO_WAIT);
    expect(await passed(other, 300)).toBe(100);
    expect(said.slice(2)).toEqual(Array(2).fill(`down: no answer in ${ANSWER_BOUND} ms`));
    await eventually(10, "it is used again", () => Promise.resolve([one.up, other.up]), same([true, true]));
  });

  it("are divided while the server is gone, and shared again when it is back", async () => {
    const [one, other] = [await replica(), await replica()];
    expect(await passed(one, 20)).toBe(20);
    await server.kill();
    await eventually(2, "both know", () => Promise.resolve([one.up, other.up]), same([false, false]));
    const started = performance.now();
    expect(await passed(one, 300)).toBe(100);
    expect(await passed(other, 300)).toBe(100);
    expect(performance.now() - started).toBeLessThan(NO_WAIT);

    await server.start();
    await eventually(5, "it is used again", () => Promise.resolve([one.up, other.up]), same([true, true]));
    // It has forgotten all, the script among it.
    expect(await passed(one, 150)).toBe(150);
    expect(await passed(other, 150)).toBe(50);
    expect(said.filter((line) => line === "up").length).toBe(4);
    expect(said.filter((line) => line.startsWith("down")).length).toBe(2);
  });

  it("are divided where the password is wrong, which is said once, without it", async () => {
    const one = await replica(settings({ password: "not-the-password" }));
    expect(await passed(one, 300)).toBe(100);
    await sleep(1200);
    expect(said.length).toBe(1);
    expect(said[0]).toMatch(/^down: WRONGPASS/);
    expect(said[0]).not.toContain("not-the-password");
  });

  it("are kept by the program as it is deployed, one script", async () => {
    const script = join(folder, "authorizer.js");
    writeFileSync(script, bundle("authorizer"));
    const two = [await startProgram(script, "one"), await startProgram(script, "two")];
    const statuses: number[] = [];
    for (let request = 0; request < 30; request++) {
      const { port } = two[request % 2]!;
      const response = await fetch(`http://127.0.0.1:${port}/status`, {
        headers: {
          "X-Forwarded-Method": "GET",
          "X-Forwarded-Uri": "/api/status",
          "X-Forwarded-Host": "shop.example.com",
          "X-Forwarded-For": "203.0.113.9",
        },
      });
      statuses.push(response.status);
    }
    expect(statuses.filter((status) => status === 200).length).toBe(20);
    expect(statuses.filter((status) => status === 429).length).toBe(10);
    const metrics = await (await fetch(`http://127.0.0.1:${two[0]!.adminPort}/metrics`)).text();
    expect(metrics).toContain("\nauthorizer_store_up 1\n");
    expect(metrics).toContain("\nauthorizer_store_failures_total 0\n");
    for (const { output } of two) {
      expect(output.text).toContain('"event":"store","up":true');
      expect(output.text).not.toContain(server.password);
    }
  });

  async function startProgram(script: string, name: string) {
    const [port, adminPort] = [await freePort(), await freePort()];
    const all: AuthorizerSettings = {
      port,
      adminPort,
      routes: [
        {
          name: "status",
          path: "/api/status",
          match: "exact",
          methods: ["GET"],
          public: true,
          roles: [],
          limit: { name: "status", requestsPerSecond: 0.01, burst: 20 },
        },
      ],
      trustedProxies: [],
      seesAddresses: true,
      replicas: 1,
      budgets: { kind: "shared", peers: "localhost", lease: LEASE, ...settings() },
      remembered: 100,
      logSampling: 1,
      propagation: 0,
    };
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify(all));
    const program = spawn(process.execPath, [script, file, POLICY, "127.0.0.1"], { stdio: ["ignore", "pipe", "pipe"] });
    programs.push(program);
    const output = { text: "" };
    for (const stream of [program.stdout, program.stderr]) {
      stream.on("data", (part: Buffer) => (output.text += part.toString()));
    }
    await eventually(
      20,
      `${name} serves`,
      () => Promise.resolve(output.text),
      (text) => text.includes('"started"'),
    );
    return { port, adminPort, output };
  }
});

function same(wanted: readonly boolean[]) {
  return (found: readonly boolean[]) => found.every((each, at) => each === wanted[at]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
