import { LRUCache } from "lru-cache";
import { keyOf, type Budget, type Budgets } from "./buckets";
import type { Limit } from "./settings";

/** For how long a request waits for the store's answer, in milliseconds. */
export const ANSWER_BOUND = 50;
/** How often a store that does not answer is tried again, in milliseconds. */
export const TRY_AGAIN = 500;
/** A request's turn comes with the second question at the latest, unless its lease was pushed out of memory. */
const MOST_QUESTIONS = 3;
/** What is asked for to see whether the store answers; it is never used up. */
const PROBE: Limit = { name: "probe", requestsPerSecond: 1000, burst: 1000 };
const LOST = "the connection was lost";

/** What the store gave of a bucket. */
export interface Grant {
  /** Whole requests, 0 where there is none. */
  readonly granted: number;
  /** What is left in the bucket, parts of a request included. */
  readonly left: number;
}

/** Where the whole of each client's budget is. */
export interface Store {
  /**
   * Makes a connection, in the place of the one before.
   *
   * @param lost called when it has ended
   * @throws where there is none to be had
   */
  open(lost: () => void): Promise<void>;
  /**
   * Takes of a client's bucket: a share of what it has, and at least as many requests as are needed, if it has them.
   *
   * @throws where the store refuses
   */
  lease(limit: Limit, client: string, needed: number, share: number): Promise<Grant>;
  close(): void;
}

/** What is told of the store. */
export interface StoreEvents {
  /** A question failed. */
  failed(): void;
  /** It answers from now on, or does not, and why: once per change. */
  changed(up: boolean, reason?: string): void;
}

interface Lease {
  tokens: number;
  /** What the store had left when it gave them. */
  readonly left: number;
  /** Milliseconds of this replica's clock, as below: from then on the bucket is full without them. */
  readonly lapses: number;
  /** Until then the store has none. */
  readonly emptyUntil: number;
}

/** Requests of one client that wait for the store. */
interface Queue {
  waiting: number;
  /** Whether the question that is under way was answered. */
  answer: Promise<boolean> | undefined;
}

/**
 * Budgets that all replicas take from one store, a lease at a time: what a replica has leased it spends without asking,
 * and what it does not spend in the time in which the bucket fills lapses. As a lease is a share of what is left,
 * many replicas do not empty a bucket by leasing alone.
 *
 * Of one client no more passes than the store gives, which is burst + rate × time. Counted from a later moment, what
 * was leased before comes on top: at most `share` × burst for each replica. A client may be refused while
 * other replicas hold leases of its budget.
 *
 * While the store does not answer, the fallback's budgets hold; then leases that were given before are used up as well.
 */
export class SharedBuckets implements Budgets {
  private readonly leases: LRUCache<string, Lease>;
  private readonly queues = new Map<string, Queue>();
  private answers = false;
  private connection = { ended: true };
  private told: boolean | undefined;
  private trying = false;
  private stopped = false;

  /**
   * @param fallback budgets while the store does not answer; it remembers clients of its own
   * @param share of what a client has left, what one replica takes at once, from 0 to 1
   * @param remembered the most clients whose leases are kept; one that is forgotten is lost, never doubled
   * @param now milliseconds of a clock that never goes back
   */
  constructor(
    private readonly store: Store,
    private readonly fallback: Budgets,
    private readonly share: number,
    remembered: number,
    private readonly events: StoreEvents,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.leases = new LRUCache({ max: remembered });
  }

  /** Tries the store once, so that the first requests find it; where it does not answer, it is tried on. */
  async start(): Promise<void> {
    if (!(await this.try())) setTimeout(() => void this.keepTrying(), TRY_AGAIN).unref();
  }

  stop(): void {
    this.stopped = true;
    this.store.close();
  }

  /** Whether the store answers. */
  get up(): boolean {
    return this.answers;
  }

  get size(): number {
    return this.leases.size + this.fallback.size;
  }

  look(limit: Limit, client: string): Budget {
    const lease = this.leases.get(keyOf(limit, client));
    const known = lease && this.known(lease);
    if (known !== undefined) return known;
    // Nothing speaks against it, and who asks takes nothing: the store is asked when something is taken.
    return this.answers ? { remaining: limit.burst, retryAfter: 0 } : this.fallback.look(limit, client);
  }

