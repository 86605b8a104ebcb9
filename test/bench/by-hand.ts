import { setTimeout as sleep } from "node:timers/promises";
import type { FunctionConfig } from "../../infra/config";
import type { Kubectl } from "../../local/control-plane/kubectl";
import { connect } from "../../local/surge/api";
import { PodLedger } from "../../local/surge/pods";
import { watchPods } from "../../local/surge/watch";

/** Until a way that does not get there is given up. */
export const GIVE_UP = { seconds: 1800 };

/** A function whose pods are set by `kubectl scale`, as fast as the control plane makes them. */
export interface ScaledByHand {
  /** Resolves when this many pods are ready, and no others are there or still leave. */
  readonly to: (pods: number) => Promise<void>;
  readonly ledger: PodLedger;
  readonly close: () => Promise<void>;
}

export interface ByHandArgs {
  readonly kubectl: Kubectl;
  readonly fn: FunctionConfig;
  readonly signal: AbortSignal;
  readonly onStep: (step: string) => void;
}

/** Takes its autoscaler away, which would take back what is set by hand: the stack is of use to nobody afterwards. */
export async function scaledByHand({ kubectl, fn, signal, onStep }: ByHandArgs): Promise<ScaledByHand> {
  const { name, tenant } = fn;
  const api = await connect(kubectl);
  await kubectl(["delete", "hpa", `${name}-hpa`, "-n", tenant]);
  const ledger = new PodLedger();
  const watching = new AbortController();
  const watched = watchPods(api, fn, ledger, watching.signal, onStep);
  return {
    to: async (pods) => {
      await kubectl(["scale", "deployment", name, "-n", tenant, `--replicas=${pods}`]);
      const deadline = Date.now() + GIVE_UP.seconds * 1000;
      for (;;) {
        const counts = ledger.counts();
        if (counts.ready === pods && counts.pods === pods && counts.leaving === 0) return;
        signal.throwIfAborted();
        if (Date.now() > deadline) throw new Error(`${counts.ready} of ${pods} pods after ${GIVE_UP.seconds} s`);
        onStep(`${counts.ready} of ${pods} ready`);
        await sleep(100);
      }
    },
    ledger,
    close: async () => {
      watching.abort();
      await watched;
      api.close();
    },
  };
}
