import { setTimeout as sleep } from "node:timers/promises";
import { MERGE_PATCH } from "../api";
import type { FaultOf } from "./schema";
import type { Action, World } from "./world";

const ANNOTATION = "wasm-functions/surge-rollout";

interface Deployment {
  readonly metadata: { readonly generation: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
  };
}

/**
 * A release in the middle of the sale: each pod is replaced by one of another template, as another image's digest would have
 * it. It is over when no old pod is left. When the run ends the template is again what it was, and the pods roll once more.
 */
export function rollout(_: FaultOf<"rollout">, { api, scenario, signal }: World): Action {
  const { name, tenant } = scenario.fn;
  const path = `/apis/apps/v1/namespaces/${tenant}/deployments/${name}`;
  const annotate = (value: string | null) =>
    api.patch(path, MERGE_PATCH, { spec: { template: { metadata: { annotations: { [ANNOTATION]: value } } } } });
  return {
    what: `${name} rolls`,
    begin: () => annotate(new Date().toISOString()),
    undo: () => annotate(null),
    over: async () => {
      while (!signal.aborted) {
        // An API server that does not answer says nothing of the rollout.
        const deployment = await api.get<Deployment>(path).catch(() => undefined);
        if (deployment && isRolled(deployment)) return;
        await sleep(1000, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

/** As `kubectl rollout status` judges it. */
function isRolled({ metadata, status }: Deployment): boolean {
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  return observedGeneration >= metadata.generation && updatedReplicas === replicas && availableReplicas === replicas;
}
