import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import * as path from "node:path";
import { Script } from "node:vm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { bundle } from "../../../components/bundle";

const ROOT = path.resolve(__dirname, "../../..");
const PROGRAMS = readdirSync(path.join(ROOT, "programs"));
/** The most that a ConfigMap takes, of all values together. */
const CONFIG_MAP = 2 ** 20;
/** What else an object has: names, labels, and settings of some hundred routes. */
const REST = 64 * 2 ** 10;

/** As if nothing had been bundled yet. */
async function afresh(): Promise<typeof bundle> {
  vi.resetModules();
  return (await vi.importActual<{ bundle: typeof bundle }>("../../../components/bundle")).bundle;
}

describe("a program's bundle", () => {
  afterEach(() => vi.restoreAllMocks());

  it("is there for each folder of programs", () => {
    expect(PROGRAMS).toEqual(["authorizer", "endpoints"]);
  });

  it.each(PROGRAMS)("is the same text each time, wherever it is made: %s", async (program) => {
    const text = bundle(program);
    expect(bundle(program)).toBe(text);
    vi.spyOn(process, "cwd").mockReturnValue("/");
    const again = await afresh();
    expect(again).not.toBe(bundle);
    expect(again(program)).toBe(text);
    expect(text).not.toContain(ROOT);
  });

  it.each(PROGRAMS)("is one script for Node that needs nothing but Node's own modules: %s", (program) => {
    const text = bundle(program);
    expect(() => new Script(text, { filename: `${program}.js` })).not.toThrow();
    const needed = [...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name = ""]) => name);
    expect(needed).toContain("node:http");
    expect(needed.filter((name) => !isBuiltin(name))).toEqual([]);
  });

  it.each(PROGRAMS)("fits a ConfigMap, the policy beside it: %s", (program) => {
    const policy = readFileSync(path.join(ROOT, "policies/authorization/policy.wasm")).toString("base64");
    const size = Buffer.byteLength(bundle(program));
    expect(size).toBeLessThan(700_000);
    expect(size + policy.length + REST).toBeLessThan(CONFIG_MAP);
  });

  it("is refused where there is no such program", () => {
    expect(() => bundle("nobody")).toThrow('Could not resolve "programs/nobody/main.ts"');
  });
});
