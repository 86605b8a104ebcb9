import type { Problem } from "../../infra/problems";
import type { Facts } from "./facts";
import type { StackPolicyName } from "./names";

/** A resource as the program registers it, before a provider has seen it. */
export interface Judged {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** Its inputs, secrets in clear. Reading what a preview cannot know yet throws: see `judgement`. */
  readonly props: Readonly<Record<string, unknown>>;
  readonly protect: boolean;
  readonly ignoreChanges: readonly string[];
}

/** What is wrong: where (path), what (value), why (limit) and how to fix it. */
export type Report = (problem: Problem) => void;

/** The same, of a resource among others. */
export type ReportAt = (resource: Judged, problem: Problem) => void;

interface Named {
  readonly name: StackPolicyName;
  /** What holds where nobody breaks it, in a sentence. */
  readonly description: string;
}

/** Judges one resource, before it is created or changed. */
export interface ResourcePolicy extends Named {
  /** One judgement as a whole, which an unknown value ends: what has to be judged all the same is one of its own within. */
  readonly judge: (resource: Judged, facts: Facts, report: Report) => void;
}

/** Judges all resources together, when the program has registered them. */
export interface GraphPolicy extends Named {
  readonly judgeAll: (resources: readonly Judged[], facts: Facts, report: ReportAt) => void;
}

export type StackPolicy = ResourcePolicy | GraphPolicy;

/**
 * One judgement, which rests on values that a preview may not know: then it is passed over, it alone, and the `up`
 * makes it when the value is there, before the resource is created.
 */
export function judgement(judge: () => void): void {
  ifKnown(judge);
}

/** What `read` gives, or undefined where a preview cannot know it. */
export function ifKnown<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isUnknown(error)) return undefined;
    throw error;
  }
}

/** The SDK throws it at the very read, and gives its class away to nobody who does not load the whole of it. */
function isUnknown(error: unknown): boolean {
  return error instanceof Error && "unknownTypeSentinel" in error;
}
