import type { Expected } from "./expected";
import type { FaultRecord } from "./faults/record";
import type { ClientCounts, Latency, Phase } from "./load/messages";
import type { Scenario } from "./scenario";

/** What was seen at one step. */
export interface Sample {
  /** From the beginning of the curve. */
  readonly second: number;
  /** Requests/s: what comes, what all ready pods could serve, what they serve, and what is left over. */
  readonly load: number;
  readonly capacity: number;
  readonly served: number;
  readonly shed: number;
  /** Millicores that each pod uses, as it is said to or as the autoscaler reads it. */
  readonly cpuPerPod: number;
  /** What the autoscaler reads of each pod: a share of its CPU request, or requests/s. */
  readonly reading: number | undefined;
  /** Replicas that the autoscaler wants. */
  readonly desired: number;
  /** Pods that do not leave: created, bound, ready; and those that leave. */
  readonly pods: number;
  readonly bound: number;
  readonly ready: number;
  readonly leaving: number;
  /** Of those that are ready, the ones that serve: not those of nodes that are lost. */
  readonly answering: number;
  /** Pods on each of the run's nodes, in their order. */
  readonly onNodes: readonly number[];
  /** What the client saw since the sample before, where requests were sent. */
  readonly client?: ClientSample;
}

export interface ClientSample extends ClientCounts {
  /** Undefined where nothing was served. */
  readonly latency: Latency | undefined;
}

/** What the client saw of the whole run. */
export interface ClientRun extends ClientCounts {
  /** Of what was served, by what the pods were about. */
  readonly phases: Readonly<Partial<Record<Phase, Latency>>>;
  /** Whether the gateway's certificate was verified. */
  readonly verified: boolean;
  readonly users: number;
}

/** How a run came to its end. */
export type Ending = "back at min" | "out of time" | "no answer" | "stopped";

/** All that a run has seen: `surge.json`. Times in seconds from the beginning of the curve, but where they say so. */
export interface SurgeRun {
  readonly stack: string;
  /** Whether nodes and pods were simulated, or real ones that were asked. */
  readonly kind: "simulated" | "real";
  /** ISO 8601. */
  readonly startedAt: string;
  readonly cores: number;
  readonly scenario: Scenario;
  readonly expected: Expected;
  readonly nodes: readonly string[];
  readonly samples: readonly Sample[];
  /** Milliseconds from created to bound of each pod that was seen to wait, from the shortest. */
  readonly delays: readonly number[];
  /** Milliseconds from created to ready, of the same pods where they were seen to become ready. */
  readonly starts: readonly number[];
  /** Pods of which the delay is not known. */
  readonly unseen: number;
  /** What went wrong on purpose, as far as it came to it. */
  readonly faults: readonly FaultRecord[];
  /** When and why the API server did not answer. */
  readonly troubles: readonly { readonly second: number; readonly reason: string }[];
  readonly ending: Ending;
  readonly client?: ClientRun;
}
