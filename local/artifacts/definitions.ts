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
  const leftOut: string[] = [];
  const problems: Problem[] = [];
  const clean = (value: unknown, path: string): unknown => {
    if (typeof value === "string" && LOGIN.test(value)) problems.push(login(path));
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item, i) => clean(item, `${path}[${i}]`));
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, item]) => {
        const at = path === "" ? key : `${path}.${key}`;
        if (!isSecret(at, item)) return [[key, clean(item, at)]];
        leftOut.push(at);
        return [];
      }),
    );
  };
  const cleaned = clean(config, "") as Readonly<Record<string, unknown>>;
  if (problems.length > 0) throw new ProblemsError("The stack's file has a secret where none belongs", problems);
  return { settings: { ...(secretsprovider !== undefined && { secretsprovider }), config: cleaned }, leftOut };
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
