import type { Fault } from "./schema";

/** A fault as it came. Times in seconds from the beginning of the curve. */
export interface FaultRecord {
  readonly fault: Fault;
  /** What was done, for people. */
  readonly what: string;
  readonly began: number;
  /** When it was taken back, or had run its course; undefined where the run was over before. */
  readonly ended: number | undefined;
  /** When the control plane knew of it, where that takes time. */
  readonly noticed?: number | undefined;
  /** What could not be done, or not be put back, and why. */
  readonly troubles: readonly string[];
}
