import type { Problem } from "./problems";

/**
 * What is wrong with a secret of several values: it has these parts and no other.
 *
 * @param needed - whether it may not be missing altogether
 */
export function partsProblems(
  key: string,
  given: readonly string[],
  parts: readonly string[],
  needed: boolean,
): Problem[] {
  return [
    ...parts
      .filter((part) => needed && !given.includes(part))
      .map((part) => ({
        path: `${key}.${part}`,
        value: "missing",
        limit: `the parts of ${key} are ${parts.join(" and ")}`,
        fix: `set it: pulumi config set --secret --path '${key}["${part}"]' < its-file`,
      })),
    ...given
      .filter((part) => !parts.includes(part))
      .map((part) => ({
        path: `${key}.${part}`,
        value: "unknown key",
        limit: `the parts of ${key} are ${parts.join(" and ")}`,
        fix: "drop it",
      })),
  ];
}
