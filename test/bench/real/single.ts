import type { Kubectl } from "../../../local/control-plane/kubectl";
import { compared, type Measurement } from "../measure";
import type { RealBench } from "./cluster";
import { scaleTo, type Contestant } from "./pods";

const SAMPLES = 5;

/** What the kubelet has containerd do for a pod's start, in order, as its metrics name it. */
const OPERATIONS = {
  run_podsandbox: "sandbox: shim, network, pause",
  create_container: "container created",
  start_container: "task started",
} as const;
type Operation = keyof typeof OPERATIONS;

interface Samples {
  readonly start: number[];
  readonly end: number[];
  readonly operations: Record<Operation, number>;
}

/** One pod at a time on a node that does nothing else: its start by parts, and its end. */
export async function measureSinglePods(
  bench: RealBench,
  wasm: Contestant,
  lean: Contestant,
  undrained: Contestant,
): Promise<Measurement[]> {
  const task = bench.progress.task("one pod", "");
  const measure = async (contestant: Contestant): Promise<Samples> => {
    task.update(contestant.name);
    const samples = await startAndEnd(bench, contestant, contestant === undrained ? 1 : SAMPLES);
    const parts = Object.entries(samples.operations).map(([name, ms]) => `${name} ${ms.toFixed(0)} ms`);
    const [start, end] = [samples.start, samples.end].map((each) => each.map((s) => s.toFixed(2)).join(", "));
    bench.progress.note(`  ${contestant.name}: ready in ${start} s (${parts.join(", ")}), gone in ${end} s`);
    return samples;
  };
  const [a, b, c] = [await measure(wasm), await measure(lean), await measure(undrained)];
  task.done(`${SAMPLES} starts each`);
  const operation = ([name, words]: [string, string]) =>
    compared(`  of it ${words}`, [a.operations[name as Operation]], [b.operations[name as Operation]], "ms");
  return [
    compared("one pod, created to ready / lean container", a.start, b.start, "s", { ratio: 1 }),
    ...Object.entries(OPERATIONS).map(operation),
    compared("one pod ended by its drain path / lean container", a.end, b.end, "s"),
    compared("the same / without a drain path, 10 s of grace", a.end, c.end, "s"),
  ];
}

async function startAndEnd({ kubectl, signal }: RealBench, contestant: Contestant, times: number): Promise<Samples> {
  const [start, end] = [[] as number[], [] as number[]];
  const before = await runtimeOperations(kubectl);
  for (let i = 0; i < times; i++) {
    start.push(await scaleTo(kubectl, contestant, 1, signal));
    end.push(await scaleTo(kubectl, contestant, 0, signal));
  }
  const after = await runtimeOperations(kubectl);
  const mean = (name: Operation) =>
    ((after[name].seconds - before[name].seconds) / (after[name].count - before[name].count)) * 1000;
  return { start, end, operations: ofEach(mean) };
}

/** The kubelet's own count of them since it started, and the seconds that they took. */
async function runtimeOperations(kubectl: Kubectl): Promise<Record<Operation, { seconds: number; count: number }>> {
  const { items } = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])) as {
    items: { metadata: { name: string } }[];
  };
  const metrics = await kubectl(["get", "--raw", `/api/v1/nodes/${items[0]?.metadata.name}/proxy/metrics`]);
  const read = (operation: Operation) => {
    const value = (suffix: string) => {
      const series = `kubelet_runtime_operations_duration_seconds_${suffix}{operation_type="${operation}"}`;
      const line = metrics.split("\n").find((each) => each.startsWith(series));
      // None before the first of its kind.
      return Number(line?.slice(series.length) ?? 0);
    };
    return { seconds: value("sum"), count: value("count") };
  };
  return ofEach(read);
}

function ofEach<T>(work: (operation: Operation) => T): Record<Operation, T> {
  return {
    run_podsandbox: work("run_podsandbox"),
    create_container: work("create_container"),
    start_container: work("start_container"),
  };
}
