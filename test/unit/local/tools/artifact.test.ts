import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProblemsError } from "../../../../infra/problems";
import { artifactFolder, ensureArtifact, type Artifact } from "../../../../local/tools/artifact";
import { createWorkshop, type Workshop } from "../../../support/tool-workshop";

let shop: Workshop;
let made: number;
beforeEach(() => {
  shop = createWorkshop({ go: false });
  made = 0;
});
afterEach(() => shop.remove());

/** A folder with one file, which says how many were made before. */
function artifact(more: Partial<Artifact> = {}): Artifact {
  return {
    name: "root file system (node)",
    key: ["trixie", "amd64"],
    doing: "installing",
    make: (folder) => {
      fs.writeFileSync(path.join(folder, "content"), String(made++));
      return Promise.resolve();
    },
    ...more,
  };
}

const failing = (error: unknown) =>
  artifact({
    make: (folder) => {
      fs.writeFileSync(path.join(folder, "content"), "half");
      throw error;
    },
  });

/** All that lies in the cache, but for the empty folder in which artifacts are made. */
function cached(): string[] {
  const { cache } = shop.paths;
  const inside = fs.existsSync(cache) ? (fs.readdirSync(cache, { recursive: true }) as string[]) : [];
  return inside.filter((name) => name !== "tmp").sort();
}

describe("an artifact", () => {
  it("is made once, then found again", async () => {
    const first = await ensureArtifact(artifact(), shop.options());
    const second = await ensureArtifact(artifact(), shop.options());
    expect(second).toBe(first);
    expect(first).toBe(artifactFolder(artifact(), shop.paths.cache));
    expect([made, fs.readFileSync(path.join(first, "content"), "utf8")]).toEqual([1, "0"]);
    expect(shop.told()).toMatch(
      /^- root file system \(node\): installing\n✓ root file system \(node\): made in \d+\.\d s\n$/,
    );
  });

  it("is one folder in the cache, which everyone may enter, and nothing beside it", async () => {
    const folder = await ensureArtifact(artifact(), shop.options());
    expect(path.basename(folder)).toMatch(/^root-file-system-node--[0-9a-f]{16}$/);
    expect(cached()).toEqual([path.basename(folder), path.join(path.basename(folder), "content")]);
    expect(fs.statSync(folder).mode & 0o777).toBe(0o755);
  });

  it.each<[string, Partial<Artifact>]>([
    ["a part of its key changes", { key: ["trixie", "arm64"] }],
    ["a part is added", { key: ["trixie", "amd64", ""] }],
    ["the parts are cut elsewhere", { key: ["trixieamd", "64"] }],
    ["their order changes", { key: ["amd64", "trixie"] }],
    ["it has another name", { name: "root file system (test)" }],
  ])("is another one when %s", async (_, more) => {
    const [one, other] = [await ensureArtifact(artifact(), shop.options()), artifact(more)];
    expect(await ensureArtifact(other, shop.options())).not.toBe(one);
    expect(made).toBe(2);
  });

  it("is the same one when only its recipe or what is told of it differs", async () => {
    const one = await ensureArtifact(artifact(), shop.options());
    expect(await ensureArtifact(failing(new Error("not called")), shop.options())).toBe(one);
  });

  it("is used although the run that asks for it was stopped, and not made for such a run", async () => {
    const signal = AbortSignal.abort(new Error("stopped by the user"));
    await expect(ensureArtifact(artifact(), shop.options({ signal }))).rejects.toThrow("stopped by the user");
    expect([made, cached()]).toEqual([0, []]);
    const folder = await ensureArtifact(artifact(), shop.options());
    expect(await ensureArtifact(artifact(), shop.options({ signal }))).toBe(folder);
  });

  it("removes what a killed run has left", async () => {
    const left = path.join(shop.paths.cache, "tmp", "artifact-left");
    fs.mkdirSync(left, { recursive: true });
    fs.writeFileSync(path.join(left, "half"), "");
    await ensureArtifact(artifact(), shop.options());
    expect(fs.existsSync(left)).toBe(false);
  });

  it("may be made of another one", async () => {
    const stop = new AbortController();
    // Waiting for itself, it would wait for ever.
    const progress = { ...shop.options().progress, note: () => stop.abort(new Error("waits for its own lock")) };
    const options = shop.options({ signal: stop.signal, progress });
    const part = artifact({ name: "compilers" });
    const whole = artifact({
      name: "program",
      make: async (folder) => {
        fs.writeFileSync(path.join(folder, "before"), "");
        fs.copyFileSync(path.join(await ensureArtifact(part, options), "content"), path.join(folder, "content"));
      },
    });
    const folder = await ensureArtifact(whole, options).catch((error: unknown) => error);
    expect(folder).toBe(artifactFolder(whole, shop.paths.cache));
    expect(fs.readdirSync(folder as string).sort()).toEqual(["before", "content"]);
  });
});

