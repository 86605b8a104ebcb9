import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { planStack } from "../../infra/plan";
import { ProblemsError } from "../../infra/problems";
import type { Session } from "../engine/commands";
import { readStackFile } from "../engine/stack-file";
import { writeFileAtomic } from "../files";
import { planFigures, type PlanFigures } from "./figures";
import { planMarkdown } from "./markdown";

const schema = z.strictObject({
  stack: z.string(),
  figures: z.record(z.string(), z.string()),
  warnings: z.array(z.string()),
});

/**
 * `make plan`: what a stack's file comes to, as Markdown; no engine and no cluster is asked. PLAN names a file that it is
 * kept in for later, AGAINST one that was kept before, with which it is compared.
 *
 * @throws ProblemsError when the config is not valid, the plan cannot hold, or AGAINST is no plan of this stack
 */
export function plan({ paths, print }: Session, stackName: string): Promise<void> {
  const { PLAN: keep, AGAINST: against } = process.env;
  const before = against ? readPlan(resolve(paths.root, against), stackName) : undefined;
  const { config } = readStackFile(paths.root, stackName);
  const figures = planFigures(stackName, config, planStack(config));
  if (keep) writeFileAtomic(resolve(paths.root, keep), `${JSON.stringify(figures, undefined, 2)}\n`);
  print(planMarkdown(figures, before));
  return Promise.resolve();
}

function readPlan(path: string, stack: string): PlanFigures {
  const refused = (limit: string) =>
    new ProblemsError("The plans cannot be compared", [
      { path: "AGAINST", value: path, limit, fix: `keep one first: make plan STACK=${stack} PLAN=${path}` },
    ]);
  let kept: unknown;
  try {
    kept = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw refused(error instanceof SyntaxError ? "it is not JSON" : "it cannot be read");
  }
  const { data } = schema.safeParse(kept);
  if (data === undefined) throw refused("it is not a plan that make plan kept");
  if (data.stack !== stack) throw refused(`it is a plan of stack ${data.stack}`);
  return data;
}
