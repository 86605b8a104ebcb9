import type { Api } from "../api";
import type { Scenario } from "../scenario";

/** The control plane's processes, and `make up`, on this machine. */
export interface Machine {
  /** As `kill -9` does; resolves when it is gone with its port. */
  readonly kill: (process: string) => Promise<void>;
  /** Starts whatever of the control plane does not run, as `make up` does; resolves when the API server is ready. */
  readonly restart: () => Promise<void>;
  /** The project's own `make up`, as a process of its own. Stopped by the signal, it ends what is under way, and fails. */
  readonly up: (signal: AbortSignal) => Promise<void>;
}

/** What faults are done to. */
export interface World {
  readonly api: Api;
  readonly scenario: Scenario;
  /** Names of all agents. */
  readonly nodes: readonly string[];
  /** Those of them that answer nobody now: whoever loses some, and gives them back, says so here. */
  readonly lost: Set<string>;
  readonly machine: Machine;
  /** The user's word to stop. */
  readonly signal: AbortSignal;
}

/** How a fault is done, and taken back. */
export interface Action {
  /** For people, such as `agent-10 lost`. */
  readonly what: string;
  /** Resolves when it is done, and its time begins. */
  readonly begin: () => Promise<void>;
  /** Resolves when the control plane knows, with true; with false where that is over before it does. */
  readonly noticed?: () => Promise<boolean>;
  /** What then goes on by itself, until it is over. */
  readonly over?: () => Promise<void>;
  /**
   * Takes it back: when its time is over, else when the run is; tried again where it fails, and also called where `begin` did
   * not come to its end.
   */
  readonly undo?: () => Promise<void>;
}
