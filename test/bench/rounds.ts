import { kubectlFor } from "../../local/control-plane/kubectl";
import type { Contestant } from "./contestant";
import type { Bench } from "./home";
import { kubectlContestant } from "./kubectl";
import { compared, seconds, type Measurement } from "./measure";
import { exportObjects } from "./objects";
import { openBenchStack, pulumiContestant } from "./pulumi";
import { createStage, type Stage } from "./stage";

const ROUNDS = 3;
/** How often each turn repeats what changes nothing. */
const REPEATS = 2;

/** Seconds of every time that a contestant did it. */
interface Samples {
  readonly create: number[];
  readonly createAgain: number[];
  readonly compare: number[];
}

/** Ours and kubectl in turns, with the very same objects on the very same control plane. */
export async function measureRounds(bench: Bench): Promise<Measurement[]> {
  const kubectl = kubectlFor(bench.paths);
  const stack = await openBenchStack(bench);
  const ours = { contestant: pulumiContestant(bench, stack), samples: noSamples() };
  // Of what `make up` has made, Gatekeeper goes.
  await ours.contestant.create();
  const objects = await exportObjects(stack);
  const stage = createStage(kubectl, objects);
  const theirs = { contestant: kubectlContestant(kubectl, objects), samples: noSamples() };

  const task = bench.progress.task("rounds", "deleting the stack of make up");
  try {
    await ours.contestant.remove();
    await stage.untilGone();
    for (let round = 1; round <= ROUNDS; round++) {
      // Each goes first in turn, so that neither always finds the warmer machine.
      for (const { contestant, samples } of round % 2 === 1 ? [ours, theirs] : [theirs, ours]) {
        const onStep = (step: string) => task.update(`${round} of ${ROUNDS}: ${contestant.name} ${step}`);
        await playTurn(contestant, samples, { stage, signal: bench.signal, onStep });
        // A median alone hides how far apart the rounds were.
        bench.progress.note(
          `  ${round} of ${ROUNDS}: ${contestant.name}: ready in ${samples.create.at(-1)?.toFixed(2)} s`,
        );
      }
    }
    task.done(`${ROUNDS} with ${objects.length} objects`);
  } catch (error) {
    task.fail(bench.signal.aborted ? "stopped" : "failed");
    throw error;
  }

  const [a, b] = [ours.samples, theirs.samples];
  return [
    compared("first up, all pods ready / kubectl apply and wait", a.create, b.create, "s", { ratio: 1.5 }),
    compared("up without changes / kubectl apply", a.createAgain, b.createAgain, "s"),
    compared("preview without changes / kubectl diff", a.compare, b.compare, "s"),
  ];
}

interface Turn {
  readonly stage: Stage;
  readonly signal: AbortSignal;
  readonly onStep: (step: string) => void;
}

async function playTurn(contestant: Contestant, samples: Samples, { stage, signal, onStep }: Turn): Promise<void> {
  const timed = async (kind: keyof Samples, step: string) => {
    signal.throwIfAborted();
    onStep(step);
    samples[kind].push(await seconds(contestant[kind]));
  };
  await timed("create", "creates");
  await stage.assertReady();
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    await timed("createAgain", "changes nothing");
    await timed("compare", "compares");
  }
  signal.throwIfAborted();
  onStep("deletes");
  await contestant.remove();
  await stage.untilGone();
}

function noSamples(): Samples {
  return { create: [], createAgain: [], compare: [] };
}
