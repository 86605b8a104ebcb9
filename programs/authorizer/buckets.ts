import { LRUCache } from "lru-cache";
import type { Limit } from "./settings";

/** What a client may still do, and how long it has to wait for the next request where that is none. */
export interface Budget {
  /** Whole requests. */
  readonly remaining: number;
  /** Seconds until one more is allowed. */
  readonly retryAfter: number;
}

/** Where clients' budgets are kept. */
export interface Budgets {
  /**
   * Takes one request, where there is one.
   *
   * @returns what was left before: at least 1 where it was taken. At once where this replica knows, and never rejected.
   */
  spend(limit: Limit, client: string): Budget | Promise<Budget>;
  /** What a client has left as far as this replica knows; nothing is taken, and nobody is asked. */
  look(limit: Limit, client: string): Budget;
  /** Clients that are remembered. */
  readonly size: number;
}

interface Bucket {
  tokens: number;
  /** When it had so many, in milliseconds. */
  at: number;
}

/**
 * Token buckets in this process's memory. A bucket that nobody took from until it would be full again is forgotten:
 * it is as good as a new one, so that memory holds only the clients of the last seconds. Where more clients than fit
 * come in that time, the one that was idle longest is forgotten too early, and starts over with a full budget.
 */
export class LocalBuckets implements Budgets {
  private readonly buckets: LRUCache<string, Bucket>;

  /**
   * @param remembered the most buckets that are kept
   * @param share the part of each limit that is this replica's, from 0 to 1
   * @param now milliseconds of a clock that never goes back
   */
  constructor(
    remembered: number,
    private readonly share: () => number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.buckets = new LRUCache({ max: remembered });
  }

  get size(): number {
    return this.buckets.size;
  }

  look(limit: Limit, client: string): Budget {
    const { tokens, rate } = this.present(limit, client);
    return { remaining: Math.floor(tokens), retryAfter: tokens >= 1 ? 0 : (1 - tokens) / rate };
  }

  spend(limit: Limit, client: string): Budget {
    const { tokens, rate } = this.present(limit, client);
    if (tokens < 1) return { remaining: 0, retryAfter: (1 - tokens) / rate };
    this.buckets.set(keyOf(limit, client), { tokens: tokens - 1, at: this.now() });
    return { remaining: Math.floor(tokens), retryAfter: 0 };
  }

  /** What a bucket has by now; one that is full again needs no place in memory. */
  private present(limit: Limit, client: string): { tokens: number; rate: number } {
    const rate = limit.requestsPerSecond * this.share();
    // Less than one request could never be taken.
    const burst = Math.max(1, limit.burst * this.share());
    const key = keyOf(limit, client);
    const bucket = this.buckets.get(key);
    if (bucket === undefined) return { tokens: burst, rate };
    const tokens = bucket.tokens + ((this.now() - bucket.at) / 1000) * rate;
    if (tokens >= burst) this.buckets.delete(key);
    return { tokens: Math.min(burst, tokens), rate };
  }
}

/** A bucket's name in this process's memory. */
export function keyOf(limit: Limit, client: string): string {
  return `${limit.name}\n${client}`;
}
