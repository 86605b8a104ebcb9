import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildFunction } from "../../local/images/function";
import { buildInside } from "../../local/node/build-root";
import { ensureRootFs } from "../../local/node/root-fs";
import { CACHE_VARIABLE, projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { CANNOT_RUN } from "../support/real-stack";

const REPOSITORY = resolve(__dirname, "../..");

describe.skipIf(CANNOT_RUN)("the sample function", () => {
  const options = { paths: projectPaths(REPOSITORY), progress: silentProgress };
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "function-"));
    await ensureRootFs("build", options);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("passes its own tests, with the compiler that builds it", async () => {
    const [out, work] = [join(folder, "out"), join(folder, "work")];
    [out, work].forEach((path) => mkdirSync(path));
    const source = join(REPOSITORY, "functions/checkout");
    const result = await buildInside(
      { source, out, work, script: "cargo test --locked", onLine: () => undefined },
      options,
    );
    expect(result.code, result.stdout + result.stderr).toBe(0);
    const passed = [...result.stdout.matchAll(/^test result: ok\. (\d+) passed/gm)].map(([, count]) => Number(count));
    expect(passed.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(60);
  });

  it("is the same image when it is built again elsewhere", async () => {
    const first = await buildFunction("checkout", options);
    const cache = join(folder, "cache");
    mkdirSync(cache);
    for (const name of readdirSync(options.paths.cache).filter((each) => each.startsWith("root-file-system-build-"))) {
      symlinkSync(join(options.paths.cache, name), join(cache, name));
    }
    const paths = projectPaths(REPOSITORY, { [CACHE_VARIABLE]: cache });
    const second = await buildFunction("checkout", { ...options, paths });
    expect(second.folder).not.toBe(first.folder);
    expect(second.digest).toBe(first.digest);
    expect(second.size).toBeLessThan(1_000_000);
  });

  it("has a portable build for every architecture, which is another image", async () => {
    const compiled = await buildFunction("checkout", options);
    const portable = await buildFunction("checkout", options, "portable");
    expect(portable.digest).not.toBe(compiled.digest);
    expect(portable.size).toBeLessThan(compiled.size);
  });
});
