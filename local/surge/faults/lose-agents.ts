import { setTimeout as sleep } from "node:timers/promises";
import type { Millis } from "../../../infra/units";
import { METRICS_PATH_ANNOTATION, metricsPath } from "../../simulated-nodes/nodes";
import { MERGE_PATCH } from "../api";
import type { FaultOf } from "./schema";
import type { Action, World } from "./world";

/** Nobody's: KWOK plays no kubelet of a node whose lease somebody else holds. */
const HOLDER = "lost-by-make-surge";
/** Until KWOK has seen what a node's annotation says. */
const SEEN: Millis = 500;
/** Between two looks whether nodes are given up. */
const LOOK: Millis = 500;
/** Seconds after the fault's end at which KWOK takes a node back by itself, where nobody is left to give it back. */
const SPARE = 60;

interface Node {
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

/**
 * Machines that are gone from one moment to the next: power, kernel, network. Their kubelets renew no lease, start and stop
 * nothing, and tell metrics-server nothing; their pods serve nobody, while the API server still calls them ready.
 *
 * The nodes' annotation is changed first. It hides the metrics, and has KWOK begin its wait for the next heartbeat anew, which
 * would else come from a lost node: within the next ten minutes there is none.
 */
export function loseAgents({ agents, for: duration }: FaultOf<"lose-agents">, world: World): Action {
  const { api, nodes, lost, signal } = world;
  const names = nodes.slice(-agents);
  const each = (change: (name: string) => Promise<void>) => Promise.all(names.map(change));
  const showMetrics = (name: string, path: string) =>
    api.patch(`/api/v1/nodes/${name}`, MERGE_PATCH, {
      metadata: { annotations: { [METRICS_PATH_ANNOTATION]: path } },
    });
  const giveLease = (name: string, spec: object) =>
    api.patch(`/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`, MERGE_PATCH, { spec });
  const isGivenUp = async (name: string) => {
    const { status } = await api.get<Node>(`/api/v1/nodes/${name}`);
    return status.conditions.some((condition) => condition.type === "Ready" && condition.status !== "True");
  };
  return {
    what: `${names.join(", ")} lost`,
    begin: async () => {
      await each((name) => showMetrics(name, "/lost"));
      await sleep(SEEN);
      const leaseDurationSeconds = Math.ceil(duration / 1000) + SPARE;
      await each((name) => giveLease(name, { holderIdentity: HOLDER, leaseDurationSeconds }));
      for (const name of names) lost.add(name);
    },
    noticed: async () => {
      while (!signal.aborted && names.every((name) => lost.has(name))) {
        const known = await Promise.all(names.map(isGivenUp)).catch(() => [false]);
        if (known.every(Boolean)) return true;
        await sleep(LOOK);
      }
      return false;
    },
    undo: async () => {
      // KWOK sets its own duration again when it takes one that nobody holds.
      await each((name) => giveLease(name, { holderIdentity: null }));
      await each((name) => showMetrics(name, metricsPath(name)));
      for (const name of names) lost.delete(name);
    },
  };
}
