import { join } from "node:path";
import { functionConfig } from "../../../components/functions/function-config";
import type { FunctionConfig } from "../../../infra/config";
import { formatCpu } from "../../../infra/units";
import { alone, compared, type Measurement } from "../measure";
import { withRealNode, type RealBench } from "./cluster";
import { measureEngineLoad } from "./engine-load";
import { nodeMemory } from "./memory";
import { anAddress, createContestants, scaleTo, type Contestant } from "./pods";
import { measureRequests, type Load } from "./requests";
import { measureSinglePods } from "./single";

/** Pods that are started at once to see how fast a node starts them. */
const START_PODS = 50;
const ROUNDS = 2;
const DENSITIES = [10, 100, 200];
const MEGABYTE = 1e6;

/** The real node's figures: WebAssembly beside the same source as a native program in a Linux container. */
export async function measureRealNode(args: Parameters<typeof withRealNode>[0]): Promise<Measurement[]> {
  return withRealNode(args, async (bench) => {
    const engine = await engineLoad(bench);
    const { wasm, lean, reference, undrained } = contestants(bench);
    await createContestants(bench.kubectl, [wasm, lean, reference, undrained], configOf(bench.config.functions[0]!));
    return [
      ...engine,
      ...(await measureSinglePods(bench, wasm, lean, undrained)),
      ...(await starts(bench, wasm, lean)),
      ...(await memory(bench, wasm, lean)),
      ...(await requests(bench, wasm, lean, reference)),
    ];
  });
}

/** With a drain that ends at once, so that what ending a pod takes is not the propagation time alone. */
function configOf(fn: FunctionConfig): string {
  return functionConfig({ ...fn, drain: { ...fn.drain, propagation: 100 } });
}

function contestants({ config, images }: RealBench): Record<"wasm" | "lean" | "reference" | "undrained", Contestant> {
  const { requests, limits } = config.functions[0]!.resources;
  const small = {
    // Half of the function's request: 200 of them must find room on two cores.
    cpu: { request: formatCpu(requests.cpu / 2), limit: formatCpu(limits.cpu) },
    memory: { request: "16Mi", limit: "64Mi" },
    drained: true,
  };
  const large = { cpu: { request: "500m", limit: "500m" }, memory: { request: "256M", limit: "256M" }, drained: true };
  const compiled = { image: images.compiled.reference, runtimeClassName: "wasmedge" };
  const native = { image: images.native.reference, runtimeClassName: undefined };
  return {
    wasm: { name: "wasm", ...compiled, ...small },
    lean: { name: "lean", ...native, ...small },
    reference: { name: "reference", ...native, ...large },
    undrained: { name: "undrained", ...compiled, ...small, drained: false },
  };
}

async function engineLoad({ images, options, progress }: RealBench): Promise<Measurement[]> {
  const task = progress.task("engine", "loading the module in new processes");
  const module = (folder: string) => join(folder, "app.wasm");
  const { compiled, portable } = await measureEngineLoad(
    { compiled: module(images.compiled.folder), portable: module(images.portable.folder) },
    options,
  );
  task.done(`compiled ${compiled.total.toFixed(2)} ms, interpreted ${portable.total.toFixed(2)} ms`);
  return [
    compared("load, validate, instantiate / interpreted", [compiled.total], [portable.total], "ms", { value: 1 }),
    compared("  of it load", [compiled.load], [portable.load], "ms"),
    compared("  of it validate", [compiled.validate], [portable.validate], "ms"),
    compared("  of it instantiate", [compiled.instantiate], [portable.instantiate], "ms"),
  ];
}

/** From 1 to many, and back: contestants in turns. */
async function starts(bench: RealBench, wasm: Contestant, lean: Contestant): Promise<Measurement[]> {
  const { kubectl, progress, signal } = bench;
  const task = progress.task("starts", "");
  const out = new Map([wasm, lean].map((each) => [each.name, { many: [] as number[], end: [] as number[] }]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contestant of round % 2 === 0 ? [wasm, lean] : [lean, wasm]) {
      task.update(`round ${round + 1} of ${ROUNDS}: ${contestant.name}`);
      const samples = out.get(contestant.name)!;
      await scaleTo(kubectl, contestant, 1, signal);
      samples.many.push(await scaleTo(kubectl, contestant, 1 + START_PODS, signal));
      samples.end.push(await scaleTo(kubectl, contestant, 0, signal));
      progress.note(
        `  ${contestant.name}: ${START_PODS} more ready in ${samples.many.at(-1)!.toFixed(1)} s, all gone in ${samples.end.at(-1)!.toFixed(1)} s`,
      );
    }
  }
  task.done(`${START_PODS} pods, ${ROUNDS} rounds`);
  const [a, b] = [out.get(wasm.name)!, out.get(lean.name)!];
  const rate = (samples: number[]) => samples.map((each) => START_PODS / each);
  return [
    compared(`1 to ${START_PODS + 1} ready / lean container`, a.many, b.many, "s", { ratio: 1 }),
    compared("pods started / lean container", rate(a.many), rate(b.many), "1/s", { ratioAtLeast: 1 }),
    compared(`${START_PODS + 1} to 0 / lean container`, a.end, b.end, "s", { ratio: 1 }),
  ];
}

