import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseImage, type ImageRef } from "../../../../infra/addresses";
import { ProblemsError } from "../../../../infra/problems";
import { buildFunction, functionImage, type FunctionBuild } from "../../../../local/images/function";
import type { BuildStep } from "../../../../local/node/build-root";
import { createWorkshop, type Workshop } from "../../../support/tool-workshop";
import { readImage, readLayout, type Entry, type Index } from "./support";

/**
 * Stands in for the compilers, which need root and a root file system of 2 GB: what is tested here is what surrounds
 * them. It "compiles" what the test has set, and leaves what Cargo leaves.
 */
const compiler = vi.hoisted(() => ({
  steps: [] as BuildStep[],
  app: Buffer.from("\0asm"),
  fails: undefined as string | undefined,
}));
vi.mock("../../../../local/node/build-root", async () => {
  const { mkdirSync, writeFileSync } = await import("node:fs");
  return {
    buildInside: (step: BuildStep) => {
      compiler.steps.push(step);
      step.onLine("   Compiling checkout v0.1.0");
      if (compiler.fails !== undefined) return Promise.resolve({ code: 101, stdout: "", stderr: compiler.fails });
      mkdirSync(`${step.work}/target`);
      writeFileSync(`${step.work}/target/checkout.wasm`, compiler.app);
      writeFileSync(`${step.out}/app`, compiler.app);
      return Promise.resolve({ code: 0, stdout: "", stderr: "" });
    },
  };
});

let shop: Workshop;
beforeEach(() => {
  shop = createWorkshop({ go: false });
  Object.assign(compiler, { steps: [], app: Buffer.from("\0asm"), fails: undefined });
  put("Cargo.toml", '[package]\nname = "checkout"\nversion = "0.3.1"\n');
  put("Cargo.lock", "# locked\n");
  put("src/main.rs", "fn main() {}\n");
});
afterEach(() => shop.remove());

function put(file: string, content: string, name = "checkout"): void {
  const target = path.join(shop.folder, "functions", name, file);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, content);
}

const build = (kind?: FunctionBuild, name = "checkout") => buildFunction(name, shop.options(), kind);

async function refused(name = "checkout"): Promise<ProblemsError> {
  const error: unknown = await build(undefined, name).catch((reason: unknown) => reason);
  if (error instanceof ProblemsError) return error;
  throw new Error(`not refused: ${String(error)}`);
}

const cached = () => fs.readdirSync(shop.paths.cache).filter((name) => name !== "tmp");

