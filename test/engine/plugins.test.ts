import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { run } from "../../local/run";

const SOURCES = resolve(__dirname, "../../local/tools");
/** As the tools are built, so that what was compiled for them serves. */
const FLAGS = ["-trimpath", "-buildvcs=false", "-gcflags=all=-N -l", "-ldflags=-s -w"];
const ENV = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOTOOLCHAIN: "local", GOWORK: "off" };

it("the stand-in for the command plugin passes its own tests", { timeout: 600_000 }, async () => {
  const cwd = join(SOURCES, "pulumi-resource-command");
  expect(await run("go", ["test", ...FLAGS, "./..."], { cwd, env: ENV, timeout: 600_000 })).toMatch(/^ok /);
});
