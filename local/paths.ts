import * as path from "node:path";

/** Every path that the local commands write to, all of them absolute. */
export interface Paths {
  /** The project's root, where Pulumi.yaml lies. */
  readonly root: string;
  /** The folder that git ignores and that holds all that is made here; `make down` first, as what runs is known by its files. */
  readonly home: string;
  /** Symbolic links, one for each tool, to what is in use: what goes on the PATH of child processes. */
  readonly bin: string;
  /** Tools that were downloaded or built; several clones may share one. */
  readonly cache: string;
  /** The disposable stacks' Pulumi backend, passphrase and control plane. */
  readonly state: string;
  readonly kubeconfig: string;
  /** Pulumi's own home (PULUMI_HOME): plugins and settings, apart from the user's. */
  readonly pulumiHome: string;
  readonly logs: string;
  /** Temporary files of one command, credentials among them: removed when it ends. */
  readonly scratch: string;
  /** The modules that tools are built from, part of the source. */
  readonly toolSources: string;
}

/** Moves the cache of tools, so that a second clone or a CI cache need not build again. */
export const CACHE_VARIABLE = "WASM_FUNCTIONS_CACHE";

/** Moves everything else that is written, so that tests run beside a developer's own stack and share the cache. */
export const HOME_VARIABLE = "WASM_FUNCTIONS_HOME";

/**
 * All paths of one project.
 *
 * @param root - the project's root folder
 * @param env - the environment that may move the cache and the home; relative values count from the root
 * @param home - overrides the home, also the environment's; the cache stays where the environment or the project has it
 */
export function projectPaths(
  root: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
  home?: string,
): Paths {
  const project = path.resolve(root);
  const usual = path.join(project, ".local");
  const moved = path.resolve(project, home ?? (env[HOME_VARIABLE] || usual));
  return {
    root: project,
    home: moved,
    bin: path.join(moved, "bin"),
    cache: path.resolve(project, env[CACHE_VARIABLE] || path.join(usual, "cache")),
    state: path.join(moved, "state"),
    kubeconfig: path.join(moved, "kubeconfig"),
    pulumiHome: path.join(moved, "pulumi"),
    logs: path.join(moved, "logs"),
    // Of this process alone: another command that ends must not take them away.
    scratch: path.join(moved, "tmp", String(process.pid)),
    toolSources: path.join(project, "local", "tools"),
  };
}

/**
 * Keeps the user's `~/.pulumi` out of it. Whoever asks an engine only for its version, as the tool cache and the SDK
 * do, makes it create its home, so this process's own environment must name ours before anything runs.
 */
export function claimPulumiHome(paths: Paths): void {
  process.env["PULUMI_HOME"] = paths.pulumiHome;
}
