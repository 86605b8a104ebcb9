import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { watch, type Watched } from "../../../../programs/endpoints/kube";
import { FakeApi, type FakeObject } from "./fake-api";

const PATH = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";
/** Longer than any pause that is due in a test. */
const SOON = { timeout: 5000, interval: 10 };

let folder: string;
let api: FakeApi;
let stop: AbortController;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "watch-"));
  api = await FakeApi.start(folder);
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

const object = (name: string, resourceVersion: string, more: object = {}): FakeObject => ({
  metadata: { name, resourceVersion },
  ...more,
});

/** What a watcher has been told, from the first to the last. */
function follow(watched: Watched = { path: PATH }) {
  const copies: string[][] = [];
  const troubles: string[] = [];
  const troubledAt: number[] = [];
  watch<FakeObject>(
    api.credentials,
    watched,
    (objects) =>
      copies.push([...objects].map(([name, { metadata }]) => `${name}@${metadata.resourceVersion ?? "none"}`)),
    (reason) => {
      troubles.push(reason);
      troubledAt.push(Date.now());
    },
    stop.signal,
  );
  const last = () => copies.at(-1);
  return { copies, troubles, troubledAt, last };
}

/** A watcher that has the list and watches on. */
async function following(items: FakeObject[] = [object("a", "5")]) {
  api.list(PATH, items, "7");
  const told = follow();
  await expect.poll(() => api.watching(PATH), SOON).toBe(1);
  return told;
}

