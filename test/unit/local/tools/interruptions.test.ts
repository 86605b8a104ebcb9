import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TOOL_RELEASES } from "../../../../infra/versions";
import { ensureTools, prepareTools } from "../../../../local/tools/resolve";
import { createPublisher, createWorkshop, UNREACHABLE, type Workshop } from "../../../support/tool-workshop";

const ROOT = path.resolve(__dirname, "../../../..");

let shop: Workshop;
beforeEach(() => void (shop = createWorkshop()));
afterEach(() => shop.remove());

const stagingFolders = () => {
  const folder = path.join(shop.paths.cache, "tmp");
  return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
};

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await sleep(25);
  expect(condition()).toBe(true);
}

const pidsFile = () => path.join(shop.folder, "builds.log.pids");
const buildStarted = () => fs.existsSync(pidsFile()) && fs.readFileSync(pidsFile(), "utf8").endsWith("\n");
const buildPids = () => fs.readFileSync(pidsFile(), "utf8").trim().split(" ").map(Number);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that nobody has waited for yet has ended all the same.
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** A run in a process of its own. */
function run(names: string[], env: NodeJS.ProcessEnv, hosts: object = UNREACHABLE, limit = "") {
  const script = path.join(ROOT, "test", "support", "run-tools.ts");
  const args = [process.execPath, "--import", "tsx", script, shop.folder, JSON.stringify(hosts), ...names];
  const child: ChildProcess = spawn("/bin/sh", ["-c", `${limit} exec "$@"`, "sh", ...args], { cwd: ROOT, env });
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = new Promise<typeof output>((resolve) => child.on("close", () => resolve(output)));
  return { child, output, ended };
}

describe("an interrupted build", () => {
  it("ends with all its processes when it is stopped, and leaves nothing", async () => {
    const stop = new AbortController();
    const env = { ...shop.env, FAKE_GO: "hang" };
    const building = prepareTools(["etcd"], shop.options({ env, signal: stop.signal }));
    building.catch(() => undefined);
    await until(buildStarted);
    stop.abort(new Error("stopped by the user"));
    await expect(building).rejects.toThrow("stopped by the user");
    await until(() => !buildPids().some(isRunning));
    expect(stagingFolders()).toEqual([]);
    expect(shop.told()).toContain("✗ etcd 3.6.16: stopped in");
  });

  it("of a killed run is never used: the next run takes over its lock, cleans up and builds", async () => {
    const { child, ended } = run(["etcd"], { ...shop.env, FAKE_GO: "hang" });
    await until(buildStarted);
    child.kill("SIGKILL");
    await ended;
    expect(stagingFolders()).toHaveLength(1);
    expect(fs.existsSync(path.join(shop.paths.cache, "lock"))).toBe(true);
    buildPids()
      .filter(isRunning)
      .forEach((pid) => process.kill(pid, "SIGKILL"));

    const tools = await ensureTools(["etcd"], shop.options());
    expect(fs.readFileSync(tools.etcd, "utf8")).toContain("etcd Version");
    expect(stagingFolders()).toEqual([]);
  });

  it("is resumed: what was ready before is not made again", async () => {
    await prepareTools(["etcd"], shop.options());
    const failing = { ...shop.env, FAKE_GO: "fail" };
    await expect(prepareTools(["etcd", "kwok"], shop.options({ env: failing }))).rejects.toThrow("kwok");
    const ready = await prepareTools(["etcd", "kwok"], shop.options());
    expect(ready.map(({ source }) => source)).toEqual(["cache", "build"]);
  });
});

it("two runs at once build once: the second waits, says so, and finds everything", async () => {
  const gate = path.join(shop.folder, "gate");
  const env = { ...shop.env, FAKE_GO_GATE: gate };
  const builder = run(["etcd"], env);
  await until(() => shop.builds().length === 1);
  const waiter = run(["etcd"], env);
  await until(() => waiter.output.stderr.includes("waiting for it"));
  fs.writeFileSync(gate, "");
  const [first, second] = await Promise.all([builder.ended, waiter.ended]);
  expect(shop.builds()).toHaveLength(1);
  const sources = [first, second].map(({ stdout }) => (JSON.parse(stdout) as { source: string }[])[0]?.source);
  expect(sources).toEqual(["build", "cache"]);
  expect(second.stderr.match(/another run is making tools ready: waiting for it \(process \d+\)/g)).toHaveLength(1);
});

describe("a full disk", () => {
  const message = /no room while .*: .* are free; .*WASM_FUNCTIONS_CACHE, and run again: what is ready is kept/;

  it("during a build is one clear error that stops everything", async () => {
    const env = { ...shop.env, FAKE_GO: "full" };
    const error = await prepareTools(["etcd", "kwok"], shop.options({ env })).catch((reason: unknown) => reason);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain("building etcd 3.6.16");
    expect(shop.builds()).toHaveLength(1);
    expect(stagingFolders()).toEqual([]);
  });

  // The limit for one file stands in for a full disk, which needs root to make: the write fails in the same place.
  it.runIf(process.platform === "linux")("during a download is one clear error", async () => {
    const content = Buffer.alloc(4_000_000, "x");
    const publisher = await createPublisher((request, response) => {
      const isSum = request.url?.endsWith(".sha256");
      response.end(isSum ? createHash("sha256").update(content).digest("hex") : content);
    });
    const { stderr } = await run(["kubectl"], shop.env, publisher.urls, "ulimit -f 200;").ended;
    await publisher.close();
    expect(publisher.requests).toContain(TOOL_RELEASES.kubectl.path(process.arch === "x64" ? "amd64" : "arm64"));
    expect(stderr).toMatch(message);
    expect(shop.builds()).toEqual([]);
    expect(stagingFolders()).toEqual([]);
  });
});

describe("a cache that cannot be written", () => {
  it("is one clear error that names the folder and how to move it", async () => {
    fs.mkdirSync(path.dirname(shop.paths.cache), { recursive: true });
    // A file in its place refuses also those whom no permission stops.
    fs.writeFileSync(shop.paths.cache, "");
    await expect(prepareTools(["etcd"], shop.options())).rejects.toThrow(
      /\.local\/cache.*: cannot be written \(E\w+\): .*WASM_FUNCTIONS_CACHE/,
    );
  });
});
