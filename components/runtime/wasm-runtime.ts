import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../../infra/config";
import { formatBytes, formatCpu } from "../../infra/units";
import { labels } from "../labels";

/** Name of the RuntimeClass, and of the handler that containerd knows the WasmEdge shim by. */
const RUNTIME = "wasmedge";

/** Above pods that name no class (0), far below the classes of the cluster's own components (2,000,000,000). */
const FUNCTION_PRIORITY = { name: "wasm-function", value: 100_000 };

export interface WasmRuntimeArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly runtime: StackConfig["runtime"];
  /** Labels of the nodes that have the shim. */
  readonly agentLabels: Readonly<Record<string, string>>;
}

/**
 * How the cluster runs WebAssembly: the RuntimeClass that sends a pod to a node with the shim, and the priority
 * of functions. Both are cluster-wide, so a cluster has one `WasmRuntime`.
 */
export class WasmRuntime extends pulumi.ComponentResource {
  readonly runtimeClassName: pulumi.Output<string>;
  readonly priorityClassName: pulumi.Output<string>;

  constructor(name: string, args: WasmRuntimeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:runtime:WasmRuntime", name, {}, opts);
    const common = labels({ name: RUNTIME, component: "runtime", environment: args.environment });

    this.runtimeClassName = args.runtime.createRuntimeClass
      ? new k8s.node.v1.RuntimeClass(
          `${name}-runtime-class`,
          {
            metadata: { name: RUNTIME, labels: common },
            handler: RUNTIME,
            ...overhead(args.runtime.overhead),
            scheduling: { nodeSelector: { ...args.agentLabels } },
          },
          { parent: this },
        ).metadata.name
      : pulumi.output(RUNTIME);

    this.priorityClassName = new k8s.scheduling.v1.PriorityClass(
      `${name}-function-priority`,
      {
        metadata: { name: FUNCTION_PRIORITY.name, labels: common },
        value: FUNCTION_PRIORITY.value,
        globalDefault: false,
        preemptionPolicy: "PreemptLowerPriority",
        description: "Functions that serve requests",
      },
      // The API refuses a change of these two, and the provider would try one.
      { parent: this, replaceOnChanges: ["value", "preemptionPolicy"], deleteBeforeReplace: true },
    ).metadata.name;

    this.registerOutputs({ runtimeClassName: this.runtimeClassName, priorityClassName: this.priorityClassName });
  }
}

/** A quantity of zero says nothing, and would show as a difference once the API server leaves it out. */
function overhead({ cpu, memory }: StackConfig["runtime"]["overhead"]): {
  overhead?: { podFixed: Record<string, string> };
} {
  const podFixed = {
    ...(cpu > 0 && { cpu: formatCpu(cpu) }),
    ...(memory > 0 && { memory: formatBytes(memory) }),
  };
  return Object.keys(podFixed).length > 0 ? { overhead: { podFixed } } : {};
}
