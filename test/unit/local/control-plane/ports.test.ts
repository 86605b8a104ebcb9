import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatProblem, ProblemsError } from "../../../../infra/problems";
import {
  assertFree,
  choosePorts,
  isFree,
  NAMED_PORTS,
  PORT_NAMES,
  type Ports,
} from "../../../../local/control-plane/ports";

let folder: string;
let file: string;
let servers: Server[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ports-"));
  file = join(folder, "new", "ports.json");
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  rmSync(folder, { recursive: true, force: true });
});

async function occupy(port: number): Promise<void> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((ready) => server.listen(port, "127.0.0.1", ready));
}

async function problemsOf(action: Promise<unknown>): Promise<string[]> {
  const error: unknown = await action.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ProblemsError);
  expect((error as ProblemsError).summary).toBe("The control plane cannot start");
  return (error as ProblemsError).problems.map(formatProblem);
}

describe("choosing ports", () => {
  it("takes one for each listener, distinct, free and below those of outgoing connections", async () => {
    const ports = await choosePorts(file);
    const numbers = Object.values(ports);
    expect(Object.keys(ports)).toEqual([...PORT_NAMES]);
    expect(new Set(numbers).size).toBe(PORT_NAMES.length);
    for (const [name, port] of Object.entries(ports)) {
      if (NAMED_PORTS[name as keyof Ports] === port) continue;
      expect(port).toBeGreaterThanOrEqual(20_000);
      expect(port).toBeLessThan(32_000);
    }
    expect(await Promise.all(numbers.map(isFree))).toEqual(numbers.map(() => true));
  });

  it("takes the one that the stack file names for Gatekeeper where it is free, and else another", async () => {
    const wasFree = await isFree(NAMED_PORTS.gatekeeperWebhook!);
    const { gatekeeperWebhook } = await choosePorts(file);
    expect(gatekeeperWebhook === NAMED_PORTS.gatekeeperWebhook!).toBe(wasFree);
    if (wasFree) await occupy(NAMED_PORTS.gatekeeperWebhook!);
    const other = await choosePorts(join(folder, "other", "ports.json"));
    expect(other.gatekeeperWebhook).toBeGreaterThanOrEqual(20_000);
  });

  it("keeps what was chosen once, also while something listens there", async () => {
    const ports = await choosePorts(file);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(ports);
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    await occupy(ports.etcd);
    expect(await choosePorts(file)).toEqual(ports);
  });

  it("adds one for a listener that is new, and moves no other", async () => {
    const { metricsServer, ...older } = await choosePorts(file);
    expect(metricsServer).toBeDefined();
    writeFileSync(file, JSON.stringify(older));
    const ports = await choosePorts(file);
    expect(ports).toMatchObject(older);
    expect(Object.values(older)).not.toContain(ports.metricsServer);
    expect(await choosePorts(file)).toEqual(ports);
  });

  it.each([
    "",
    "{",
    "null",
    "[20001]",
    '"text"',
    '{"etcd": "20001"}',
    '{"etcd": 0}',
    '{"etcd": 65536}',
    '{"etcd": 1.5}',
  ])("refuses a file that holds %j, and leaves it", async (content) => {
    const damaged = join(folder, "ports.json");
    writeFileSync(damaged, content);
    expect(await problemsOf(choosePorts(damaged))).toEqual([
      `${damaged}: its content: is not one port number for each process; delete it, and make up chooses new ports`,
    ]);
    expect(readFileSync(damaged, "utf8")).toBe(content);
  });
});

describe("a port that another program has taken", () => {
  it("is refused with its name, its number and how to find that program", async () => {
    const ports = await choosePorts(file);
    await occupy(ports.kubeScheduler);
    expect(await problemsOf(assertFree(ports, PORT_NAMES, file))).toEqual([taken(ports, "kubeScheduler")]);
  });

  it("is told together with every other that is taken", async () => {
    const ports = await choosePorts(file);
    await occupy(ports.kubeApiserver);
    await occupy(ports.etcd);
    expect(await problemsOf(assertFree(ports, PORT_NAMES, file))).toEqual([
      taken(ports, "kubeApiserver"),
      taken(ports, "etcd"),
    ]);
  });

  it("is no matter where nothing is to be started on it", async () => {
    const ports = await choosePorts(file);
    await occupy(ports.etcd);
    await assertFree(ports, ["kubeApiserver", "etcdPeer"], file);
    await assertFree(ports, [], file);
  });

  function taken(ports: Ports, name: keyof Ports): string {
    return `${file}: ${name}: ${ports[name]}: another program listens on this port; stop it (ss -ltnp 'sport = :${ports[name]}' names it), or delete the file, and make up chooses new ports`;
  }
});
