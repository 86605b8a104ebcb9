import { createServer, type Server, type ServerResponse, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { loadDriver } from "../../../../local/surge/load/driver";
import { LoadGenerator } from "../../../../local/surge/load/generator";
import type { LoadReport, LoadTarget } from "../../../../local/surge/load/messages";
import { CONFIG } from "./support";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server | undefined;
let load: LoadGenerator | undefined;
afterEach(() => {
  load?.close();
  server?.closeAllConnections();
  server?.close();
});

/** A server of this process's own. */
async function targetOf(handler: Handler): Promise<LoadTarget> {
  server = createServer(handler);
  await new Promise<void>((listening) => server!.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, connections: 4, waiting: 100 };
}

/** A load on it. */
async function against(handler: Handler, more: { readonly waiting?: number } = {}): Promise<LoadGenerator> {
  load = new LoadGenerator({ ...(await targetOf(handler)), ...more });
  return load;
}

/** Follows a rate until so many were due, then stops and waits for the answers. */
async function ask(generator: LoadGenerator, rate: number, requests: number): Promise<LoadReport> {
  generator.follow(rate, "scaled out");
  await sleep((requests / rate) * 1000);
  const first = generator.follow(0, "scaled out");
  let all = first;
  while (all.waiting > 0) {
    await sleep(10);
    const more = generator.follow(0, "scaled out");
    const { seconds, due, unsent } = first;
    const [statuses, unanswered] = [sum(all.statuses, more.statuses), sum(all.unanswered, more.unanswered)];
    all = { ...more, seconds, due, unsent, again: all.again + more.again, statuses, unanswered };
  }
  return all;
}

type Counts = Readonly<Record<string, number>>;

function sum(one: Counts, other: Counts): Counts {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries([...names].map((name) => [name, (one[name] ?? 0) + (other[name] ?? 0)]));
}

const total = (counts: Counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);

describe("a load", () => {
  it("asks as often as it is told, each time as the next user, and tells what it was answered", async () => {
    const users: (string | undefined)[] = [];
    const sockets = new Set<unknown>();
    const generator = await against((request, response) => {
      users.push(request.headers.authorization);
      sockets.add(request.socket);
      response.statusCode = users.length % 10 === 0 ? 503 : 200;
      response.end("answer");
    });
    generator.use(["a", "b"]);
    const { seconds, due, statuses, unanswered, unsent, phases } = await ask(generator, 200, 100);
    expect(due).toBe(users.length);
    // To a request: what is left of one is asked for in the next round.
    expect(Math.abs(due - 200 * seconds)).toBeLessThanOrEqual(1);
    expect([total(statuses), unanswered, unsent]).toEqual([due, {}, 0]);
    expect(statuses["503"]).toBe(Math.floor(due / 10));
    const of = (user: string) => users.filter((name) => name === `Bearer ${user}`).length;
    expect([of("a"), of("b")]).toEqual([Math.ceil(due / 2), Math.floor(due / 2)]);
    expect(sockets.size).toBeLessThanOrEqual(4);
    // Only of what was served.
    expect(phases["scaled out"]?.count).toBe(statuses["200"]);
    expect(phases.quiet).toBeUndefined();
  });

  it("measures from when a request is due, by what the pods were about", async () => {
    const generator = await against((_, response) => void setTimeout(() => response.end(), 30));
    const { phases } = await ask(generator, 100, 20);
    const { p50, p99, p999, most } = phases["scaled out"]!;
    expect(p50).toBeGreaterThanOrEqual(29);
    expect([p50 <= p99, p99 <= p999, p999 <= most]).toEqual([true, true, true]);
  });

  it("lets no more than so many wait, and counts what it did not send", async () => {
    let open = 0;
    let most = 0;
    const generator = await against(
      (_, response) => {
        most = Math.max(most, ++open);
        response.on("close", () => open--);
      },
      { waiting: 3 },
    );
    generator.follow(500, "scaling out");
    await sleep(200);
    const { due, unsent, waiting } = generator.follow(0, "scaling out");
    expect([waiting, most]).toEqual([3, 3]);
    expect(unsent).toBe(due - 3);
    expect(unsent).toBeGreaterThan(50);
  });

  it("asks once more where a kept connection was closed under it, and tells what was never answered", async () => {
    const served = new WeakMap<object, number>();
    const generator = await against((request, response) => {
      const times = (served.get(request.socket) ?? 0) + 1;
      served.set(request.socket, times);
      // Every second request on a connection finds it closed.
      if (times === 2) request.socket.destroy();
      else response.end();
    });
    const { due, statuses, unanswered, again } = await ask(generator, 100, 40);
    expect(again).toBeGreaterThan(5);
    expect([statuses["200"], unanswered]).toEqual([due, {}]);
    server!.closeAllConnections();
    server!.close();
    const after = await ask(generator, 100, 10);
    expect([total(after.statuses), after.unanswered["ECONNREFUSED"]]).toEqual([0, after.due]);
  });
});

it("counts the time that a client was late to ask", async () => {
  const generator = await against((_, response) => void response.end());
  generator.follow(100, "scaled out");
  await sleep(50);
  // Nothing is sent meanwhile, of which all is due.
  for (const until = performance.now() + 500; performance.now() < until;);
  await sleep(100);
  expect(generator.follow(0, "scaled out").latency!.p99).toBeGreaterThan(400);
});

it("rests between two times that it is asked, in a process of its own, until it is told to end", async () => {
  let requests = 0;
  const target = await targetOf((_, response) => {
    requests += 1;
    response.end();
  });
  const [fn] = CONFIG.functions;
  const driver = loadDriver({ fn: fn!, target, tokens: () => Promise.resolve(["a"]) });
  const asked = (rate: number) => driver.set({ load: rate, ready: 2, phase: "scaling out" });
  try {
    await driver.restore();
    // What is seen first is of no time: what was to be sent is what is told.
    expect(await asked(200)).toMatchObject({ load: 200, served: 0, shed: 0 });
    await sleep(500);
    const { served } = await asked(200);
    expect(served).toBeGreaterThan(100);
    await driver.restore();
    await sleep(50);
    const before = requests;
    await sleep(300);
    expect(requests).toBe(before);
    expect(await asked(200)).toMatchObject({ served: 0 });
    expect(driver.client!().statuses["200"]).toBeGreaterThan(50);
  } finally {
    driver.end!();
  }
  await expect(
    (async () => {
      for (;;) {
        await asked(1);
        await sleep(20);
      }
    })(),
  ).rejects.toThrow(/the process that sends requests/);
});
