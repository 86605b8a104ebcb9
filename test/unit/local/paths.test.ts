import { expect, it } from "vitest";
import { projectPaths } from "../../../local/paths";

it("puts everything under .local, which git ignores", () => {
  const { root, toolSources, ...written } = projectPaths("/project", {});
  expect(root).toBe("/project");
  expect(toolSources).toBe("/project/local/tools");
  for (const path of Object.values(written)) expect(path).toMatch(/^\/project\/\.local(\/|$)/);
});

it("moves the cache alone by its variable", () => {
  const paths = projectPaths("/project", { WASM_FUNCTIONS_CACHE: "/shared" });
  expect(paths.cache).toBe("/shared");
  expect(paths.bin).toBe("/project/.local/bin");
});

it("moves everything but the cache by the home's variable", () => {
  const paths = projectPaths("/project", { WASM_FUNCTIONS_HOME: "/elsewhere" });
  expect(paths).toMatchObject({ state: "/elsewhere/state", bin: "/elsewhere/bin", cache: "/project/.local/cache" });
});

it("lets the argument win over the environment, and reads relative paths from the root", () => {
  const env = { WASM_FUNCTIONS_HOME: "/elsewhere", WASM_FUNCTIONS_CACHE: "../cache" };
  expect(projectPaths("/project", env, "here")).toMatchObject({ home: "/project/here", cache: "/cache" });
});

it("takes an empty variable for none", () => {
  const paths = projectPaths("/project", { WASM_FUNCTIONS_HOME: "", WASM_FUNCTIONS_CACHE: "" });
  expect(paths).toEqual(projectPaths("/project", {}));
});
