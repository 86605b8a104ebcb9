import type { Grant, Store } from "../../../../programs/authorizer/shared-buckets";
import type { Limit } from "../../../../programs/authorizer/settings";

/**
 * A fake of the store: buckets in this process, on a clock that the test turns. It keeps to what is written at `Store`;
 * that the script in Valkey does as well is tested on a real server.
 */
export class FakeStore implements Store {
  /** `silent`: it takes a question and never answers. */
  state: "answers" | "refuses" | "silent" = "answers";
  /** Questions by clients, of those that try the store none. */
  readonly questions: { readonly client: string; readonly needed: number; readonly granted: number }[] = [];
  connections = 0;
  private readonly buckets = new Map<string, { tokens: number; at: number }>();
  private lost: (() => void) | undefined;

  constructor(private readonly clock: { readonly now: number }) {}

  open(lost: () => void): Promise<void> {
    this.connections++;
    this.lost = lost;
    return this.state === "refuses" ? Promise.reject(new Error("connect ECONNREFUSED")) : Promise.resolve();
  }

  close(): void {
    this.lost = undefined;
  }

  /** As a server that is killed: its connection ends. */
  die(): void {
    this.state = "refuses";
    this.lost?.();
  }

  async lease(limit: Limit, client: string, needed: number, share: number): Promise<Grant> {
    if (this.state === "silent") await new Promise(() => undefined);
    if (this.state === "refuses") throw new Error("LOADING");
    const key = `${limit.name} ${client}`;
    const { now } = this.clock;
    const bucket = this.buckets.get(key) ?? { tokens: limit.burst, at: now };
    const refilled = bucket.tokens + ((now - bucket.at) / 1000) * limit.requestsPerSecond;
    const tokens = Math.min(limit.burst, refilled);
    const granted = Math.min(Math.floor(tokens + 1e-6), Math.max(needed, Math.floor(tokens * share)));
    const left = Math.max(0, tokens - granted);
    this.buckets.set(key, { tokens: left, at: now });
    if (limit.name !== "probe") this.questions.push({ client, needed, granted });
    return { granted, left };
  }
}
