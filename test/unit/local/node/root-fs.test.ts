import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProblemsError, type Problem } from "../../../../infra/problems";
import { DEBIAN_MIRROR, ensureRootFs, MIRROR_VARIABLE } from "../../../../local/node/root-fs";
import { createRootFsWorkshop, type RootFsWorkshop } from "./support";

let shop: RootFsWorkshop;
beforeEach(() => void (shop = createRootFsWorkshop()));
afterEach(() => shop.remove());

const ending = (FAKE_DEBOOTSTRAP: string, more: NodeJS.ProcessEnv = {}) =>
  shop.options({ env: { ...shop.env, FAKE_DEBOOTSTRAP, ...more } });

/** All that is in the cache, but for the empty folder in which things are made. */
const cached = () => {
  const names = fs.readdirSync(shop.paths.cache, { recursive: true }) as string[];
  return names.filter((name) => name !== "tmp");
};

async function problemsOf(making: Promise<unknown>): Promise<readonly Problem[]> {
  const error: unknown = await making.catch((reason: unknown) => reason);
  if (error instanceof ProblemsError) return error.problems;
  throw new Error(`not refused: ${String(error)}`);
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (let i = 0; i < 400; i++) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    await sleep(25);
  }
  throw new Error("it did not come to that");
}

describe("a root file system", () => {
  it("is installed from Debian's packages, signatures checked, in a mount namespace", async () => {
    const root = await ensureRootFs("test", shop.options());
    const [unshare, debootstrap, chroot, ...more] = shop.calls();
    expect(unshare).toBe(`unshare --mount --pid --fork --kill-child -- ${debootstrap}`);
    expect(debootstrap?.replace(/include=\S+/, "include=…").replace(/artifact-\w+/, "artifact-…")).toBe(
      `debootstrap --variant=minbase --force-check-gpg --include=… trixie ${shop.paths.cache}/tmp/artifact-…/root http://deb.debian.org/debian`,
    );
    expect(debootstrap).toMatch(/ --include=([a-z0-9.+-]+,)*postgresql,/);
    expect(chroot).toMatch(/^chroot \S+\/root dpkg-query --show$/);
    expect(more).toEqual([]);
    expect(fs.readFileSync(path.join(root, "usr/bin/catatonit"), "utf8")).toBe("a program\n");
  });

  it("has what is mounted on, and a list of its packages beside it", async () => {
    const root = await ensureRootFs("node", shop.options());
    for (const folder of ["etc/rancher", "source", "out", "work"])
      expect(fs.readdirSync(path.join(root, folder))).toEqual([]);
    const list = path.join(path.dirname(root), "packages.txt");
    expect(fs.readFileSync(list, "utf8")).toBe("base-files\t13.8\ncatatonit\t0.2.1\n");
  });

  it("is made once, each of them", async () => {
    const first = await ensureRootFs("node", shop.options());
    expect(await ensureRootFs("node", shop.options())).toBe(first);
    expect(await ensureRootFs("build", shop.options())).not.toBe(first);
    expect(shop.calls().filter((call) => call.startsWith("debootstrap"))).toHaveLength(2);
  });

  it("is not dropped when another mirror is set", async () => {
    const first = await ensureRootFs("node", shop.options());
    expect(await ensureRootFs("node", ending("unreachable", { [MIRROR_VARIABLE]: "http://elsewhere.invalid" }))).toBe(
      first,
    );
  });

  it("tells what is installed just now", async () => {
    const told: string[] = [];
    const task = { update: (text: string) => told.push(text), done: () => undefined, fail: () => undefined };
    await ensureRootFs("node", shop.options({ progress: { task: () => task, note: () => undefined, live: true } }));
    expect(told).toEqual(["Retrieving base-files 13.8", "Base system installed successfully."]);
  });
});

describe("the mirror", () => {
  it.each<[string, NodeJS.ProcessEnv, string]>([
    ["Debian's own", {}, DEBIAN_MIRROR],
    ["Debian's own where the variable is empty", { [MIRROR_VARIABLE]: "" }, DEBIAN_MIRROR],
    [
      "another one that the environment names",
      { [MIRROR_VARIABLE]: "https://mirror.example.com/debian" },
      "https://mirror.example.com/debian",
    ],
  ])("is %s", async (_, env, mirror) => {
    await ensureRootFs("node", ending("ok", env));
    expect(shop.calls()[1]?.split(" ").pop()).toBe(mirror);
  });
});

describe("a root file system that cannot be installed", () => {
  it("tells mirror, error and log, and leaves nothing", async () => {
    const mirror = "http://mirror.invalid/debian";
    const log = path.join(shop.paths.logs, "debootstrap.log");
    expect(await problemsOf(ensureRootFs("node", ending("unreachable", { [MIRROR_VARIABLE]: mirror })))).toEqual([
      {
        path: mirror,
        value: `installing Debian trixie failed: Failed getting release file ${mirror}/dists/trixie/Release`,
        limit: "the node's root file system is made of its packages",
        fix: `see ${log}; another mirror is set with WASM_FUNCTIONS_DEBIAN_MIRROR`,
      },
    ]);
    const logged = fs.readFileSync(log, "utf8");
    expect(logged).toContain("I: Retrieving base-files");
    expect(logged).toContain("wget: unable to resolve host address");
    expect(cached()).toEqual([]);
    expect(shop.told()).toMatch(/^✗ root file system node: installing Debian trixie failed: Failed getting/m);
  });

  it("can be installed once the mirror answers", async () => {
    await problemsOf(ensureRootFs("node", ending("unreachable")));
    expect(fs.existsSync(await ensureRootFs("node", shop.options()))).toBe(true);
  });

  it("on a full disk, of which debootstrap itself says nothing, is told as that", async () => {
    expect(await problemsOf(ensureRootFs("node", ending("full")))).toMatchObject([
      { path: shop.paths.cache, value: "no room while installing Debian packages" },
    ]);
    expect(cached()).toEqual([]);
  });

  it("ends with all its processes when it is stopped, and leaves nothing", async () => {
    const stop = new AbortController();
    const making = ensureRootFs("node", { ...ending("hang"), signal: stop.signal });
    making.catch(() => undefined);
    const pids = await until(shop.hanging);
    stop.abort(new Error("stopped by the user"));
    await expect(making).rejects.toThrow("stopped by the user");
    await until(() => !pids.some(isRunning));
    expect(cached()).toEqual([]);
    expect(shop.told()).toMatch(/^✗ root file system node: stopped in/m);
    expect(fs.existsSync(await ensureRootFs("node", shop.options()))).toBe(true);
  });

  it("is not kept when its packages cannot be listed", async () => {
    shop.onPath("chroot", "#!/bin/sh\necho 'chroot: failed to run command dpkg-query' >&2\nexit 127\n");
    await expect(ensureRootFs("node", shop.options())).rejects.toThrow();
    expect(cached()).toEqual([]);
  });
});
