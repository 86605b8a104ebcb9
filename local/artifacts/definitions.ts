import type { FunctionConfig } from "../../infra/config";
import { SECRET_KEYS } from "../../infra/config";
import { ProblemsError, type Problem } from "../../infra/problems";
import { PROJECT, type StackSettings } from "../engine/stack-file";

/** A stack's settings that anybody may read, and what was left out for that. */
export interface Definitions {
  readonly settings: StackSettings;
  /** The keys, in full. */
  readonly leftOut: readonly string[];
}

/** A URL with a user's name and password in it. */
const LOGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/\s@]+@/i;

/**
 * The stack's settings without its secrets, and without what they are encrypted with.
 *
 * @throws ProblemsError where a secret stands in what is no secret
 */
export function withoutSecrets({ config = {}, secretsprovider }: StackSettings): Definitions {
  assertNoLogin(config);
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

/**
 * A URL goes into what is kept, into messages and into previews, so no password may be in one.
 *
 * @throws ProblemsError with all that have one
 */
export function assertNoLogin(config: object = {}): void {
  const problems: Problem[] = [];
  const look = (value: unknown, path: string): void => {
    if (typeof value === "string" && LOGIN.test(value)) problems.push(login(path));
    if (typeof value !== "object" || value === null) return;
    // A secret may be a URL of any kind: it goes nowhere.
    for (const [, item, at] of entriesOf(value, path)) if (!isSecret(at, item)) look(item, at);
  };
  look(config, "");
  if (problems.length > 0) throw new ProblemsError("The stack's file has a secret where none belongs", problems);
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

function login(path: string): Problem {
  return {
    path: path.replace(`${PROJECT}:`, ""),
    value: "(not shown)",
    limit: "a URL must not hold a user and a password, which would be in clear in whatever is kept",
    fix: "drop them from it, and let the server in the network answer without them",
  };
}

/** The settings with an image for each function, in their order; one that was left to its default is named, too. */
export function withImages(
  settings: StackSettings,
  functions: readonly Pick<FunctionConfig, "name">[],
  image: (name: string) => string,
): StackSettings {
  const key = `${PROJECT}:functions`;
  const raw = (settings.config?.[key] ?? [{}]) as readonly object[];
  const named = raw.map((fn, i) => ({ ...fn, image: image(functions[i]?.name ?? "") }));
  return { ...settings, config: { ...settings.config, [key]: named } };
}
