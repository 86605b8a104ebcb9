import { ProblemsError } from "../infra/problems";
import { assertOwner, kubeconfigOf, secretKubeconfig, whyUnreachable, type Session } from "./engine/commands";
import { isDisposable, type StackFile } from "./engine/stack-file";
import { readIfExists } from "./files";
import { ensureTools } from "./tools/resolve";

/**
 * Before a stack's cluster is asked by kubectl, which is made ready.
 *
 * @param summary - what cannot be done without it
 * @throws ProblemsError where the stack is not up, or only the engine can ask its cluster
 */
export async function assertUp({ paths, progress, signal }: Session, file: StackFile, summary: string): Promise<void> {
  const kubeconfig = kubeconfigOf(paths, file);
  if (kubeconfig === "") throw new ProblemsError("The cluster cannot be asked", [secretKubeconfig(file)]);
  if (isDisposable(file.config)) assertOwner(paths, file);
  const notUp = (reason: string) =>
    new ProblemsError(summary, [
      {
        path: "STACK",
        value: file.stack,
        limit: `is not up: ${reason}`,
        fix: isDisposable(file.config)
          ? `make up STACK=${file.stack}`
          : "correct cluster.kubeconfig, or start the cluster",
      },
    ]);
  if (readIfExists(kubeconfig) === undefined) throw notUp(`there is no ${kubeconfig}`);
  await ensureTools(["kubectl"], { paths, progress, signal });
  const reason = await whyUnreachable(paths, file);
  if (reason !== undefined) throw notUp(reason);
}
