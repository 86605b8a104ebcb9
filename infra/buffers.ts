import type { FunctionConfig, StackConfig } from "./config";

/** The Deployment of the pods that keep room on nodes for a function's own, where it has some. */
export function bufferName({ name }: Pick<FunctionConfig, "name">): string {
  return `${name}-buffer`;
}

/** The function that a Deployment of this name keeps room for. */
export function keepsRoomFor(functions: StackConfig["functions"], name: string): FunctionConfig | undefined {
  return buffered(functions).find((fn) => bufferName(fn) === name);
}

/** Functions that have pods which keep room for theirs. */
export function buffered(functions: StackConfig["functions"]): FunctionConfig[] {
  return functions.filter(({ scaling }) => scaling.buffer > 0);
}
