import * as fs from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { buildInside, type BuildStep } from "../../../../local/node/build-root";
import { ensureArtifact } from "../../../../local/tools/artifact";
import type * as child from "../../../../local/tools/child";
import { createRootFsWorkshop, type RootFsWorkshop } from "./support";

interface Call {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: child.ChildOptions;
}

/** Builds need root, so their last step is only looked at; debootstrap's stand-in runs. */
const build = vi.hoisted(() => ({ calls: [] as Call[] }));
vi.mock("../../../../local/tools/child", async (importActual) => {
  const actual = await importActual<typeof child>();
  return {
    ...actual,
    runChild: (command: string, args: readonly string[], options: child.ChildOptions) => {
      if (!args.includes("sh")) return actual.runChild(command, args, options);
      build.calls.push({ command, args, options });
      return Promise.resolve({ code: 7, stdout: "out", stderr: "err" });
    },
  };
});

let shop: RootFsWorkshop;
beforeEach(() => {
  shop = createRootFsWorkshop();
  build.calls = [];
});
afterEach(() => shop.remove());

const STEP: BuildStep = {
  source: "/somewhere/it's a $(source)",
  out: "/somewhere/out",
  work: "/somewhere/work",
  script: "cargo build; echo \"$TARGET\" 'quoted'",
  onLine: () => undefined,
};

async function envOf(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  await buildInside(STEP, shop.options({ env: { ...shop.env, ...env } }));
  return build.calls[0]?.options.env ?? {};
}

describe("a build inside", () => {
  it("gives what the build gave, also a failure", async () => {
    expect(await buildInside(STEP, shop.options())).toEqual({ code: 7, stdout: "out", stderr: "err" });
  });

  it("runs in namespaces of its own, which end with it, and hears when it is to stop", async () => {
    const { signal } = new AbortController();
    await buildInside(STEP, shop.options({ signal }));
    const [{ command, args, options } = { command: "", args: [], options: undefined }] = build.calls;
    expect([command, ...args.slice(0, -1)]).toEqual([
      "unshare",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--",
      "sh",
      "-ec",
    ]);
    expect(options?.signal).toBe(signal);
  });

  it("takes folders and script from the environment, so that no character in them is the shell's", async () => {
    const env = await envOf({});
    expect(env).toMatchObject({ SOURCE: STEP.source, OUT: STEP.out, WORK: STEP.work, SCRIPT: STEP.script });
    expect(env["ROOT"]).toMatch(new RegExp(`^${shop.paths.cache}/root-file-system-build-[0-9a-f]{16}/root$`));
    const script = build.calls[0]?.args.at(-1) ?? "";
    for (const given of [STEP.source, STEP.out, STEP.work, STEP.script, shop.paths.cache])
      expect(script).not.toContain(given);
  });

  it("sees nothing of this machine's environment but how the registries are reached", async () => {
    const env = await envOf({
      AWS_SECRET_ACCESS_KEY: "secret",
      PULUMI_CONFIG_PASSPHRASE: "secret",
      RUSTFLAGS: "-C target-cpu=native",
      CARGO_BUILD_RUSTC_WRAPPER: "/usr/bin/sccache",
      https_proxy: "http://proxy.invalid:3128",
      NO_PROXY: "localhost",
      SSL_CERT_FILE: "/etc/ssl/certs/company.pem",
      CARGO_HTTP_CAINFO: "/etc/ssl/certs/company.pem",
      CARGO_NET_GIT_FETCH_WITH_CLI: "true",
      CARGO_REGISTRIES_COMPANY_INDEX: "sparse+https://crates.invalid/",
    });
    expect({ ...env, ROOT: "…" }).toEqual({
      ROOT: "…",
      SOURCE: STEP.source,
      OUT: STEP.out,
      WORK: STEP.work,
      SCRIPT: STEP.script,
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/work",
      LC_ALL: "C.UTF-8",
      CARGO_HOME: "/work/cargo",
      CARGO_TARGET_DIR: "/work/target",
      https_proxy: "http://proxy.invalid:3128",
      NO_PROXY: "localhost",
      SSL_CERT_FILE: "/etc/ssl/certs/company.pem",
      CARGO_HTTP_CAINFO: "/etc/ssl/certs/company.pem",
      CARGO_NET_GIT_FETCH_WITH_CLI: "true",
      CARGO_REGISTRIES_COMPANY_INDEX: "sparse+https://crates.invalid/",
    });
  });

  it("does not get the token by which crates are published: dependencies run scripts of theirs", async () => {
    expect(await envOf({ CARGO_REGISTRY_TOKEN: "secret" })).not.toHaveProperty("CARGO_REGISTRY_TOKEN");
  });
});

it("installs its root file system also when it is called while an artifact is made", async () => {
  const stop = new AbortController();
  // Waiting for itself, it would wait for ever.
  const progress = { ...shop.options().progress, note: () => stop.abort(new Error("waits for its own lock")) };
  const options = shop.options({ progress, signal: stop.signal });
  const shim = ensureArtifact(
    {
      name: "shim",
      key: [],
      doing: "compiling",
      make: async (folder) => {
        fs.writeFileSync(`${folder}/before`, "");
        await buildInside(STEP, options);
      },
    },
    options,
  );
  await expect(shim).resolves.toMatch(/\/shim-/);
  expect(fs.readdirSync(await shim)).toEqual(["before"]);
});
