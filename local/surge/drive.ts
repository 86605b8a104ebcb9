import type { FunctionConfig } from "../../infra/config";
import type { MilliCpu } from "../../infra/units";
import { FIELD_MANAGER } from "../control-plane/kubectl";
import { renderUsage, USAGE_PATH } from "../simulated-nodes/usage";
import type { Api } from "./api";
import { capabilityOf, demandOn } from "./demand";
import { insist } from "./insist";
import type { Phase } from "./load/messages";
import type { RequestCounter } from "./request-counter";
import type { ClientRun, Sample } from "./run";

/** What comes from now on, and to how many. */
export interface Asked {
  /** Requests/s. */
  readonly load: number;
  /** Pods that serve it: ready, and not on a node that is lost. */
  readonly ready: number;
  /** What the pods are about. */
  readonly phase: Phase;
}

/** What a load does, or did since the last one. */
export type Seen = Pick<Sample, "load" | "capacity" | "served" | "shed" | "client"> & {
  /** Undefined where nobody says it, but the autoscaler reads it. */
  readonly cpuPerPod: MilliCpu | undefined;
};

/** Brings a load to the pods of a function. */
export interface Driver {
  /** Whether what comes would be read, where requests are; there from then on. */
  readonly isSeen?: () => boolean;
  readonly set: (asked: Asked) => Promise<Seen>;
  /** Takes the load away, until more is asked; the count of pods then holds, or goes where the autoscaler wants it. */
  readonly restore: () => Promise<void>;
  /** Nothing is asked of it any more. */
  readonly end?: () => void;
  /** Of the whole run, where there is a client. */
  readonly client?: () => ClientRun;
}

/**
 * Says what simulated pods use of CPU, and to who scales by requests how many come.
 *
 * @param functions - all of the stack, since one object says what all pods use
 * @param counter - where requests are counted
 */
export function simulatedDriver(
  api: Api,
  functions: readonly FunctionConfig[],
  fn: FunctionConfig,
  counter?: RequestCounter,
): Driver {
  const apply = (driven: Readonly<Record<string, MilliCpu>>) =>
    // Applied as `make up` does it, which so takes it over again.
    api.patch(
      `${USAGE_PATH}?fieldManager=${FIELD_MANAGER}&force=true`,
      "application/apply-patch+yaml",
      renderUsage(functions, driven),
    );
  return {
    set: async ({ load, ready }) => {
      const demand = demandOn(load, ready, capabilityOf(fn));
      counter?.set(fn.name, demand);
      await apply({ [fn.name]: demand.cpuPerPod });
      return { load, ...demand };
    },
    restore: () => {
      counter?.set(fn.name, { served: 0, shed: 0 });
      return insist(() => apply({}));
    },
    ...(counter && { isSeen: () => counter.isSeen(), end: () => counter.close() }),
  };
}