describe("a make that fails", () => {
  it("leaves nothing, and the next run makes it anew", async () => {
    const error = new Error("the mirror is down");
    await expect(ensureArtifact(failing(error), shop.options())).rejects.toBe(error);
    expect(cached()).toEqual([]);
    expect(shop.told()).toMatch(/^✗ root file system \(node\): failed in/m);
    const folder = await ensureArtifact(artifact(), shop.options());
    expect(fs.readFileSync(path.join(folder, "content"), "utf8")).toBe("0");
  });

  it("tells its problem, in short with the step and whole in the error", async () => {
    const problem = { path: "mirror", value: "no answer", limit: "packages come from there", fix: "use another" };
    const error = new ProblemsError("The tools are not ready", [problem]);
    await expect(ensureArtifact(failing(error), shop.options())).rejects.toBe(error);
    expect(shop.told()).toMatch(/^✗ root file system \(node\): no answer in/m);
  });

  it.runIf(fs.existsSync("/dev/full"))("on a full disk says so, what to do, and that the rest is kept", async () => {
    const full = artifact({
      make: (folder) => {
        fs.writeFileSync(path.join(folder, "half"), "");
        fs.writeFileSync("/dev/full", "more than fits");
        return Promise.resolve();
      },
    });
    const error = await ensureArtifact(full, shop.options()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ProblemsError);
    expect((error as ProblemsError).problems).toEqual([
      {
        path: shop.paths.cache,
        value: "no room while making tools ready",
        limit: expect.stringMatching(/^\d+ MB are free; /) as string,
        fix: "free some, or move the cache with WASM_FUNCTIONS_CACHE, and run again: what is ready is kept",
      },
    ]);
    expect(cached()).toEqual([]);
    expect(shop.told()).toMatch(/^✗ root file system \(node\): no room while making tools ready in/m);
  });

  it("in a cache that cannot be written says so", async () => {
    fs.writeFileSync(path.join(shop.folder, ".local"), "a file where the cache's folder should be");
    await expect(ensureArtifact(artifact(), shop.options())).rejects.toThrow(
      /cannot be written \((ENOTDIR|EEXIST)\): .*WASM_FUNCTIONS_CACHE/,
    );
  });

  it("because it was stopped throws what it was stopped with, and leaves nothing", async () => {
    const stop = new AbortController();
    const reason = new Error("stopped by the user");
    const stopped = artifact({
      make: (folder) => {
        fs.writeFileSync(path.join(folder, "half"), "");
        stop.abort(reason);
        stop.signal.throwIfAborted();
        return Promise.resolve();
      },
    });
    await expect(ensureArtifact(stopped, shop.options({ signal: stop.signal }))).rejects.toBe(reason);
    expect(cached()).toEqual([]);
    expect(shop.told()).toMatch(/^✗ root file system \(node\): stopped in/m);
  });
});

describe("two that want it at once", () => {
  /** A recipe that is done when the test says so, and never twice at a time. */
  function gated() {
    const gate: { open: () => void; opened: Promise<void> } = { open: () => undefined, opened: Promise.resolve() };
    gate.opened = new Promise((resolve) => (gate.open = resolve));
    const make: Artifact["make"] = async (folder) => {
      fs.writeFileSync(path.join(folder, "content"), String(made++));
      await gate.opened;
    };
    return { gate, make };
  }

  it("make it once: the second waits, says so, and finds it", async () => {
    const { gate, make } = gated();
    const options = shop.options();
    const note = (text: string) => {
      options.progress.note(text);
      gate.open();
    };
    const waiting = { ...options, progress: { ...options.progress, note } };
    const folders = await Promise.all([1, 2].map(() => ensureArtifact(artifact({ make }), waiting)));
    expect(new Set(folders).size).toBe(1);
    expect(made).toBe(1);
    expect(shop.told().match(/another run is making tools ready: waiting for it \(process \d+\)/g)).toHaveLength(1);
  });

  it("make it twice when the first fails", async () => {
    const { gate, make } = gated();
    const first = ensureArtifact(
      artifact({
        make: async (folder, task) => {
          await make(folder, task);
          throw new Error("failed");
        },
      }),
      shop.options(),
    );
    const options = shop.options();
    const second = ensureArtifact(artifact(), { ...options, progress: { ...options.progress, note: gate.open } });
    await expect(first).rejects.toThrow("failed");
    expect(fs.readFileSync(path.join(await second, "content"), "utf8")).toBe("1");
  });
});