describe("a function's image", () => {
  it("has one file, WebAssembly, and runs it as nobody", async () => {
    const image = await build();
    expect([image.reference, image.source]).toEqual(["functions.local/checkout:0.3.1", "functions/checkout, compiled"]);
    const { config, entries } = await readImage(image.folder);
    expect(entries.map(({ header, content }) => [header.name, header.mode, content])).toEqual([
      ["app.wasm", 0o555, "\0asm"],
    ]);
    expect(config).toMatchObject({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      config: {
        Entrypoint: ["/app.wasm"],
        User: "65532:65532",
        Labels: {
          "org.opencontainers.image.title": "checkout",
          "org.opencontainers.image.version": "0.3.1",
          "wasm-functions.dev/build": "compiled",
        },
      },
    });
    expect(image.digest).toBe(readLayout(image.folder).index.manifests[0]?.digest);
  });

  it("is built once, then found with the same digest", async () => {
    const first = await build();
    expect(await build()).toEqual(first);
    expect(compiler.steps).toHaveLength(1);
    expect(shop.told()).toMatch(/^- function checkout: compiling\n✓ function checkout: made in \d+\.\d s\n$/);
  });

  it("is the same for the same sources when the cache was lost", async () => {
    const { digest } = await build();
    fs.rmSync(shop.paths.cache, { recursive: true });
    expect((await build()).digest).toBe(digest);
    expect(compiler.steps).toHaveLength(2);
  });

  it("portable is an index of both architectures with the same file", async () => {
    const { folder, digest, source } = await build("portable");
    const { index, json } = readLayout(folder);
    expect(index.manifests.map((entry) => entry.digest)).toEqual([digest]);
    const inner = json(index.manifests[0] as Entry) as Index;
    expect(inner.manifests.map(({ platform }) => platform?.architecture)).toEqual(["amd64", "arm64"]);
    expect(source).toBe("functions/checkout, portable");
  });

  it("native is a program of the function's name", async () => {
    const { entries, config } = await readImage((await build("native")).folder);
    expect(entries.map(({ header }) => header.name)).toEqual(["checkout"]);
    expect(config.config.Entrypoint).toEqual(["/checkout"]);
    expect(config.config.Labels["wasm-functions.dev/build"]).toBe("native");
  });

  it("is another for each way of building", async () => {
    const images = [await build("compiled"), await build("portable"), await build("native")];
    expect(new Set(images.map(({ folder }) => folder)).size).toBe(3);
    expect(compiler.steps.map(({ script }) => script.includes("wasmedge compile --generic-binary"))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("is compiled from the locked dependencies, in the release profile, as the binary of its name", async () => {
    for (const kind of ["compiled", "portable", "native"] as const) await build(kind);
    for (const { script } of compiler.steps)
      expect(script).toMatch(/cargo build --locked --release --target \S+ --bin checkout/);
    expect(compiler.steps[0]?.source).toBe(path.join(shop.folder, "functions", "checkout"));
  });

  it("leaves no compiler's files in the cache", async () => {
    const { folder } = await build();
    expect(fs.readdirSync(folder).sort()).toEqual(["app.wasm", "blobs", "index.json", "layout.json", "oci-layout"]);
  });
});

describe("a function is built anew", () => {
  it.each([
    ["a source", "src/main.rs"],
    ["a new source", "src/clock.rs"],
    ["a source in a module's folder", "src/database/mod.rs"],
    ["a module called target", "src/target/mod.rs"],
    ["the build script", "build.rs"],
    ["the lock file", "Cargo.lock"],
    ["a crate beside it", "stringprep/src/lib.rs"],
    ["Cargo's settings", ".cargo/config.toml"],
    ["a file that a source includes", "src/query.sql"],
  ])("when %s changes", async (_, file) => {
    await build();
    put(file, "changed\n");
    await build();
    expect(compiler.steps).toHaveLength(2);
  });

  it("when a source is renamed", async () => {
    put("src/a.rs", "");
    await build();
    fs.renameSync(
      path.join(shop.folder, "functions/checkout/src/a.rs"),
      path.join(shop.folder, "functions/checkout/src/b.rs"),
    );
    await build();
    expect(compiler.steps).toHaveLength(2);
  });

  it("when its version changes, which is its tag", async () => {
    await build();
    put("Cargo.toml", '[package]\nname = "checkout"\nversion = "0.4.0"\n');
    expect((await build()).reference).toBe("functions.local/checkout:0.4.0");
    expect(compiler.steps).toHaveLength(2);
  });

  it.each([
    ["its tests", "tests/orders.rs"],
    ["what Cargo has built", "target/debug/build/generated.rs"],
    ["an editor's files", ".idea/workspace.toml"],
  ])("but not when %s change", async (_, file) => {
    await build();
    put(file, "changed\n");
    await build();
    expect(compiler.steps).toHaveLength(1);
  });
});

describe("what cannot be built", () => {
  it("is told with the functions that there are", async () => {
    put("Cargo.toml", "", "invoice");
    put("notes.txt", "no crate", "notes");
    const error = await refused("chekout");
    expect(error.summary).toBe("There is no such function");
    expect(error.problems).toEqual([
      {
        path: "FUNCTION",
        value: "chekout",
        limit: "functions/chekout/Cargo.toml does not exist",
        fix: "use one of checkout, invoice",
      },
    ]);
  });

  it("is told where there are no functions at all", async () => {
    fs.rmSync(path.join(shop.folder, "functions"), { recursive: true });
    expect((await refused()).problems[0]?.fix).toBe("make a crate there");
  });

  it.each([
    ["no version", '[package]\nname = "checkout"\n'],
    ["a commented one", '[package]\nname = "checkout"\n# version = "0.1.0"\n'],
    ["a dependency's alone", '[package]\nname = "checkout"\n\n[dependencies.serde]\nversion = "1.0.0"\n'],
  ])("is a crate with %s", async (_, manifest) => {
    put("Cargo.toml", manifest);
    expect((await refused()).problems).toEqual([
      {
        path: path.join(shop.folder, "functions/checkout/Cargo.toml"),
        value: "no version",
        limit: "it becomes the image's tag",
        fix: 'add version = "0.1.0"',
      },
    ]);
    expect(compiler.steps).toEqual([]);
  });

  it("is told with the compiler's first error and where the rest is, and leaves nothing", async () => {
    compiler.fails = [
      "   Compiling checkout v0.3.1",
      "error[E0425]: cannot find value `total` in this scope",
      "error: could not compile `checkout`",
    ].join("\n");
    const log = path.join(shop.paths.logs, "build-checkout.log");
    const { summary, problems } = await refused();
    expect(summary).toBe("The function cannot be built");
    expect(problems).toEqual([
      {
        path: path.join(shop.folder, "functions/checkout"),
        value: "error[E0425]: cannot find value `total` in this scope",
        limit: "it builds for wasm32-wasip1 with Debian's Rust",
        fix: `see ${log}`,
      },
    ]);
    expect(fs.readFileSync(log, "utf8")).toBe(compiler.fails);
    expect(cached()).toEqual([]);
  });

  it("because the disk is full is told as that", async () => {
    compiler.fails = "error: failed to write /work/target/x: No space left on device (os error 28)";
    expect((await refused()).problems).toMatchObject([
      { path: shop.paths.cache, value: "no room while building functions/checkout" },
    ]);
  });

  it("is an image over 1 MB, however little; one under it is not", async () => {
    compiler.app = Buffer.alloc(1_000_000);
    const { summary, problems } = await refused();
    expect(summary).toBe("The function's image is too large");
    expect(problems).toEqual([
      {
        path: "functions/checkout",
        // With the tar's records, the config and the manifest.
        value: expect.stringMatching(/^100[1-9]\d{3} bytes$/) as string,
        limit: "every agent pulls it while requests wait, so it may have 1000000",
        fix: "drop dependencies, or have Cargo.toml optimize for size",
      },
    ]);
    expect(cached()).toEqual([]);
    compiler.app = Buffer.alloc(990_000);
    expect((await build()).size).toBeLessThanOrEqual(1_000_000);
  });

  it("is not a native program over 1 MB, which is only measured against", async () => {
    compiler.app = Buffer.alloc(2_000_000);
    expect((await build("native")).size).toBeGreaterThan(2_000_000);
  });
});

describe("the image that a stack names", () => {
  const ref = (text: string): ImageRef => {
    const parsed = parseImage(`functions.local/${text}`);
    if ("ok" in parsed) return parsed.ok;
    throw new Error(text);
  };
  const wanted = (text: string) => functionImage(ref(text), shop.options());

  async function missing(text: string) {
    const error: unknown = await wanted(text).catch((reason: unknown) => reason);
    if (error instanceof ProblemsError) return error.problems;
    throw new Error(`not refused: ${String(error)}`);
  }

  it("by its sources' version is built", async () => {
    expect(await wanted("checkout:0.3.1")).toEqual(await build());
    expect(compiler.steps).toHaveLength(1);
  });

  it("by another version is refused", async () => {
    expect(await missing("checkout:0.2.0")).toEqual([
      {
        path: "functions.checkout.image",
        value: "functions.local/checkout:0.2.0",
        limit: "functions/checkout is of version 0.3.1",
        fix: "name that version, or pin the digest of an image that was built before",
      },
    ]);
  });

  it.each(["checkout@", "checkout:0.3.1@"])(
    "by digest is found, also when its sources have changed: %s",
    async (name) => {
      const { digest, folder } = await build();
      put("src/main.rs", "fn main() { changed() }\n");
      expect(await wanted(`${name}${digest}`)).toMatchObject({
        reference: `functions.local/${name}${digest}`,
        digest,
        folder,
      });
      expect(compiler.steps).toHaveLength(1);
    },
  );

  it("by a digest that was not built here is refused, with the command that builds", async () => {
    await build();
    const digest = `sha256:${"0".repeat(64)}`;
    expect(await missing(`checkout@${digest}`)).toEqual([
      {
        path: "functions.checkout.image",
        value: `functions.local/checkout@${digest}`,
        limit: "no image of this digest was built on this machine",
        fix: "make function FUNCTION=checkout builds the present one and tells its digest",
      },
    ]);
  });

  it("by a digest is refused where nothing was built at all", async () => {
    expect(await missing(`checkout@sha256:${"0".repeat(64)}`)).toHaveLength(1);
  });

  it("by another function's digest is refused", async () => {
    const { digest } = await build();
    expect(await missing(`invoice@${digest}`)).toHaveLength(1);
  });
});
