import { spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { LoadResult } from "../../support/load";

const REPOSITORY = resolve(__dirname, "../../..");

describe("a steady load that keeps its connections", () => {
  let server: Server;
  afterEach(() => server.close());

  async function load(rate = 50): Promise<LoadResult> {
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const script = [resolve(REPOSITORY, "test/support/load.ts"), `http://127.0.0.1:${port}/`, String(rate), "1", "8"];
    const child = spawn(process.execPath, ["--import", "tsx", ...script], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (part: Buffer) => (said += part.toString()));
    await new Promise((ended) => child.once("exit", ended));
    return JSON.parse(said) as LoadResult;
  }

  /** Answers this many requests on each connection, then ends it without a word. */
  const closing = (after: number, milliseconds = 0) => {
    const answered = new WeakMap<object, number>();
    return createServer(({ socket }, response) => {
      const before = answered.get(socket) ?? 0;
      answered.set(socket, before + 1);
      if (before >= after) socket.resetAndDestroy();
      else setTimeout(() => response.end("served"), milliseconds);
    });
  };

  it("asks once more where a kept one was closed meanwhile", async () => {
    server = closing(1);
    const { sent, statuses, failures, retried } = await load();
    expect(failures).toEqual({});
    expect(statuses).toEqual({ "200": sent });
    expect(retried).toBeGreaterThan(5);
  });

  it("does so too where requests have waited for a connection", async () => {
    // Eight connections of 100 ms each serve 80 requests/s.
    server = closing(1, 100);
    const { sent, statuses, failures, retried } = await load(150);
    expect(failures).toEqual({});
    expect(statuses).toEqual({ "200": sent });
    expect(retried).toBeGreaterThan(20);
  });

  it("counts a new one that is closed as a failure", async () => {
    server = closing(0);
    const { sent, statuses, failures, retried } = await load();
    expect(failures).toEqual({ ECONNRESET: sent });
    expect(statuses).toEqual({});
    expect(retried).toBe(0);
  });
});
