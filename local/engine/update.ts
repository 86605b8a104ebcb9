import * as pulumi from "@pulumi/pulumi";
import type { EngineEvent, PulumiFn, Stack } from "@pulumi/pulumi/automation";
import type { Progress } from "../progress";
import type { Failure, Operation, UpdateState } from "./events";
import { hintFor } from "./hints";
import type { PolicyPack } from "./policy-pack";
import { createReporter } from "./reporter";

/** An operation of the engine that did not end well; what failed is told resource by resource. */
export class UpdateError extends Error {
  override readonly name = "UpdateError";

  constructor(
    operation: Operation,
    readonly state: UpdateState,
    cause: unknown,
  ) {
    const how = state.violated ? "was refused by a policy" : "failed";
    super([`${operation} ${how}`, ...describeFailures(state.failures, cause)].join("\n"));
  }

  /** Adds what the cluster knows of it. */
  explainedBy(lines: readonly string[]): this {
    this.message = [this.message, ...lines.map((line) => `  ${line}`)].join("\n");
    return this;
  }
}

/** It was stopped on the user's word; what was under way has been finished and is known to the state. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

export interface UpdateOptions {
  readonly progress: Progress;
  /** The user's word to stop. */
  readonly signal: AbortSignal;
  /** The same word, where the engine has to be told. */
  readonly engineSignal: AbortSignal;
  /** Ask the cluster for the present state first. */
  readonly refresh?: boolean;
  /** The policies that what is planned is held to. Default: none. */
  readonly pack?: PolicyPack | undefined;
  /** Where a preview writes what it has planned, resource by resource. Default: nowhere. */
  readonly planFile?: string;
}

/** The program as the engine calls it, with every registration counted, so that progress knows its end. */
export function countedProgram(state: () => UpdateState | undefined): PulumiFn {
  return async () => {
    // Only now: the SDKs that it imports take seconds to load, which no refused config should wait for.
    const { default: program } = await import("../../infra/index.js");
    pulumi.runtime.registerStackTransformation(({ type }) => {
      const current = state();
      if (current && !type.startsWith("pulumi:providers:")) current.registered += 1;
      return undefined;
    });
    return { ...(await program()) };
  };
}

/** Runs one operation to its end, its events shown as they come. */
export async function runUpdate(
  operation: Operation,
  stack: Stack,
  state: UpdateState,
  { progress, signal, engineSignal, refresh = false, pack, planFile }: UpdateOptions,
): Promise<void> {
  const reporter = createReporter(operation, state, progress);
  const onEvent = (event: EngineEvent) => reporter.onEvent(event);
  // The engine's own display is left out: what it shows is what its events say.
  const common = {
    onEvent,
    signal: engineSignal,
    suppressProgress: true,
    suppressOutputs: true,
    color: "never" as const,
  };
  try {
    switch (operation) {
      case "up":
        await stack.up({ ...common, ...pack, refresh });
        break;
      case "preview":
        await stack.preview({ ...common, ...pack, refresh, ...(planFile !== undefined && { plan: planFile }) });
        break;
      case "refresh":
        await stack.refresh({ ...common, clearPendingCreates: true });
        break;
      case "destroy":
        await stack.destroy(common);
        break;
      default:
        operation satisfies never;
    }
    reporter.done();
  } catch (error) {
    reporter.fail(signal.aborted ? "stopped" : "failed");
    if (signal.aborted) throw new StoppedError(`${operation} was stopped: what was under way is finished and kept`);
    throw new UpdateError(operation, state, error);
  }
}

function describeFailures(failures: readonly Failure[], cause: unknown): string[] {
  if (failures.length === 0) return [engineWords(cause)];
  return failures.flatMap(({ resource, reason }) => {
    // A policy says itself what to do.
    const hint = reason.startsWith("policy ") ? undefined : hintFor(reason);
    const lines = [`  ${resource}:`, ...(reason || "no reason was given").split("\n").map((line) => `    ${line}`)];
    return hint === undefined ? lines : [...lines, `    hint: ${hint}`];
  });
}

/** What the engine itself said, where no resource failed: a lock, a backend, a plugin. */
export function engineWords(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const stderr = /stderr: ([\s\S]*?)(?:\n\s*err\?|$)/.exec(text)?.[1]?.trim();
  return stderr !== undefined && stderr !== "" ? stderr : text;
}
