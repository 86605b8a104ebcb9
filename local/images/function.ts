import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { ImageRef } from "../../infra/addresses";
import { ProblemsError } from "../../infra/problems";
import { buildInside } from "../node/build-root";
import { ensureArtifact } from "../tools/artifact";
import { diskFull, keepLog, saysDiskFull } from "../tools/failures";
import type { ToolsOptions } from "../tools/session";
import { architecture, keepSummary, LAYOUT_TAG, readSummary, type ReadyImage } from "./assemble";
import { writeLayout, type Image, type Layout } from "./layout";

/** Images of this registry are built from the folders under functions/. */
export const FUNCTIONS_REGISTRY = "functions.local";

/** Every agent pulls a function's image while requests wait: no more than this, in bytes. */
const MOST_BYTES = 1_000_000;

const LABEL = "wasm-functions.dev/build";

/**
 * What a function becomes.
 *
 * - `compiled`: WebAssembly with machine code beside it, compiled ahead of time by WasmEdge for any CPU of this
 *   machine's architecture. Loading it takes less than the millisecond that a cold start may; an interpreted module
 *   was measured at 3–5 ms.
 * - `portable`: the module as Rust's compiler made it, interpreted, for every architecture.
 * - `native`: no WebAssembly at all, but a static program of the same source: what it is measured against.
 */
export type FunctionBuild = "compiled" | "portable" | "native";

const WASM = [
  "export CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld",
  "cargo build --locked --release --target wasm32-wasip1 --bin $NAME",
  "cp /work/target/wasm32-wasip1/release/$NAME.wasm /work/$NAME.wasm",
];

/** Steps within the root file system that has the compilers; what they leave as /out/app is the image's only file. */
const STEPS: Readonly<Record<FunctionBuild, readonly string[]>> = {
  compiled: [...WASM, "wasmedge compile --generic-binary --optimize=s /work/$NAME.wasm /out/app"],
  portable: [...WASM, "cp /work/$NAME.wasm /out/app"],
  native: [
    "export RUSTFLAGS='-C target-feature=+crt-static' CARGO_PROFILE_RELEASE_OPT_LEVEL=3",
    "TARGET=$(rustc -vV | sed -n 's/^host: //p')",
    "cargo build --locked --release --target $TARGET --bin $NAME",
    "cp /work/target/$TARGET/release/$NAME /out/app",
  ],
};

/**
 * The image of one of our functions that a stack names: built, where it is named by the version that its sources have;
 * found among those that were built before, where it is pinned by digest.
 *
 * @throws ProblemsError when its sources have another version, or nothing of this digest was built here
 */
export async function functionImage(image: ImageRef, options: ToolsOptions): Promise<ReadyImage> {
  if (image.digest !== undefined) return builtBefore(image, image.digest, options);
  const built = await buildFunction(image.repository, options);
  if (built.reference === image.text) return built;
  throw new ProblemsError("The function's image is not there", [
    {
      path: `functions.${image.repository}.image`,
      value: image.text,
      limit: `functions/${image.repository} is of version ${built.reference.split(":").pop() ?? ""}`,
      fix: "name that version, or pin the digest of an image that was built before",
    },
  ]);
}

function builtBefore(image: ImageRef, digest: string, { paths }: ToolsOptions): ReadyImage {
  const folders = existsSync(paths.cache)
    ? readdirSync(paths.cache).filter((name) => name.startsWith(`function-${image.repository}-`))
    : [];
  for (const folder of folders.map((name) => join(paths.cache, name))) {
    const layout = readSummary(folder);
    if (layout.digest === digest) return { reference: image.text, source: "built before", folder, ...layout };
  }
  throw new ProblemsError("The function's image is not there", [
    {
      path: `functions.${image.repository}.image`,
      value: image.text,
      limit: "no image of this digest was built on this machine",
      fix: `make function FUNCTION=${image.repository} builds the present one and tells its digest`,
    },
  ]);
}

