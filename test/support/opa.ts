import { run } from "../../local/run";

/** Of a test of a policy, as far as it is looked at; what passes has none of the two. */
export interface RegoResult {
  readonly fail?: boolean;
  readonly skip?: boolean;
}

export interface RegoCoverage {
  /** Percent of the lines. */
  readonly coverage: number;
  /** By path. */
  readonly files: Readonly<Record<string, unknown>>;
}

/** Objects that are kept beside policies are no data of theirs. */
const NO_OBJECTS = "--ignore=*.yaml";

/** Runs the tests of the policies in a folder. */
export async function testRego(opa: string, folder: string): Promise<readonly RegoResult[]> {
  return JSON.parse(await run(opa, ["test", "--format=json", NO_OBJECTS, folder])) as RegoResult[];
}

/** What of the policies in a folder their tests reach. */
export async function coverRego(opa: string, folder: string): Promise<RegoCoverage> {
  return JSON.parse(await run(opa, ["test", "--format=json", "--coverage", NO_OBJECTS, folder])) as RegoCoverage;
}

/** What opa says of their form and of what they name and import; nothing where all is well. */
export async function lintRego(opa: string, folder: string): Promise<string> {
  return `${await run(opa, ["fmt", "--diff", "--fail", folder])}${await run(opa, ["check", "--strict", NO_OBJECTS, folder])}`;
}