async function memory(bench: RealBench, wasm: Contestant, lean: Contestant): Promise<Measurement[]> {
  const { kubectl, progress, signal, cgroup } = bench;
  const task = progress.task("memory", "");
  const perPod = async (contestant: Contestant): Promise<number[]> => {
    const before = total(cgroup);
    const found: number[] = [];
    for (const pods of DENSITIES) {
      task.update(`${pods} pods: ${contestant.name}`);
      await scaleTo(kubectl, contestant, pods, signal);
      found.push((total(cgroup) - before) / pods / MEGABYTE);
      progress.note(`  ${contestant.name}: ${pods} pods, ${found.at(-1)!.toFixed(2)} MB each`);
    }
    await scaleTo(kubectl, contestant, 0, signal);
    return found;
  };
  const [a, b] = [await perPod(wasm), await perPod(lean)];
  task.done(`at ${DENSITIES.join(", ")} pods`);
  return DENSITIES.map((pods, i) =>
    compared(`memory per pod at ${pods} / lean container`, [a[i]!], [b[i]!], "MB", { ratio: 1 }),
  );
}

/** Everything: shims, sandboxes, functions, and what the kernel holds for them. */
function total(cgroup: string): number {
  const { processes, kernel } = nodeMemory(cgroup);
  return processes + kernel;
}

async function requests(
  bench: RealBench,
  wasm: Contestant,
  lean: Contestant,
  reference: Contestant,
): Promise<Measurement[]> {
  const { kubectl, machine, testRoot, progress, signal, config } = bench;
  const task = progress.task("requests", "");
  const planned = config.functions[0]!.scaling.requestsPerPod;
  const measure = async (contestant: Contestant) => {
    task.update(contestant.name);
    await scaleTo(kubectl, contestant, 1, signal);
    const url = `http://${await anAddress(kubectl, contestant)}:8080/api/function`;
    const ask = (load: Parameters<typeof measureRequests>[3]) => measureRequests(machine, testRoot, url, load);
    await ask({ connections: 4, seconds: 2 });
    const full = await ask({ connections: 4, seconds: 15 });
    const usual = await ask({ connections: 2, seconds: 20, rate: planned });
    await scaleTo(kubectl, contestant, 0, signal);
    const text = ({ requestsPerSecond, p50, p99, p999 }: Load) =>
      `${requestsPerSecond.toFixed(0)}/s, P50 ${p50.toFixed(2)}, P99 ${p99.toFixed(2)}, P99.9 ${p999.toFixed(2)} ms`;
    progress.note(`  ${contestant.name}: at its limit ${text(full)}; at ${planned}/s ${text(usual)}`);
    if (full.failures + usual.failures > 0)
      progress.note(`  ${contestant.name}: ${full.failures + usual.failures} failed`);
    return { full, usual };
  };
  const [a, b, c] = [await measure(wasm), await measure(lean), await measure(reference)];
  task.done("at the CPU limit, and at the plan's load per pod");
  return [
    compared("requests/s at 100m / lean container", [a.full.requestsPerSecond], [b.full.requestsPerSecond], "1/s", {
      ratioAtLeast: 1,
    }),
    compared(
      "requests/s per 100m / reference container (500m)",
      [a.full.requestsPerSecond],
      [c.full.requestsPerSecond / 5],
      "1/s",
    ),
    compared("P99 at 100m / lean container", [a.full.p99], [b.full.p99], "ms", { value: 20 }),
    compared("P99.9 at 100m / lean container", [a.full.p999], [b.full.p999], "ms", { value: 50 }),
    compared(`P50 at ${planned}/s / lean container`, [a.usual.p50], [b.usual.p50], "ms"),
    compared(`P99 at ${planned}/s / lean container`, [a.usual.p99], [b.usual.p99], "ms", { value: 20 }),
    alone("CPU of 1,000 requests at the limit", 100_000 / a.full.requestsPerSecond, "ms"),
  ];
}
