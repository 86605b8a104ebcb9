import type { Session } from "../engine/commands";

/**
 * One step on hosts, told as it goes. It is finished whatever the user asks meanwhile; whether to go on is asked before the
 * next.
 */
export async function step<T>(
  { progress, signal }: Pick<Session, "progress" | "signal">,
  name: string,
  doing: string,
  work: (update: (doing: string) => void) => Promise<T>,
  outcome: (result: T) => string = () => "done",
): Promise<T> {
  signal.throwIfAborted();
  const task = progress.task(name, doing);
  try {
    const result = await work(task.update);
    task.done(outcome(result));
    return result;
  } catch (error) {
    task.fail("failed");
    throw error;
  }
}
