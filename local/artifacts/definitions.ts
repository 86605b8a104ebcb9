import type { FunctionConfig } from "../../infra/config";
import { SECRET_KEYS } from "../../infra/config";
import { PROJECT, type StackSettings } from "../engine/stack-file";

/** A stack's settings that anybody may read, and what was left out for that. */
export interface Definitions {
  readonly settings: StackSettings;
  /** The keys, in full. */
  readonly leftOut: readonly string[];
}

/** The stack's settings without its secrets, and without what they are encrypted with. */
export function withoutSecrets({ config = {}, secretsprovider }: StackSettings): Definitions {
  const leftOut: string[] = [];
  const clean = (value: unknown, path: string): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const kept = entriesOf(value, path).flatMap(([key, item, at]) => {
      if (!isSecret(at, item)) return [[key, clean(item, at)] as const];
      leftOut.push(at);
      return [];
    });
    return Array.isArray(value) ? kept.map(([, item]) => item) : Object.fromEntries(kept);
  };
  const cleaned = clean(config, "") as Readonly<Record<string, unknown>>;
  return { settings: { ...(secretsprovider !== undefined && { secretsprovider }), config: cleaned }, leftOut };
}

/** Key, value and path of each thing in an object or a list. */
function entriesOf(value: object, path: string): [string, unknown, string][] {
  const at = (key: string) => (Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`);
  return Object.entries(value).map(([key, item]) => [key, item, at(key)]);
}

/** By its key, also where it stands in plain text; or since it is encrypted. */
function isSecret(path: string, value: unknown): boolean {
  const isKey = SECRET_KEYS.some((key) => path === `${PROJECT}:${key}`);
  return isKey || (typeof value === "object" && value !== null && "secure" in value);
}

/**
 * The settings with an image for each function, in their order; one that was left to its default is named, too. Where images may
 * come from follows, or what was restored to another registry would be refused.
 */
export function withImages(
  settings: StackSettings,
  functions: readonly Pick<FunctionConfig, "name">[],
  image: (name: string) => string,
): StackSettings {
  const key = `${PROJECT}:functions`;
  const raw = (settings.config?.[key] ?? [{}]) as readonly object[];
  const named = raw.map((fn, i) => ({ ...fn, image: image(functions[i]?.name ?? "") }));
  return { ...settings, config: { ...settings.config, [key]: named, ...admitting(settings, named) } };
}

function admitting({ config }: StackSettings, named: readonly { readonly image: string }[]): object {
  const key = `${PROJECT}:admission`;
  const admission = config?.[key] as { readonly registries?: readonly string[] } | undefined;
  if (admission?.registries === undefined) return {};
  const { registries } = admission;
  const missing = named
    .filter(({ image }) => !registries.some((start) => image.startsWith(start)))
    .map(({ image }) => image.slice(0, image.indexOf("/") + 1));
  return { [key]: { ...admission, registries: [...registries, ...new Set(missing)] } };
}