describe("watched objects", () => {
  it("are listed, then watched from the list's version", async () => {
    const { copies, troubles } = await following([object("a", "5"), object("b", "6")]);
    expect(copies).toEqual([["a@5", "b@6"]]);
    expect(api.asked).toEqual([
      { path: PATH, query: {}, token: "Bearer first-token" },
      {
        path: PATH,
        query: { watch: "true", resourceVersion: "7", allowWatchBookmarks: "true", timeoutSeconds: "240" },
        token: "Bearer first-token",
      },
    ]);
    expect(troubles).toEqual([]);
  });

  it("are narrowed by the selector, in list and watch", async () => {
    api.list(PATH, [], "7");
    follow({ path: PATH, selector: { fieldSelector: "metadata.name=gateway-routes" } });
    await expect.poll(() => api.watching(PATH), SOON).toBe(1);
    expect(api.asked.map(({ query }) => query["fieldSelector"])).toEqual(Array(2).fill("metadata.name=gateway-routes"));
  });

  it("are told as a copy after each change, and not after a bookmark", async () => {
    const { copies, last } = await following();
    api.event(PATH, "ADDED", object("b", "8"));
    api.event(PATH, "MODIFIED", object("a", "9"));
    api.event(PATH, "BOOKMARK", object("", "20"));
    api.event(PATH, "DELETED", object("b", "21"));
    api.event(PATH, "DELETED", object("never there", "22"));
    api.event(PATH, "ADDED", object("c", "23"));
    await expect.poll(last, SOON).toEqual(["a@9", "c@23"]);
    expect(copies).toEqual([["a@5"], ["a@5", "b@8"], ["a@9", "b@8"], ["a@9"], ["a@9"], ["a@9", "c@23"]]);
  });

  it("are read from lines in whatever pieces these come", async () => {
    const { copies, last } = await following([]);
    const lines = ["ä", "b", "c"].map((name) => JSON.stringify({ type: "ADDED", object: object(name, "8") }));
    const bytes = Buffer.from(`${lines.join("\n")}\n\n`);
    // One byte at first, then two lines in one piece, the last one's end by itself; and `ä` is cut in two.
    const cut = bytes.indexOf(Buffer.from("ä")) + 1;
    for (const part of [bytes.subarray(0, 1), bytes.subarray(1, cut), bytes.subarray(cut, -2)]) {
      api.write(PATH, part);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(last()).toEqual(["ä@8", "b@8"]);
    api.write(PATH, bytes.subarray(-2));
    await expect.poll(last, SOON).toEqual(["ä@8", "b@8", "c@8"]);
    expect(copies).toHaveLength(4);
  });

  it("are watched on from the last version when a watch's time is over, without another list", async () => {
    const { copies, troubles, last } = await following();
    api.event(PATH, "ADDED", object("b", "8"));
    api.event(PATH, "BOOKMARK", object("", "40"));
    await expect.poll(() => copies.length, SOON).toBe(2);
    api.endWatches(PATH);
    await expect
      .poll(() => api.queries(PATH, "watch").map((query) => query["resourceVersion"]), SOON)
      .toEqual(["7", "40"]);
    api.event(PATH, "MODIFIED", object("a", "41"));
    await expect.poll(last, SOON).toEqual(["a@41", "b@8"]);
    expect(api.queries(PATH, "list")).toHaveLength(1);
    expect(troubles).toEqual([]);
  });

  it("are not asked for thousands of times where each watch is ended at once", async () => {
    await following();
    const ending = setInterval(() => api.endWatches(PATH), 1);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    clearInterval(ending);
    expect(api.queries(PATH, "watch").length).toBeGreaterThan(1);
    expect(api.asked.length).toBeLessThan(8);
  });

  it("are listed anew where the version is too old to watch on from", async () => {
    const { troubles, last } = await following([object("a", "5"), object("gone meanwhile", "6")]);
    api.list(PATH, [object("a", "90"), object("b", "91")], "92");
    api.event(PATH, "ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" });
    await expect.poll(last, SOON).toEqual(["a@90", "b@91"]);
    await expect.poll(() => api.queries(PATH, "watch").at(-1)?.["resourceVersion"], SOON).toBe("92");
    expect(troubles).toEqual([]);
  });

  it("are listed anew where the watch itself is refused for it", async () => {
    const { troubles, last } = await following();
    api.refuse(PATH, 410);
    api.endWatches(PATH);
    await expect.poll(() => troubles, SOON).toEqual([`${PATH}: the API server answered 410`]);
    api.list(PATH, [object("b", "91")], "92");
    await expect.poll(last, SOON).toEqual(["b@91"]);
  });

  it("stand as they were while the API is down, and are listed when it is back", async () => {
    const { copies, troubles, last } = await following();
    await api.close();
    await expect.poll(() => troubles.length, SOON).toBeGreaterThan(1);
    expect(copies).toEqual([["a@5"]]);
    expect(troubles.every((reason) => reason.startsWith(`${PATH}: `))).toBe(true);
    expect(troubles.at(-1)).toMatch(/ECONNREFUSED/);
    api.list(PATH, [object("b", "91")], "92");
    await api.listen();
    await expect.poll(last, SOON).toEqual(["b@91"]);
    await expect.poll(() => api.watching(PATH), SOON).toBe(1);
  });

  it("are listed anew where a line is no JSON", async () => {
    const { troubles } = await following();
    api.write(PATH, "<html>\n");
    await expect.poll(() => api.queries(PATH, "list").length, SOON).toBe(2);
    expect(troubles).toHaveLength(1);
  });

  it("are asked for ever where it is forbidden, which is told without the token", async () => {
    api.list(PATH, [object("a", "5")], "7");
    api.refuse(PATH, 403);
    const { copies, troubles, last } = follow();
    await expect.poll(() => troubles.length, SOON).toBe(2);
    expect(troubles).toEqual(Array(2).fill(`${PATH}: the API server answered 403`));
    expect(copies).toEqual([]);
    api.list(PATH, [object("a", "5")], "7");
    await expect.poll(last, SOON).toEqual(["a@5"]);
  });

  it("are asked for ever less often while it does not go well", async () => {
    api.list(PATH, [], "7");
    api.refuse(PATH, 503);
    const { troubles, troubledAt } = follow();
    await expect.poll(() => troubles.length, SOON).toBe(3);
    const pauses = troubledAt.slice(1).map((time, index) => time - troubledAt[index]!);
    expect(pauses[0]).toBeGreaterThanOrEqual(245);
    expect(pauses[1]).toBeGreaterThanOrEqual(495);
    api.list(PATH, [object("a", "5")], "7");
    await expect.poll(() => api.watching(PATH), SOON).toBe(1);
  });

  it("are asked for with the token that the file has at the time", async () => {
    await following();
    api.useToken("renewed-token");
    api.endWatches(PATH);
    await expect
      .poll(() => api.asked.map(({ token }) => token), SOON)
      .toEqual(["Bearer first-token", "Bearer first-token", "Bearer renewed-token"]);
  });

  it("are not asked of somebody whose certificate is another's", async () => {
    api.list(PATH, [object("a", "5")], "7");
    const other = mkdtempSync(join(tmpdir(), "watch-other-"));
    const impostor = await FakeApi.start(other);
    try {
      const copies: unknown[] = [];
      const troubles: string[] = [];
      const credentials = { ...api.credentials, port: impostor.credentials.port };
      watch(
        credentials,
        { path: PATH },
        (objects) => copies.push(objects),
        (reason) => troubles.push(reason),
        stop.signal,
      );
      await expect.poll(() => troubles.length, SOON).toBe(1);
      expect(troubles[0]).toMatch(/certificate/);
      expect([copies, impostor.asked]).toEqual([[], []]);
    } finally {
      await impostor.close();
      rmSync(other, { recursive: true, force: true });
    }
  });

  it("are left alone when it is told to stop, without a word", async () => {
    const { copies, troubles } = await following();
    const { length } = api.asked;
    stop.abort();
    await expect.poll(() => api.watching(PATH), SOON).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([copies.length, troubles, api.asked.length]).toEqual([1, [], length]);
  });
});
