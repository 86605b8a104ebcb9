import type { FaultOf } from "./schema";
import type { Action, World } from "./world";

/**
 * A process of the control plane that dies, by a bug or for want of memory, and that its supervisor starts again. K3s has
 * them all in one process of each server: there it is a server's death, while the others go on.
 */
export function kill({ process }: FaultOf<"kill">, { machine }: World): Action {
  return { what: `${process} killed`, begin: () => machine.kill(process), undo: machine.restart };
}

/** The autoscaler's only source is away: its pod evicted, its node lost, its certificate expired. */
export function metricsServerGone(_: FaultOf<"metrics-server-gone">, { machine }: World): Action {
  return { what: "metrics-server gone", begin: () => machine.kill("metrics-server"), undo: machine.restart };
}

/** Somebody ships a change of the platform meanwhile: it is to succeed, and to leave the replicas to the autoscaler. */
export function up(_: FaultOf<"up">, { machine, signal }: World): Action {
  return { what: "make up", begin: () => Promise.resolve(), over: () => machine.up(signal) };
}
