import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { CommandError, run } from "../../local/run";

/** What a constraint says about an object. */
export interface Finding {
  readonly policy: string;
  /** Of the policy's rules. */
  readonly rule: string;
  readonly message: string;
}

interface Result {
  readonly msg: string;
  readonly metadata: { readonly details: { readonly rule: string } };
  readonly constraint: { readonly metadata: { readonly name: string } };
}

/** Has gator judge objects as Gatekeeper would, by templates and constraints. */
export async function judge(
  gator: string,
  policies: readonly object[],
  objects: readonly object[],
): Promise<readonly Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), "wasm-functions-gator-"));
  const file = join(folder, "objects.yaml");
  try {
    writeFileSync(file, [...policies, ...objects].map(toYaml).join("---\n"));
    const output = await answer(run(gator, ["test", `--filename=${file}`, "--output=json"]));
    const results = JSON.parse(output) as readonly Result[] | null;
    return (results ?? []).map(({ msg, metadata, constraint }) => ({
      policy: constraint.metadata.name,
      rule: metadata.details.rule,
      message: msg,
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Strings in quotes: what reads it is of YAML 1.1, for which a bare `yes` is true. */
function toYaml(object: object): string {
  return stringify(object, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" });
}

/** gator ends with 1 where it has found something: that is an answer, if it can be read as one. */
async function answer(asked: Promise<string>): Promise<string> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof CommandError && error.output.trimStart().startsWith("[")) return error.output;
    throw error;
  }
}
