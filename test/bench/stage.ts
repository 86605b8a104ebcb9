import { setTimeout as sleep } from "node:timers/promises";
import type { Kubectl } from "../../local/control-plane/kubectl";
import type { KubernetesObject } from "./objects";

const GONE_SECONDS = 60;

/** What every turn has to find and to leave, or times would not compare. Asked outside of what is timed. */
export interface Stage {
  /** @throws unless every Deployment has all of its pods ready */
  readonly assertReady: () => Promise<void>;
  /** Resolves when nothing is left of the objects, nor of what was made for them. */
  readonly untilGone: () => Promise<void>;
}

interface DeploymentList {
  readonly items: readonly {
    readonly spec: { readonly replicas: number };
    readonly status: { readonly readyReplicas?: number };
  }[];
}

export function createStage(kubectl: Kubectl, objects: readonly KubernetesObject[]): Stage {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const expected = objects.filter((object) => object.kind === "Deployment").length;
  return {
    assertReady: async () => {
      const found = JSON.parse(await kubectl(["get", "deployments", "-A", "-o", "json"])) as DeploymentList;
      const ready = found.items.filter(({ spec, status }) => status.readyReplicas === spec.replicas);
      if (ready.length !== expected) throw new Error(`${ready.length} of ${expected} Deployments are ready`);
    },
    untilGone: async () => {
      const deadline = Date.now() + GONE_SECONDS * 1000;
      for (;;) {
        const own = await kubectl(["get", "--ignore-not-found", "-o", "name", "-f", "-"], { input });
        const pods = await kubectl(["get", "pods", "-A", "-o", "name"]);
        const left = `${own}${pods}`.split("\n").filter((name) => name !== "");
        if (left.length === 0) return;
        if (Date.now() > deadline) throw new Error(`Not gone after ${GONE_SECONDS} s: ${left.slice(0, 5).join(", ")}`);
        await sleep(200);
      }
    },
  };
}
