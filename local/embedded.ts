import type { StackConfig } from "../infra/config";
import type { Plan } from "../infra/plan";
import type { ProcessStatus } from "./control-plane/control-plane";
import { realNode } from "./node/cluster";
import type { Paths } from "./paths";
import type { Progress } from "./progress";
import { simulatedNodes } from "./simulated-nodes/cluster";
import type { ToolName } from "./tools/catalog";

/** What `make up` starts under a disposable stack, and `make down` ends. */
export interface EmbeddedCluster {
  /** The programs that it is made of. */
  readonly tools: readonly ToolName[];
  /**
   * Checks, before anything is touched, that it can be started here.
   *
   * @throws ProblemsError naming each thing that is missing
   */
  readonly check: () => Promise<void>;
  /** Makes what takes long and is kept, beside the tools. */
  readonly prepare: () => Promise<void>;
  /** Starts it, or whatever of it does not run. */
  readonly start: (onStep: (step: string) => void) => Promise<void>;
  /** Ends every process, and all else that does not lie in the state's folder. */
  readonly stop: () => Promise<void>;
  readonly status: () => ProcessStatus[];
  /** Where its node ports answer; undefined where nothing runs behind them. */
  readonly address: string | undefined;
}

export interface EmbeddedOptions {
  readonly paths: Paths;
  readonly config: StackConfig;
  readonly plan: Plan;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

export type EmbeddedKind = NonNullable<Extract<StackConfig["cluster"], { kind: "existing" }>["embedded"]>;

/** The cluster that a disposable stack names by `cluster.embedded`. */
export function embeddedCluster(kind: EmbeddedKind, options: EmbeddedOptions): EmbeddedCluster {
  switch (kind) {
    case "simulated-nodes":
      return simulatedNodes(options);
    case "wasm-node":
      return realNode(options);
  }
}
