import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StackConfig } from "../../../../infra/config";
import { TOOL_VERSIONS } from "../../../../infra/versions";
import { installPlugins, pluginsOf, type PluginTool } from "../../../../local/engine/plugins";
import { projectPaths, type Paths } from "../../../../local/paths";

describe("the plugins that a stack's program asks for", () => {
  const of = (kind: StackConfig["cluster"]["kind"], enabled = true, grafana = true) =>
    pluginsOf({ cluster: { kind }, observability: { enabled, grafana: { enabled: grafana } } } as StackConfig);

  it("are those that enter hosts only where K3s is set up on them", () => {
    const onHosts = ["pulumi-resource-kubernetes", "pulumi-resource-command", "pulumi-resource-random"];
    expect(of("k3s")).toEqual(onHosts);
    expect(of("k3s", false)).toEqual(onHosts);
  });

  it("are those that make a password only where there is a Grafana", () => {
    expect(of("existing")).toEqual(["pulumi-resource-kubernetes", "pulumi-resource-random"]);
    expect(of("existing", true, false)).toEqual(["pulumi-resource-kubernetes"]);
    expect(of("existing", false)).toEqual(["pulumi-resource-kubernetes"]);
  });
});

describe("installing a plugin", () => {
  const PLUGIN = "pulumi-resource-command" satisfies PluginTool;
  const VERSION = TOOL_VERSIONS[PLUGIN];
  let folder: string;
  let paths: Paths;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "plugins-"));
    paths = projectPaths(folder, {});
    fs.mkdirSync(paths.bin, { recursive: true });
    // Stands in for the engine: it makes the plugin's folder anew and writes down how it was called.
    const script = `#!/bin/sh\necho "$PULUMI_HOME $*" >>'${calls()}'\nrm -rf '${target()}'\nmkdir -p '${target()}'\n`;
    fs.writeFileSync(path.join(paths.bin, "pulumi"), script, { mode: 0o755 });
    make("first");
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  const target = () => path.join(paths.pulumiHome, "plugins", `resource-command-v${VERSION}`);
  const calls = () => path.join(folder, "calls");
  const called = () => fs.readFileSync(calls(), "utf8").trim().split("\n");

  /** As the cache of tools does: a folder for each content, and a link to the one in use. */
  function make(content: string): void {
    const made = path.join(folder, content);
    fs.writeFileSync(made, content);
    fs.rmSync(path.join(paths.bin, PLUGIN), { force: true });
    fs.symlinkSync(made, path.join(paths.bin, PLUGIN));
  }

  it("hands the engine the tool, once", async () => {
    await installPlugins(paths, [PLUGIN]);
    await installPlugins(paths, [PLUGIN]);
    const file = path.join(paths.bin, PLUGIN);
    expect(called()).toEqual([
      `${paths.pulumiHome} plugin install resource command ${VERSION} --reinstall --file ${file}`,
    ]);
  });

  it("is done again where it was broken off, or the tool is another of the same version", async () => {
    await installPlugins(paths, [PLUGIN]);
    fs.writeFileSync(`${target()}.partial`, "");
    await installPlugins(paths, [PLUGIN]);
    fs.rmSync(`${target()}.partial`);
    make("second");
    await installPlugins(paths, [PLUGIN]);
    expect(called()).toHaveLength(3);
  });
});
