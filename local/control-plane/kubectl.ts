import { join } from "node:path";
import type { Paths } from "../paths";
import { run, type RunOptions } from "../run";

/** kubectl on one cluster, with its caches kept out of the user's home. */
export interface Kubectl {
  (args: readonly string[], options?: Pick<RunOptions, "input" | "timeout">): Promise<string>;
}

export function kubectlFor(paths: Paths, kubeconfig: string = paths.kubeconfig): Kubectl {
  const [file, ...common] = kubectlCommand(paths, kubeconfig);
  return (args, options) => run(file, [...common, ...args], { timeout: 60_000, ...options });
}

/** The program and its first arguments, for whoever has it run on. */
export function kubectlCommand(paths: Paths, kubeconfig: string): readonly [string, ...string[]] {
  // An empty path would make kubectl fall back to the user's own cluster.
  if (kubeconfig === "") throw new Error("kubectl needs a kubeconfig");
  return [join(paths.bin, "kubectl"), "--kubeconfig", kubeconfig, "--cache-dir", join(paths.state, "kube-cache")];
}

/** Between two attempts that a webhook stands in the way of. */
const AGAIN_MS = 1000;

/**
 * `apply` while the pods that a webhook asks may still be coming back: with one that fails closed it is tried again until
 * they answer. What a webhook refuses is refused at once.
 *
 * @throws CommandError the last answer, after so many seconds
 */
export async function applyOnceAdmitted(kubectl: Kubectl, objects: readonly object[], seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    try {
      await apply(kubectl, objects);
      return;
    } catch (error) {
      if (!String(error).includes("failed calling webhook") || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** Whom the API server notes as the owner of what is applied from here. */
export const FIELD_MANAGER = "wasm-functions-local";

/** Creates or changes these objects, as one field manager of our own. */
export async function apply(kubectl: Kubectl, objects: readonly object[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  await kubectl(["apply", "--server-side", "--force-conflicts", `--field-manager=${FIELD_MANAGER}`, "-f", "-"], {
    input: JSON.stringify(list),
  });
}
