import { describe, expect, it } from "vitest";
import { WasmRuntime, type WasmRuntimeArgs } from "../../../../components/runtime/wasm-runtime";
import { find, names, register, valueOf } from "../../../support/mocks";

const LABELS = {
  "app.kubernetes.io/name": "wasmedge",
  "app.kubernetes.io/component": "runtime",
  "app.kubernetes.io/part-of": "wasm-functions",
  "app.kubernetes.io/managed-by": "pulumi",
  environment: "test",
};

function create(runtime: Partial<WasmRuntimeArgs["runtime"]> = {}, more: Partial<WasmRuntimeArgs> = {}) {
  return register(
    () =>
      new WasmRuntime("wasm-runtime", {
        environment: "test",
        runtime: { createRuntimeClass: true, overhead: { cpu: 0, memory: 8 * 2 ** 20 }, startRate: 4.5, ...runtime },
        agentLabels: { "wasm-functions.dev/runtime": "wasmedge" },
        ...more,
      }),
  );
}

const RUNTIME_CLASS = ["kubernetes:node.k8s.io/v1:RuntimeClass", "wasm-runtime-runtime-class"] as const;

describe("WasmRuntime", () => {
  it("sends pods to the agents' WasmEdge shim and counts their overhead, leaving out what is zero", async () => {
    const { resources, result } = await create();
    expect(find(resources, ...RUNTIME_CLASS).inputs).toEqual({
      apiVersion: "node.k8s.io/v1",
      kind: "RuntimeClass",
      metadata: { name: "wasmedge", labels: LABELS },
      handler: "wasmedge",
      overhead: { podFixed: { memory: "8Mi" } },
      scheduling: { nodeSelector: { "wasm-functions.dev/runtime": "wasmedge" } },
    });
    expect(await valueOf(result.runtimeClassName)).toBe("wasmedge");
  });

  it("declares no overhead where there is none", async () => {
    const { resources } = await create({ overhead: { cpu: 0, memory: 0 } });
    expect(find(resources, ...RUNTIME_CLASS).inputs).not.toHaveProperty("overhead");
  });

  it("counts a CPU overhead", async () => {
    const { resources } = await create({ overhead: { cpu: 2, memory: 8 * 2 ** 20 } });
    expect(find(resources, ...RUNTIME_CLASS).inputs["overhead"]).toEqual({ podFixed: { cpu: "2m", memory: "8Mi" } });
  });

  it("leaves a RuntimeClass alone that the cluster brings itself", async () => {
    const { resources, result } = await create({ createRuntimeClass: false });
    expect(names(resources)).toEqual([
      "kubernetes:scheduling.k8s.io/v1:PriorityClass wasm-runtime-function-priority",
      "kubernetes:scheduling.k8s.io/v1:PriorityClass wasm-runtime-platform-priority",
      "wasm-functions:runtime:WasmRuntime wasm-runtime",
    ]);
    expect(await valueOf(result.runtimeClassName)).toBe("wasmedge");
  });

  it("puts pods that keep room below all others, and lets them drive nobody out", async () => {
    const { resources, result } = await create({}, { buffers: true });
    const type = "kubernetes:scheduling.k8s.io/v1:PriorityClass";
    expect(find(resources, type, "wasm-runtime-buffer-priority").inputs).toMatchObject({
      metadata: { name: "wasm-buffer" },
      ...{ value: -10, preemptionPolicy: "Never", globalDefault: false },
    });
    expect(await valueOf(result.bufferPriorityClassName!)).toBe("wasm-buffer");
    expect((await create()).result.bufferPriorityClassName).toBeUndefined();
  });

  it("puts functions above pods of no class, and replaces the class where the API refuses a change", async () => {
    const { resources, result } = await create();
    const priority = find(resources, "kubernetes:scheduling.k8s.io/v1:PriorityClass", "wasm-runtime-function-priority");
    expect(priority).toEqual({
      type: "kubernetes:scheduling.k8s.io/v1:PriorityClass",
      name: "wasm-runtime-function-priority",
      parent: "wasm-runtime",
      inputs: {
        apiVersion: "scheduling.k8s.io/v1",
        kind: "PriorityClass",
        metadata: { name: "wasm-function", labels: LABELS },
        value: 100_000,
        globalDefault: false,
        preemptionPolicy: "PreemptLowerPriority",
        description: "Functions that serve requests",
      },
      options: { replaceOnChanges: ["value", "preemptionPolicy"], deleteBeforeReplace: true },
      dependencies: [],
    });
    expect(await valueOf(result.priorityClassName)).toBe("wasm-function");
  });

  it("puts what functions are reached through above them, and below the cluster's own", async () => {
    const { resources, result } = await create();
    const type = "kubernetes:scheduling.k8s.io/v1:PriorityClass";
    const { inputs, options } = find(resources, type, "wasm-runtime-platform-priority");
    const functions = find(resources, type, "wasm-runtime-function-priority");
    expect(inputs).toEqual({
      ...functions.inputs,
      metadata: { name: "wasm-platform", labels: LABELS },
      value: 200_000,
      description: "What functions are reached through",
    });
    expect(options).toEqual(functions.options);
    expect(await valueOf(result.platformPriorityClassName)).toBe("wasm-platform");
  });
});
