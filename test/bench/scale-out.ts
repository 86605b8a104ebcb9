import { setTimeout as sleep } from "node:timers/promises";
import { kubectlFor, type Kubectl } from "../../local/control-plane/kubectl";
import type { Bench } from "./home";
import { compared, seconds, type Measurement } from "./measure";

const WEBHOOK = "validatingwebhookconfigurations/gatekeeper-validating-webhook-configuration";
/** In each, both go once: first the one, then the other, so that neither always finds the warmer machine. */
const ROUNDS = 2;
const MINUTES = 60_000;
const GIVE_UP = 10 * MINUTES;

/**
 * What admission costs a scale-out from the function's fewest pods to its most, as fast as the control plane makes them: with
 * the webhook, which is asked about `kubectl scale` and about none of the pods, since Kubernetes' own controllers make them;
 * and without. A ratio well above 1 says that pods are asked about after all. The audit runs in both. The autoscaler, whose
 * steps take longer than either, is taken away: the stack is of no use to anybody afterwards but for being deleted.
 */
export async function measureScaleOut(bench: Bench): Promise<Measurement[]> {
  const [fn] = bench.file.config.functions;
  if (fn === undefined) throw new Error("the stack has no function to scale");
  const kubectl = kubectlFor(bench.paths);
  const workload = scaled(kubectl, bench.signal, fn.name, fn.tenant);
  const webhook = await taken(kubectl);
  const samples = { guarded: [] as number[], open: [] as number[] };
  const task = bench.progress.task("scale-out", "taking the autoscaler away");
  try {
    await kubectl(["delete", "hpa", `${fn.name}-hpa`, "-n", fn.tenant]);
    await workload.to(fn.scaling.min);
    for (let round = 1; round <= ROUNDS; round++) {
      const turns = ["guarded", "open"] as const;
      for (const turn of round % 2 === 1 ? turns : [...turns].reverse()) {
        await (turn === "guarded" ? webhook.put() : webhook.take());
        task.update(`${round} of ${ROUNDS}: ${fn.scaling.max} pods, ${turn}`);
        samples[turn].push(await seconds(() => workload.to(fn.scaling.max)));
        task.update(`${round} of ${ROUNDS}: back to ${fn.scaling.min} pods`);
        await workload.to(fn.scaling.min);
        bench.progress.note(`  ${round} of ${ROUNDS}: ${turn}: ready in ${samples[turn].at(-1)?.toFixed(1)} s`);
      }
    }
    await webhook.put();
    task.done(`${ROUNDS} times each way`);
  } catch (error) {
    task.fail(bench.signal.aborted ? "stopped" : "failed");
    throw error;
  }
  const name = `scale-out to ${fn.scaling.max} ready pods, with / without the webhook`;
  return [compared(name, samples.guarded, samples.open, "s")];
}

interface Scaled {
  /** Resolves when this many pods are ready, and no more are there. */
  readonly to: (pods: number) => Promise<void>;
}

function scaled(kubectl: Kubectl, signal: AbortSignal, name: string, namespace: string): Scaled {
  const status = [
    "get",
    "deployment",
    name,
    "-n",
    namespace,
    "-o",
    "jsonpath={.status.replicas} {.status.readyReplicas}",
  ];
  return {
    to: async (pods) => {
      await kubectl(["scale", "deployment", name, "-n", namespace, `--replicas=${pods}`]);
      const deadline = Date.now() + GIVE_UP;
      for (let last = ""; last !== `${pods} ${pods}`; last = await kubectl(status)) {
        signal.throwIfAborted();
        if (Date.now() > deadline)
          throw new Error(`${name}: not ${pods} pods within ${GIVE_UP / MINUTES} min: ${last}`);
        await sleep(250);
      }
      // Pods that leave are no longer counted, and still take the time of those that make new ones.
      if ((await leaving()) > 0) await untilLeft();
    },
  };

  async function leaving(): Promise<number> {
    const pods = [
      "get",
      "pods",
      "-n",
      namespace,
      "-o",
      "jsonpath={range .items[*]}{.metadata.deletionTimestamp}{'\\n'}{end}",
    ];
    return (await kubectl(pods, { timeout: 2 * MINUTES })).split("\n").filter((line) => line !== "").length;
  }

  async function untilLeft(): Promise<void> {
    const deadline = Date.now() + GIVE_UP;
    while ((await leaving()) > 0) {
      signal.throwIfAborted();
      if (Date.now() > deadline) throw new Error(`${name}: its old pods do not leave`);
      await sleep(2000);
    }
  }
}

/** The webhook as the stack has made it, for taking it away and putting it back. */
async function taken(kubectl: Kubectl) {
  const { apiVersion, kind, metadata, webhooks } = JSON.parse(await kubectl(["get", WEBHOOK, "-o", "json"])) as {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly webhooks: readonly object[];
  };
  const input = JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name }, webhooks });
  return {
    take: () => kubectl(["delete", WEBHOOK, "--ignore-not-found"]),
    put: () => kubectl(["apply", "--server-side", "--force-conflicts", "--field-manager=bench", "-f", "-"], { input }),
  };
}
