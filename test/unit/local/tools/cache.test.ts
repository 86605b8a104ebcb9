import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contentKey } from "../../../../local/tools/cache";
import { prepareTools } from "../../../../local/tools/resolve";
import { createWorkshop, type Workshop } from "../../../support/tool-workshop";

let shop: Workshop;
let program: string;
beforeEach(async () => {
  shop = createWorkshop();
  const [etcd] = await prepareTools(["etcd"], shop.options());
  program = fs.realpathSync(etcd?.path ?? "");
});
afterEach(() => shop.remove());

async function sourceOfNextRun(env: NodeJS.ProcessEnv = shop.env): Promise<string | undefined> {
  return (await prepareTools(["etcd"], shop.options({ env })))[0]?.source;
}

/** Other bytes of the same length. */
function overwrite(): void {
  const content = fs.readFileSync(program);
  fs.writeFileSync(program, content.fill(0x23, content.length - 5));
}

describe("a corrupted entry is told, dropped and made again", () => {
  it("when the program was cut off", async () => {
    fs.truncateSync(program, 3);
    expect(await sourceOfNextRun()).toBe("build");
    expect(shop.told()).toMatch(
      /^etcd: the cached copy is corrupted \(etcd has 3 bytes, \d+ were recorded\): dropped .*, making it again$/m,
    );
    expect(await sourceOfNextRun()).toBe("cache");
  });

  it("when other bytes of the same length are in it", async () => {
    overwrite();
    expect(await sourceOfNextRun()).toBe("build");
    expect(shop.told()).toContain("the SHA-256 of etcd is not the recorded one");
  });

  it("when the program is gone", async () => {
    fs.rmSync(program);
    expect(await sourceOfNextRun()).toBe("build");
  });

  it.each(["", "{", '{"file": "etcd"}'])("when its manifest is %j", async (manifest) => {
    fs.writeFileSync(path.join(path.dirname(program), "manifest.json"), manifest);
    expect(await sourceOfNextRun()).toBe("build");
    expect(shop.told()).toContain("manifest.json is missing or unreadable");
  });

  it("when its time was kept, if the environment asks to read everything", async () => {
    const { atime, mtime } = fs.statSync(program);
    fs.utimesSync(program, atime, mtime);
    expect(await sourceOfNextRun()).toBe("cache");
    const before = fs.statSync(program);
    overwrite();
    fs.utimesSync(program, before.atime, before.mtime);
    expect(await sourceOfNextRun()).toBe("cache");
    expect(await sourceOfNextRun({ ...shop.env, WASM_FUNCTIONS_VERIFY: "1" })).toBe("build");
  });
});

it("keeps a program that was only copied, and remembers its new time", async () => {
  fs.utimesSync(program, new Date(), new Date(1_000_000_000_000));
  expect(await sourceOfNextRun()).toBe("cache");
  const manifest = JSON.parse(fs.readFileSync(path.join(path.dirname(program), "manifest.json"), "utf8")) as object;
  expect(manifest).toMatchObject({ mtimeMs: 1_000_000_000_000 });
  expect(shop.builds()).toHaveLength(1);
});

it("keeps no staging folder", () => {
  const left = path.join(shop.paths.cache, "tmp");
  expect(fs.existsSync(left) ? fs.readdirSync(left) : []).toEqual([]);
});

it("makes different keys of parts that only join to the same text", () => {
  expect(contentKey(["ab", "c"])).not.toBe(contentKey(["a", "bc"]));
});
