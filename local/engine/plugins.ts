import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { StackConfig } from "../../infra/config";
import { TOOL_VERSIONS } from "../../infra/versions";
import { readIfExists, writeFileAtomic } from "../files";
import type { Paths } from "../paths";
import { run } from "../run";
import { TOOL_GROUPS } from "../tools/catalog";

const PREFIX = "pulumi-resource-";

export type PluginTool = Extract<keyof typeof TOOL_VERSIONS, `${typeof PREFIX}${string}`>;

/** The plugins that a stack's program asks the engine for. Random values are tokens of hosts and Grafana's password. */
export function pluginsOf({
  cluster,
  observability,
}: Pick<StackConfig, "cluster" | "observability">): readonly PluginTool[] {
  const grafana = observability.enabled && observability.grafana.enabled;
  return [
    "pulumi-resource-kubernetes",
    ...(cluster.kind === "k3s" ? TOOL_GROUPS.hosts : []),
    ...(cluster.kind === "k3s" || grafana ? (["pulumi-resource-random"] as const) : []),
  ];
}

/** Into the engine's own plugin folder, so that it finds exactly these and does not look for newer ones. */
export async function installPlugins(paths: Paths, plugins: readonly PluginTool[]): Promise<void> {
  for (const plugin of plugins) await install(paths, plugin);
}

/** One of the engine's plugins, as its own folder calls it. */
export interface Plugin {
  readonly kind: "resource" | "analyzer";
  readonly name: string;
  readonly version: string;
}

async function install(paths: Paths, tool: PluginTool): Promise<void> {
  const plugin = { kind: "resource", name: tool.slice(PREFIX.length), version: TOOL_VERSIONS[tool] } as const;
  await installPlugin(paths, plugin, join(paths.bin, tool));
}

/** Installs a plugin from a file, unless it is there already and of this very file. */
export async function installPlugin(paths: Paths, { kind, name, version }: Plugin, file: string): Promise<void> {
  const folder = join(paths.pulumiHome, "plugins", `${kind}-${name}-v${version}`);
  // The cache has a folder for each content: the same version may have been built or downloaded anew.
  const note = join(folder, "made-from");
  const origin = realpathSync(file);
  // The engine marks an installation that was broken off, by a file beside it.
  if (readIfExists(note) === origin && !existsSync(`${folder}.partial`)) return;
  await run(join(paths.bin, "pulumi"), ["plugin", "install", kind, name, version, "--reinstall", "--file", file], {
    env: { ...process.env, PULUMI_HOME: paths.pulumiHome, PULUMI_SKIP_UPDATE_CHECK: "true" },
    timeout: 120_000,
  });
  writeFileAtomic(note, origin);
}
