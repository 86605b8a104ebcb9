import { setTimeout as sleep } from "node:timers/promises";
import type { FunctionConfig } from "../../infra/config";
import type { MilliCpu } from "../../infra/units";
import { FIELD_MANAGER } from "../control-plane/kubectl";
import { renderUsage, USAGE_PATH } from "../simulated-nodes/usage";
import type { Api } from "./api";

/** Says what the simulated pods of a function use. */
export interface Driver {
  readonly set: (cpuPerPod: MilliCpu) => Promise<void>;
  /** Puts back what `make up` has set: the count then holds. */
  readonly restore: () => Promise<void>;
}

/** Attempts to put the steady usage back, and milliseconds between them: an API server that restarts is back by then. */
const RESTORE = { attempts: 10, pause: 1000 };

/** @param functions - all of the stack, since one object says what all pods use */
export function createDriver(api: Api, functions: readonly FunctionConfig[], fn: FunctionConfig): Driver {
  const apply = (driven: Readonly<Record<string, MilliCpu>>) =>
    // Applied as `make up` does it, which so takes it over again.
    api.patch(
      `${USAGE_PATH}?fieldManager=${FIELD_MANAGER}&force=true`,
      "application/apply-patch+yaml",
      renderUsage(functions, driven),
    );
  return {
    set: (cpuPerPod) => apply({ [fn.name]: cpuPerPod }),
    restore: async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          await apply({});
          return;
        } catch (error) {
          if (attempt === RESTORE.attempts) throw error;
          await sleep(RESTORE.pause);
        }
      }
    },
  };
}
