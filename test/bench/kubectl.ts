import type { Kubectl } from "../../local/control-plane/kubectl";
import type { Contestant } from "./contestant";
import type { KubernetesObject } from "./objects";

const MINUTES = 60_000;

/** Server-side apply and a wait for each rollout: what the objects cost without an engine. */
export function kubectlContestant(kubectl: Kubectl, objects: readonly KubernetesObject[]): Contestant {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const deployments = objects.filter((object) => object.kind === "Deployment");
  const withObjects = (...args: string[]) => kubectl([...args, "-f", "-"], { input, timeout: 2 * MINUTES });
  const apply = () => withObjects("apply", "--server-side", "--field-manager=bench");
  return {
    name: "kubectl",
    create: async () => {
      await apply();
      for (const { metadata } of deployments) {
        const args = ["rollout", "status", `deployment/${metadata.name}`, "-n", metadata.namespace ?? "default"];
        await kubectl(args, { timeout: 2 * MINUTES });
      }
    },
    createAgain: apply,
    // Ends with code 1 where anything differs.
    compare: () => withObjects("diff", "--server-side", "--field-manager=bench"),
    remove: () => withObjects("delete", "--wait=true", "--ignore-not-found"),
  };
}
