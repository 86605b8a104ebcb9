import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../../infra/config";
import { formatBytes, formatCpu } from "../../infra/units";
import { labels } from "../labels";

/** Name of the RuntimeClass, and of the handler that containerd knows the WasmEdge shim by. */
const RUNTIME = "wasmedge";

/** Above pods that name no class (0), far below the classes of the cluster's own components (2,000,000,000). */
const FUNCTION_PRIORITY = { name: "wasm-function", value: 100_000, description: "Functions that serve requests" };

/** Above functions: a gateway that has no room would take all of them down. */
const PLATFORM_PRIORITY = { name: "wasm-platform", value: 200_000, description: "What functions are reached through" };

/**
 * Below pods that name no class, which need no room kept for them. Lower than -10 a node autoscaler would buy no node for them
 * (its `--expendable-pods-priority-cutoff`).
 */
const BUFFER_PRIORITY = { name: "wasm-buffer", value: -10, description: "Pods that keep room for functions" };

export interface WasmRuntimeArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly runtime: StackConfig["runtime"];
  /** Labels of the nodes that have the shim. */
  readonly agentLabels: Readonly<Record<string, string>>;
  /** Whether there are pods that keep room for others. Default: false. */
  readonly buffers?: boolean;
}

/**
 * How the cluster runs WebAssembly: the RuntimeClass that sends a pod to a node with the shim, and the priorities
 * of functions and platform. All are cluster-wide, so a cluster has one `WasmRuntime`.
 */
export class WasmRuntime extends pulumi.ComponentResource {
  readonly runtimeClassName: pulumi.Output<string>;
  /** Of functions. */
  readonly priorityClassName: pulumi.Output<string>;
  /** Of what functions are reached through. */
  readonly platformPriorityClassName: pulumi.Output<string>;
  /** Of pods that keep room for functions, where there are some. */
  readonly bufferPriorityClassName: pulumi.Output<string> | undefined;

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

    const priorityClass = (
      id: string,
      { name: className, value, description }: typeof FUNCTION_PRIORITY,
      preemptionPolicy = "PreemptLowerPriority",
    ) =>
      new k8s.scheduling.v1.PriorityClass(
        `${name}-${id}`,
        {
          metadata: { name: className, labels: common },
          value,
          globalDefault: false,
          preemptionPolicy,
          description,
        },
        // The API refuses a change of these two, and the provider would try one.
        { parent: this, replaceOnChanges: ["value", "preemptionPolicy"], deleteBeforeReplace: true },
      ).metadata.name;
    this.priorityClassName = priorityClass("function-priority", FUNCTION_PRIORITY);
    this.platformPriorityClassName = priorityClass("platform-priority", PLATFORM_PRIORITY);
    this.bufferPriorityClassName =
      args.buffers === true ? priorityClass("buffer-priority", BUFFER_PRIORITY, "Never") : undefined;

    this.registerOutputs({
      runtimeClassName: this.runtimeClassName,
      priorityClassName: this.priorityClassName,
      platformPriorityClassName: this.platformPriorityClassName,
    });
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