/** Builds `functions/<name>` and lays its image out, or finds it in the cache: the same sources are the same image. */
export async function buildFunction(
  name: string,
  options: ToolsOptions,
  build: FunctionBuild = "compiled",
): Promise<ReadyImage> {
  const source = join(options.paths.root, "functions", name);
  const version = crateVersion(name, source, options);
  const script = STEPS[build].join("; ").replaceAll("$NAME", name);
  const folder = await ensureArtifact(
    {
      name: `function ${name}${build === "compiled" ? "" : ` (${build})`}`,
      key: [script, process.arch, ...sourceTexts(source)],
      doing: "compiling",
      make: async (staging, task) => {
        const [out, work] = [join(staging, "build"), join(staging, "work")];
        [out, work].forEach((path) => mkdirSync(path));
        const step = { source, out, work, script, onLine: (line: string) => task.update(line.trim().slice(0, 60)) };
        const result = await buildInside(step, options);
        if (result.code !== 0) throw buildFailure(name, source, result.stdout + result.stderr, options);
        // Beside the layout, for those who build images by other means.
        const module = join(staging, programPath(name, build));
        renameSync(join(out, "app"), module);
        keepSummary(staging, await layOut(staging, { name, version, build }, readFileSync(module)));
        [out, work].forEach((path) => rmSync(path, { recursive: true }));
      },
    },
    options,
  );
  const reference = `${FUNCTIONS_REGISTRY}/${name}:${version}`;
  return { reference, source: `functions/${name}, ${build}`, folder, ...readSummary(folder) };
}

async function layOut(
  folder: string,
  { name, version, build }: { name: string; version: string; build: FunctionBuild },
  app: Buffer,
): Promise<Layout> {
  const path = programPath(name, build);
  const image = (of: string): Image => ({
    files: [{ path, content: app }],
    entrypoint: [path],
    user: "65532:65532",
    architecture: of,
    labels: {
      "org.opencontainers.image.title": name,
      "org.opencontainers.image.version": version,
      [LABEL]: build,
    },
  });
  const architectures = build === "portable" ? ["amd64", "arm64"] : [architecture()];
  const layout = await writeLayout(folder, architectures.map(image), LAYOUT_TAG);
  if (build === "native" || layout.size <= MOST_BYTES) return layout;
  throw new ProblemsError("The function's image is too large", [
    {
      path: `functions/${name}`,
      value: `${layout.size} bytes`,
      limit: `every agent pulls it while requests wait, so it may have ${MOST_BYTES}`,
      fix: "drop dependencies, or have Cargo.toml optimize for size",
    },
  ]);
}

/** The path of the program in the image, and in the folder of its layout. */
export function programPath(name: string, build: FunctionBuild): string {
  return build === "native" ? `/${name}` : "/app.wasm";
}

/** The version is the tag: one that a stack names must be the one that is built. */
function crateVersion(name: string, source: string, { paths }: ToolsOptions): string {
  const manifest = join(source, "Cargo.toml");
  if (!existsSync(manifest)) {
    const folder = join(paths.root, "functions");
    const known = existsSync(folder)
      ? readdirSync(folder).filter((each) => existsSync(join(folder, each, "Cargo.toml")))
      : [];
    throw new ProblemsError("There is no such function", [
      {
        path: "FUNCTION",
        value: name,
        limit: `${relative(paths.root, manifest)} does not exist`,
        fix: known.length > 0 ? `use one of ${known.join(", ")}` : "make a crate there",
      },
    ]);
  }
  // Of the package, not of a dependency.
  const version = /^version\s*=\s*"([^"]+)"/m.exec(
    /^\[package\]$([^]*?)(?=^\[|(?![^]))/m.exec(readFileSync(manifest, "utf8"))?.[1] ?? "",
  )?.[1];
  if (version !== undefined) return version;
  throw new ProblemsError("The function cannot be built", [
    { path: manifest, value: "no version", limit: "it becomes the image's tag", fix: 'add version = "0.1.0"' },
  ]);
}

/** Every source file with its name, in a fixed order. */
function sourceTexts(folder: string, at = ""): string[] {
  return readdirSync(join(folder, at))
    .filter(
      (name) => at !== "" || name === ".cargo" || (name !== "target" && name !== "tests" && !name.startsWith(".")),
    )
    .sort()
    .flatMap((name) => {
      const file = join(at, name);
      if (statSync(join(folder, file)).isDirectory()) return sourceTexts(folder, file);
      return [file, readFileSync(join(folder, file), "utf8")];
    });
}

function buildFailure(name: string, source: string, output: string, { paths }: ToolsOptions): Error {
  if (saysDiskFull(output)) return diskFull(paths.cache, `building functions/${name}`);
  const log = keepLog(paths, `build-${name}`, output);
  const reason = output.split("\n").find((line) => /^error/.test(line)) ?? output.trim().split("\n").pop() ?? "";
  return new ProblemsError("The function cannot be built", [
    {
      path: source,
      value: reason.slice(0, 300),
      limit: "it builds for wasm32-wasip1 with Debian's Rust",
      fix: `see ${log}`,
    },
  ]);
}
