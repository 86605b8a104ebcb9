import { resolve4 } from "node:dns/promises";

/** How often the replicas are counted, in milliseconds: the cluster's DNS remembers an answer for about as long. */
const INTERVAL = 5000;

/**
 * Counts the replicas that are ready, by a DNS name that has an address for each. While it cannot be asked, the last
 * count stands.
 */
export class Peers {
  private count: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly name: string,
    atFirst: number,
    private readonly resolve: (name: string) => Promise<readonly string[]> = resolve4,
  ) {
    this.count = Math.max(1, atFirst);
  }

  /** How many share the work, this one included. */
  get replicas(): number {
    return this.count;
  }

  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void this.look(), INTERVAL);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  async look(): Promise<void> {
    try {
      this.count = Math.max(1, new Set(await this.resolve(this.name)).size);
    } catch {
      // A name without addresses, or a DNS that does not answer: the last count stands.
    }
  }
}
