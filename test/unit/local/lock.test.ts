import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { hostname, tmpdir } from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withLock, type LockOptions } from "../../../local/lock";

let folder: string;
let file: string;
let told: string[];
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "lock-"));
  file = path.join(folder, "new", "lock");
  told = [];
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const options = (more: Partial<LockOptions> = {}): LockOptions => ({
  waitingMessage: "waiting",
  onWait: (message) => told.push(message),
  poll: 10,
  ...more,
});

function leaveLock(content: object | string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
}

const ownStart = () => fs.readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ")[19];

it("gives what the function gives, and leaves no file", async () => {
  expect(await withLock(file, options(), () => Promise.resolve(7))).toBe(7);
  expect(fs.readdirSync(path.dirname(file))).toEqual([]);
});

it("is released when the function fails", async () => {
  await expect(withLock(file, options(), () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  expect(fs.existsSync(file)).toBe(false);
});

it("lets one caller in at a time, and tells each that waits once", async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await sleep(60);
    inside--;
  };
  await Promise.all([1, 2, 3].map(() => withLock(file, options(), work)));
  expect(most).toBe(1);
  expect(told).toEqual([`waiting (process ${process.pid})`, `waiting (process ${process.pid})`]);
});

it("takes over from a process that is gone, at once", async () => {
  const child = spawn("true");
  await new Promise((resolve) => child.on("close", resolve));
  leaveLock({ pid: child.pid, started: "1", host: hostname(), token: "x" });
  await withLock(file, options(), () => Promise.resolve());
  expect(told).toEqual([]);
});

it.runIf(fs.existsSync("/proc/self/stat"))("takes over from a process whose id another one has now", async () => {
  leaveLock({ pid: process.pid, started: "1", host: hostname(), token: "x" });
  await withLock(file, options(), () => Promise.resolve());
  expect(told).toEqual([]);
});

it.each(["", "{", "null", '{"pid": "no number"}'])("takes over a lock that a crash cut off: %j", async (content) => {
  leaveLock(content);
  await withLock(file, options(), () => Promise.resolve());
});

it("waits for an owner that lives, until it is stopped", async () => {
  leaveLock({ pid: process.pid, started: ownStart(), host: hostname(), token: "x" });
  const stop = new AbortController();
  const waiting = withLock(file, options({ signal: stop.signal }), () => Promise.resolve());
  waiting.catch(() => undefined);
  await sleep(50);
  stop.abort();
  await expect(waiting).rejects.toThrow();
  expect(fs.existsSync(file)).toBe(true);
  expect(told).toHaveLength(1);
});

it("does not judge an owner on another machine, and says which file to remove", async () => {
  leaveLock({ pid: 1, started: "1", host: "elsewhere", token: "x" });
  const waiting = withLock(file, options(), () => Promise.resolve("in"));
  await sleep(50);
  expect(told).toEqual([`waiting (process 1 on elsewhere; if it is gone, remove ${file})`]);
  fs.rmSync(file);
  expect(await waiting).toBe("in");
});

it("lets one of many in after a dead owner, never two", async () => {
  leaveLock({ pid: 2 ** 22 + 1, started: "1", host: hostname(), token: "x" });
  let inside = 0;
  const work = async () => {
    expect(++inside).toBe(1);
    await sleep(2);
    inside--;
  };
  await Promise.all(Array.from({ length: 20 }, () => withLock(file, options({ poll: 1 }), work)));
});
