import { createInterface } from "node:readline/promises";
import { ProblemsError } from "../infra/problems";

/**
 * Asks for a stack's name before what cannot be taken back.
 *
 * @param warning - what will happen
 * @param refusal - what is told where the name does not come
 * @throws ProblemsError unless the name is typed
 */
export async function confirmByName(
  print: (text: string) => void,
  stackName: string,
  warning: string,
  refusal: string,
): Promise<void> {
  print(warning);
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  // Without anybody to answer the input just ends, and a question would wait for ever.
  const ended = new Promise<string>((answer) => lines.once("close", () => answer("")));
  const answer = await Promise.race([lines.question("Type the stack's name to go on: "), ended]);
  lines.close();
  if (answer.trim() === stackName) return;
  throw new ProblemsError(refusal, [
    {
      path: "STACK",
      value: answer.trim() || "no answer",
      limit: `is not ${stackName}`,
      fix: "run it again and type the stack's name",
    },
  ]);
}