  spend(limit: Limit, client: string): Budget | Promise<Budget> {
    const key = keyOf(limit, client);
    const budget = this.take(key);
    if (budget !== undefined) return budget;
    return this.answers ? this.ask(key, limit, client) : this.fallback.spend(limit, client);
  }

  private take(key: string): Budget | undefined {
    const lease = this.leases.get(key);
    const budget = lease && this.known(lease);
    if (lease && budget && budget.remaining >= 1) lease.tokens--;
    return budget;
  }

  /** What this replica knows by itself; undefined where only the store does. */
  private known({ tokens, left, lapses, emptyUntil }: Lease): Budget | undefined {
    const now = this.now();
    if (tokens >= 1 && now < lapses) return { remaining: tokens + Math.floor(left), retryAfter: 0 };
    return now < emptyUntil ? { remaining: 0, retryAfter: (emptyUntil - now) / 1000 } : undefined;
  }

  /** Requests of a client that come while the store is asked for it wait for the same answer. */
  private async ask(key: string, limit: Limit, client: string): Promise<Budget> {
    const queue = this.queues.get(key) ?? { waiting: 0, answer: undefined };
    this.queues.set(key, queue);
    queue.waiting++;
    try {
      for (let questions = 0; questions < MOST_QUESTIONS; questions++) {
        queue.answer ??= this.question(key, limit, client, queue);
        if (!(await queue.answer)) break;
        const budget = this.take(key);
        if (budget !== undefined) return budget;
      }
      return await this.fallback.spend(limit, client);
    } finally {
      if (--queue.waiting === 0) this.queues.delete(key);
    }
  }

  private async question(key: string, limit: Limit, client: string, queue: Queue): Promise<boolean> {
    const { connection } = this;
    try {
      // As many as wait for it, or the last of them would wait for one question after the other.
      const { granted, left } = await within(this.store.lease(limit, client, queue.waiting, this.share));
      const now = this.now();
      this.leases.set(key, {
        tokens: granted,
        left,
        lapses: now + (limit.burst / limit.requestsPerSecond) * 1000,
        emptyUntil: left < 1 ? now + ((1 - left) / limit.requestsPerSecond) * 1000 : 0,
      });
      return true;
    } catch (error) {
      this.events.failed();
      // A question to the connection before says nothing of the one that has come in its place.
      if (connection === this.connection) this.lost(error);
      return false;
    } finally {
      queue.answer = undefined;
    }
  }

  private lost(reason: unknown): void {
    if (!this.answers || this.stopped) return;
    this.tell(false, reason);
    void this.keepTrying();
  }

  private async keepTrying(): Promise<void> {
    if (this.trying) return;
    this.trying = true;
    while (!this.answers && !this.stopped) {
      if (!(await this.try())) await pause(TRY_AGAIN);
    }
    this.trying = false;
  }

  /** By a new connection, since the old one may lead to a server that is gone, and by what requests would ask. */
  private async try(): Promise<boolean> {
    const connection = { ended: false };
    this.connection = connection;
    try {
      await this.store.open(() => {
        connection.ended = true;
        if (connection === this.connection) this.lost(new Error(LOST));
      });
      await within(this.store.lease(PROBE, "", 1, 0));
      if (connection.ended) throw new Error(LOST);
      this.tell(true);
    } catch (error) {
      this.events.failed();
      this.tell(false, error);
    }
    if (this.stopped) this.store.close();
    return this.answers;
  }

  private tell(up: boolean, reason?: unknown): void {
    this.answers = up && !this.stopped;
    if (this.told === up || this.stopped) return;
    this.told = up;
    if (up) this.events.changed(true);
    else this.events.changed(false, textOf(reason));
  }
}

/** @throws where the answer does not come in time */
async function within<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // Where this process itself was held up, the answer may be there by now: it is read before the verdict.
    timer = setTimeout(() => setImmediate(() => reject(new Error(`no answer in ${ANSWER_BOUND} ms`))), ANSWER_BOUND);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** It keeps no process from ending. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}

/** Never more than a message: errors of the client carry what it sent, the password among it. */
function textOf(reason: unknown): string {
  if (!(reason instanceof Error)) return "unknown";
  const { code } = reason as NodeJS.ErrnoException;
  return reason.message === "" ? (code ?? reason.name) : reason.message;
}
