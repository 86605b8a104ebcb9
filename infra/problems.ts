/** One thing that is wrong with a config or a plan, told so that the reader can mend it. */
export interface Problem {
  /** Where: the config path, for example `functions.checkout.scaling.max`. */
  readonly path: string;
  /** What was found there, as the user wrote it; secrets never come here. */
  readonly value: string;
  /** The limit or form that the value breaks. */
  readonly limit: string;
  /** What to do about it. */
  readonly fix: string;
}

export function formatProblem(problem: Problem): string {
  return `${problem.path}: ${problem.value}: ${problem.limit}; ${problem.fix}`;
}

/** Every problem of one step in one error, so that a user mends a config in one round. */
export class ProblemsError extends Error {
  override readonly name = "ProblemsError";

  constructor(
    /** What could not be done, for example "The config is not valid". */
    readonly summary: string,
    readonly problems: readonly Problem[],
  ) {
    super([`${summary} (${count(problems.length)}):`, ...problems.map((p) => `  - ${formatProblem(p)}`)].join("\n"));
  }
}

function count(problems: number): string {
  return problems === 1 ? "1 problem" : `${problems} problems`;
}
