import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { parseConfig, SECRET_KEYS, SECRET_PRESENT, type StackConfig } from "../../infra/config";
import { ProblemsError } from "../../infra/problems";
import { readIfExists } from "../files";

/** The project's name, which is also the namespace of its config keys. */
export const PROJECT = "wasm-functions";

/** One stack's settings, as `Pulumi.<stack>.yaml` has them. */
export interface StackFile {
  readonly stack: string;
  readonly path: string;
  /** The whole file, for a work directory of our own. */
  readonly settings: StackSettings;
  readonly config: StackConfig;
}

export interface StackSettings {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly secretsprovider?: string;
  readonly encryptionsalt?: string;
  readonly encryptedkey?: string;
}

/**
 * Reads and checks a stack's file, so that what is wrong in it shows before anything is started.
 *
 * @throws ProblemsError when there is no such stack, the YAML is malformed, or the config is not valid
 */
export function readStackFile(root: string, stack: string): StackFile {
  const path = join(root, `Pulumi.${stack}.yaml`);
  if (!existsSync(path)) throw new ProblemsError("There is no such stack", [unknownStack(root, stack)]);
  const settings = withNamespaces(parseYaml(path, readIfExists(path) ?? ""));
  const raw: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(settings.config ?? {})) {
    if (key.startsWith(`${PROJECT}:`)) raw[key.slice(PROJECT.length + 1)] = value;
  }
  return { stack, path, settings, config: parseConfig(hideSecrets(raw)) };
}

/** A stack that lives and dies with `make up` and `make down` on this machine. */
export function isDisposable(config: StackConfig): boolean {
  return config.cluster.kind === "existing" && config.cluster.embedded !== undefined;
}

/** A key without a namespace is the project's: so the engine takes it. */
function withNamespaces(settings: StackSettings): StackSettings {
  const entries = Object.entries(settings.config ?? {});
  const config = entries.map(([key, value]) => [key.includes(":") ? key : `${PROJECT}:${key}`, value]);
  return { ...settings, config: Object.fromEntries(config) as Record<string, unknown> };
}

function parseYaml(path: string, text: string): StackSettings {
  try {
    const settings: unknown = parse(text, { prettyErrors: true });
    if (typeof settings === "object" && settings !== null && !Array.isArray(settings)) return settings;
    throw new Error("holds no settings");
  } catch (error) {
    // Its further lines quote the file, in which there may be secrets.
    const [reason = ""] = (error as Error).message.trim().split("\n");
    throw new ProblemsError("The stack's file cannot be read", [
      {
        path,
        value: "its content",
        limit: reason.replace(/:$/, ""),
        fix: "correct the YAML",
      },
    ]);
  }
}

function unknownStack(root: string, stack: string) {
  const known = readdirSync(root).flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? []);
  return {
    path: "STACK",
    value: stack,
    limit: `Pulumi.${stack}.yaml does not exist`,
    fix: known.length > 0 ? `use one of ${known.sort().join(", ")}` : "run this in the project's folder",
  };
}

/** Markers in place of secrets. Of one that is encrypted as a whole, only the program will see what is in it. */
function hideSecrets(raw: Record<string, unknown>): Record<string, unknown> {
  const isSecret = (key: string) => (SECRET_KEYS as readonly string[]).includes(key);
  return Object.fromEntries(
    Object.entries(raw).flatMap(([key, value]) => {
      if (!isSecret(key)) return [[key, value]];
      const isMap = typeof value === "object" && value !== null && !("secure" in value);
      if (isMap) return [[key, Object.fromEntries(Object.keys(value).map((name) => [name, SECRET_PRESENT]))]];
      return key === "kubeconfig" && value !== "" ? [[key, SECRET_PRESENT]] : [];
    }),
  );
}
