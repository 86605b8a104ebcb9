import { join } from "node:path";
import { stringify } from "yaml";
import { EXAMPLE_FACTS } from "./example";
import { ADMISSION_POLICIES } from "./index";
import { constraintOf, templateOf } from "./objects";
import type { GatekeeperObject } from "./policy";

export interface GeneratedFile {
  readonly path: string;
  readonly content: string;
}

const HEADER = "# Made by `make policy` from policy.ts and the Rego beside it";

/** What the repository keeps of each policy for reading, for gator and for clusters of others: template and constraint. */
export function generatedFiles(): readonly GeneratedFile[] {
  return ADMISSION_POLICIES.flatMap((policy) => [
    {
      path: join(__dirname, policy.name, "template.yaml"),
      content: `${HEADER}.\n${toYaml(templateOf(policy))}`,
    },
    {
      path: join(__dirname, policy.name, "constraint.yaml"),
      content: `${HEADER}, for the stack in example.ts.\n${toYaml(constraintOf(policy, EXAMPLE_FACTS, "deny"))}`,
    },
  ]);
}

function toYaml(object: GatekeeperObject): string {
  return stringify(object, { lineWidth: 0, aliasDuplicateObjects: false });
}
