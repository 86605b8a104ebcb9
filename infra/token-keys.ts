import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "./config";

export interface TokenKeys {
  /** Public keys as JSON Web Keys; undefined where the config has them, or where they are published. */
  readonly keys: readonly Readonly<Record<string, unknown>>[] | undefined;
  /** Set in a preview of a stack whose file of keys is not there yet. */
  readonly warning?: string;
}

/**
 * Reads the issuer's keys where the config names a file that has them.
 *
 * @throws RunError when it is not there, outside of a preview, or is no set of public keys
 */
export function tokenKeys({ authorization: { jwt } }: StackConfig, projectRoot: string, preview: boolean): TokenKeys {
  if (jwt?.keysFile === undefined) return { keys: undefined };
  const file = path.resolve(projectRoot, jwt.keysFile);
  const tell = (problem: string) => `authorization.jwt.keysFile: ${file}: ${problem}`;
  if (!existsSync(file)) {
    const missing = tell("is not there; correct the path (for a cluster that `make up` starts, it writes it)");
    if (!preview) throw new pulumi.RunError(missing);
    return { keys: [], warning: `${missing}. Previewed without keys` };
  }
  const keys = keysIn(readFileSync(file, "utf8"));
  if (keys === undefined) throw new pulumi.RunError(tell('must be a JSON Web Key Set of public keys: {"keys": [...]}'));
  return { keys };
}

/** Of a private key nothing is taken, lest it come into the cluster. */
function keysIn(text: string): TokenKeys["keys"] {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown };
    if (!Array.isArray(keys) || keys.length === 0) return undefined;
    const all = keys as Record<string, unknown>[];
    return all.every((key) => typeof key["kty"] === "string" && !("d" in key) && !("k" in key)) ? all : undefined;
  } catch {
    return undefined;
  }
}
