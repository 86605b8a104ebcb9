import type { Stack } from "@pulumi/pulumi/automation";
import { describe, expect, it } from "vitest";
import { UpdateState, type Operation } from "../../../../local/engine/events";
import { runUpdate, StoppedError, UpdateError } from "../../../../local/engine/update";
import { DEPLOYMENT, ends, fails, recordingProgress, says, SERVICE } from "./support";

type Options = NonNullable<Parameters<Stack["up"]>[0]>;

/** A stack whose one operation does this. */
function stackThat(operation: Operation, does: (options: Options) => void): { stack: Stack; calls: Options[] } {
  const calls: Options[] = [];
  const run = (options: Options) => {
    calls.push(options);
    does(options);
    return Promise.resolve();
  };
  return { stack: { [operation]: run } as unknown as Stack, calls };
}

function session() {
  const stop = new AbortController();
  const engine = new AbortController();
  return { progress: recordingProgress(), signal: stop.signal, engineSignal: engine.signal, stop };
}

async function failureOf(operation: Operation, does: (options: Options) => void): Promise<string> {
  const { stack } = stackThat(operation, does);
  const error: unknown = await runUpdate(operation, stack, new UpdateState(), session()).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UpdateError);
  return (error as UpdateError).message;
}

describe("an operation", () => {
  it.each(["up", "preview", "refresh", "destroy"] as const)(
    "%s is the engine's of that name, shown by us",
    async (operation) => {
      const { stack, calls } = stackThat(operation, ({ onEvent }) => onEvent?.(ends(SERVICE, "update")));
      const { progress, signal, engineSignal } = session();
      await runUpdate(operation, stack, new UpdateState(), { progress, signal, engineSignal });
      expect(calls).toHaveLength(1);
      expect(calls[0]).toMatchObject({ suppressProgress: true, suppressOutputs: true, color: "never" });
      expect(calls[0]?.signal).toBe(engineSignal);
      expect(progress.lines.at(-1)).toMatch(/ is done: (would be )?1 updated$/);
    },
  );

  it("of refresh settles creations that were broken off", async () => {
    const { stack, calls } = stackThat("refresh", () => undefined);
    await runUpdate("refresh", stack, new UpdateState(), session());
    expect(calls[0]).toMatchObject({ clearPendingCreates: true });
  });
});

describe("an operation that fails", () => {
  it("tells each resource with its reason, and a hint where there is one", async () => {
    const message = await failureOf("up", ({ onEvent }) => {
      onEvent?.(says("error", "2 errors:\n* ImagePullBackOff", { urn: DEPLOYMENT }));
      onEvent?.(fails(DEPLOYMENT, "create"));
      onEvent?.(fails(SERVICE, "create"));
      throw new Error("code: 255, a page of the engine's own display");
    });
    expect(message.split("\n")).toEqual([
      "up failed",
      "  Deployment checkout:",
      "    2 errors:",
      "    * ImagePullBackOff",
      "    hint: the node cannot pull the image: check its reference and pullCredentials",
      "  Service checkout:",
      "    no reason was given",
    ]);
  });

  it("tells what the engine wrote to standard error, where no resource failed", async () => {
    const message = await failureOf("destroy", () => {
      throw new Error(
        "code: -2\n stdout: \n stderr: error: the stack is currently locked\n by 1 lock\n err?: Error: x\n",
      );
    });
    expect(message).toBe("destroy failed\nerror: the stack is currently locked\n by 1 lock");
  });

  it("tells the error itself, where the engine wrote nothing", async () => {
    const message = await failureOf("preview", () => {
      throw new Error("spawn pulumi ENOENT");
    });
    expect(message).toBe("preview failed\nspawn pulumi ENOENT");
  });

  it("shows how far it came", async () => {
    const { stack } = stackThat("up", ({ onEvent }) => {
      onEvent?.(ends(SERVICE, "create"));
      throw new Error("code: 255");
    });
    const { progress, ...rest } = session();
    await expect(runUpdate("up", stack, new UpdateState(), { progress, ...rest })).rejects.toThrow(UpdateError);
    expect(progress.lines.at(-1)).toBe("stack failed: failed after 1 of 1 resources");
  });
});

describe("an operation that the user stops", () => {
  it("is no failure, whatever the engine made of it", async () => {
    const { stop, ...rest } = session();
    const { stack } = stackThat("up", ({ onEvent }) => {
      onEvent?.(fails(DEPLOYMENT, "create"));
      stop.abort();
      throw new Error("code: 255");
    });
    const error: unknown = await runUpdate("up", stack, new UpdateState(), rest).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StoppedError);
    expect((error as Error).message).toBe("up was stopped: what was under way is finished and kept");
    expect(rest.progress.lines.at(-1)).toBe("stack failed: stopped after 0 of 0 resources");
  });
});
