import { kubectlFor, type Kubectl } from "../../local/control-plane/kubectl";
import { scaledByHand, type ScaledByHand } from "./by-hand";
import type { Bench } from "./home";
import { compared, seconds, type Measurement } from "./measure";

const WEBHOOK = "validatingwebhookconfigurations/gatekeeper-validating-webhook-configuration";
/** In each, both go once: first the one, then the other, so that neither always finds the warmer machine. */
const ROUNDS = 2;

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
  const webhook = await taken(kubectl);
  const samples = { guarded: [] as number[], open: [] as number[] };
  const task = bench.progress.task("scale-out", "taking the autoscaler away");
  let workload: ScaledByHand | undefined;
  let turn = "at first";
  try {
    workload = await scaledByHand({
      kubectl,
      fn,
      signal: bench.signal,
      onStep: (step) => task.update(`${turn}: ${step}`),
    });
    const { to } = workload;
    await to(fn.scaling.min);
    for (let round = 1; round <= ROUNDS; round++) {
      const ways = ["guarded", "open"] as const;
      for (const way of round % 2 === 1 ? ways : [...ways].reverse()) {
        await (way === "guarded" ? webhook.put() : webhook.take());
        turn = `${round} of ${ROUNDS}, ${way}`;
        const took = await seconds(() => to(fn.scaling.max));
        samples[way].push(took);
        await to(fn.scaling.min);
        bench.progress.note(`  ${turn}: ready in ${took.toFixed(1)} s`);
      }
    }
    await webhook.put();
    task.done(`${ROUNDS} times each way`);
  } catch (error) {
    task.fail(bench.signal.aborted ? "stopped" : "failed");
    throw error;
  } finally {
    await workload?.close();
  }
  const name = `scale-out to ${fn.scaling.max} ready pods, with / without the webhook`;
  return [compared(name, samples.guarded, samples.open, "s")];
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
