import { describe, expect, it } from "vitest";
import { CommandError, run } from "../../../local/run";

async function failure(file: string, args: readonly string[], options?: Parameters<typeof run>[2]): Promise<string> {
  const error: unknown = await run(file, args, options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CommandError);
  return (error as CommandError).message;
}

const sh = (script: string, options?: Parameters<typeof run>[2]) => run("/bin/sh", ["-c", script], options);
const shFailure = (script: string, options?: Parameters<typeof run>[2]) => failure("/bin/sh", ["-c", script], options);

describe("a command that succeeds", () => {
  it("gives its standard output alone", async () => {
    expect(await sh("echo result; echo a warning >&2")).toBe("result\n");
  });

  it("gets its input, environment and folder", async () => {
    const options = { input: "given\n", env: { NAME: "value" }, cwd: "/" };
    expect(await sh('cat; echo "$NAME"; pwd', options)).toBe("given\nvalue\n/\n");
  });

  it("is in this process's group, which Ctrl-C on a terminal ends, unless it is given one of its own", async () => {
    const group = "cut -d' ' -f5 /proc/self/stat";
    const own = (await sh("cut -d' ' -f5 /proc/$$/stat; echo $$", { ownGroup: true })).trim().split("\n");
    expect(own[0]).toBe(own[1]);
    expect(await sh(group)).toBe(await run("cut", ["-d", " ", "-f5", `/proc/${process.pid}/stat`]));
  });

  it("sees the end of its input at once where it is given none", async () => {
    expect(await sh("cat")).toBe("");
  });

  it("takes megabytes of input, and may leave them unread", async () => {
    const input = "x".repeat(3_000_000);
    expect(await sh("wc -c", { input })).toMatch(/^\s*3000000\n$/);
    expect(await sh("echo done", { input })).toBe("done\n");
  });

  it("keeps characters whole that come in two pieces", async () => {
    expect(await sh("printf '\\303'; sleep 0.05; printf '\\244'")).toBe("ä");
  });
});

describe("a command that fails", () => {
  it("is named with its code and what it wrote, errors and output alike", async () => {
    expect(await shFailure("echo one; sleep 0.05; echo two >&2; exit 3")).toBe(
      "sh -c echo one; sleep 0.05; echo two >&2; exit 3 failed with code 3:\none\ntwo",
    );
  });

  it("is told with its last twelve lines", async () => {
    const [, ...lines] = (await shFailure("seq 1 40; exit 1")).split("\n");
    expect(lines).toEqual(Array.from({ length: 12 }, (_, index) => String(29 + index)));
  });

  it("is named by its first three arguments, without the folder that it lies in", async () => {
    expect(await failure("/bin/false", ["create", "cluster", "--name", "a-password"])).toBe(
      "false create cluster --name failed with code 1",
    );
  });

  it("is told by its code, not by the input that it did not read", async () => {
    expect(await shFailure("exit 4", { input: "x".repeat(3_000_000) })).toBe("sh -c exit 4 failed with code 4");
  });

  it("is told when it could not be started", async () => {
    expect(await failure("/nowhere/etcd", ["--version"])).toBe(
      "etcd --version could not run: spawn /nowhere/etcd ENOENT",
    );
  });
});

describe("a command that takes too long", () => {
  it("is ended after its time", async () => {
    const started = Date.now();
    expect(await failure("/bin/sleep", ["20"], { timeout: 50 })).toBe("sleep 20 was ended by SIGTERM");
    expect(Date.now() - started).toBeLessThan(2000);
  });

  it("is not waited for longer because a child of its own holds its output", async () => {
    const started = Date.now();
    const message = await shFailure("echo began; sleep 3 & wait", { timeout: 300 });
    expect(message).toBe("sh -c echo began; sleep 3 & wait was ended by SIGTERM:\nbegan");
    expect(Date.now() - started).toBeLessThan(2500);
  });

  it("ends when the user stops it", async () => {
    const stop = new AbortController();
    const ended = failure("/bin/sleep", ["20"], { signal: stop.signal });
    stop.abort();
    expect(await ended).toBe("sleep 20 could not run: The operation was aborted");
  });
});
