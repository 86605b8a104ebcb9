import type { FunctionConfig } from "../../infra/config";
import type { MilliCpu } from "../../infra/units";
import { FIELD_MANAGER } from "../control-plane/kubectl";
import { renderUsage, USAGE_PATH } from "../simulated-nodes/usage";
import type { Api } from "./api";
import { insist } from "./insist";

/** Says what the simulated pods of a function use. */
export interface Driver {
  readonly set: (cpuPerPod: MilliCpu) => Promise<void>;
  /** Puts back what `make up` has set: the count then holds. */
  readonly restore: () => Promise<void>;
}

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
    restore: () => insist(() => apply({})),
  };
}
