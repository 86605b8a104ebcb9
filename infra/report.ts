import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "./config";
import type { Plan } from "./plan";
import { summarize } from "./plan/summary";
import { formatProblem, ProblemsError } from "./problems";

/** What a user is told while the program runs: warnings always, the plan's figures in a preview. */
export async function report(args: {
  readonly config: StackConfig;
  readonly plan: Plan;
  /** What else there is to say, where there is. */
  readonly warnings: readonly (string | undefined)[];
  readonly preview: boolean;
}): Promise<void> {
  const { config, plan, warnings, preview } = args;
  for (const warning of plan.warnings) await pulumi.log.warn(formatProblem(warning));
  for (const warning of warnings) if (warning !== undefined) await pulumi.log.warn(warning);
  if (preview) await pulumi.log.info(summarize(plan, config).join("\n"));
}

/** Runs a step whose problems are the user's to mend: they are shown as they are, without a stack trace. */
export function readable<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw error instanceof ProblemsError ? withoutStack(new pulumi.RunError(error.message)) : error;
  }
}

/** The SDK's runner colours a stack trace with a pattern that takes Node 20 half a minute on this one. */
function withoutStack(error: Error): Error {
  delete error.stack;
  return error;
}
