import type { Millis } from "../../infra/units";

/** What a watch tells of one pod. */
export interface PodRow {
  readonly name: string;
  readonly ready: boolean;
  /** On its way out: it counts for nobody any more. */
  readonly leaving: boolean;
  /** Undefined until it is bound. */
  readonly node: string | undefined;
}

export interface PodCounts {
  /** Those that do not leave. */
  readonly pods: number;
  readonly bound: number;
  readonly ready: number;
  readonly leaving: number;
}

interface Pod extends PodRow {
  /** When it was first seen; undefined where its creation was not. */
  readonly createdAt: Millis | undefined;
}

/**
 * The pods of a function as a watch has seen them, and how long each waited for its node: from when it was seen created
 * until it was seen bound, by this process's clock, which tells milliseconds where the API's own times tell seconds.
 */
export class PodLedger {
  private readonly pods = new Map<string, Pod>();
  private readonly waited: Millis[] = [];
  private readonly started: Millis[] = [];
  private missed = 0;
  private known = false;

  /** All pods that there are now: at first, and when a watch was lost and has to begin anew. */
  list(rows: readonly PodRow[]): void {
    const before = new Map(this.pods);
    this.pods.clear();
    // Of those that were bound while nobody looked, nobody knows how long they waited.
    for (const row of rows) {
      const known = before.get(row.name);
      const boundUnseen = row.node !== undefined && known?.node === undefined;
      if (this.known && boundUnseen) this.missed += 1;
      this.pods.set(row.name, { ...row, createdAt: boundUnseen ? undefined : known?.createdAt });
    }
    this.known = true;
  }

  seen(row: PodRow, at: Millis): void {
    const before = this.pods.get(row.name);
    const createdAt = before === undefined ? (row.node === undefined ? at : undefined) : before.createdAt;
    if (before === undefined && row.node !== undefined) this.missed += 1;
    if (before !== undefined && before.node === undefined && row.node !== undefined) {
      if (createdAt === undefined) this.missed += 1;
      else this.waited.push(at - createdAt);
    }
    if (before?.ready === false && row.ready && createdAt !== undefined) this.started.push(at - createdAt);
    this.pods.set(row.name, { ...row, createdAt });
  }

  gone(name: string): void {
    this.pods.delete(name);
  }

  counts(): PodCounts {
    let [pods, bound, ready, leaving] = [0, 0, 0, 0];
    for (const pod of this.pods.values()) {
      if (pod.leaving) {
        leaving += 1;
        continue;
      }
      pods += 1;
      if (pod.node !== undefined) bound += 1;
      if (pod.ready) ready += 1;
    }
    return { pods, bound, ready, leaving };
  }

  /** Pods on these nodes that are ready, as far as the API server knows. */
  readyOn(nodes: ReadonlySet<string>): number {
    if (nodes.size === 0) return 0;
    const there = ({ node, ready, leaving }: Pod) => ready && !leaving && node !== undefined && nodes.has(node);
    return [...this.pods.values()].filter(there).length;
  }

  /** Pods on each node, those that leave included: they hold its resources until they are gone. */
  perNode(): ReadonlyMap<string, number> {
    const nodes = new Map<string, number>();
    for (const { node } of this.pods.values()) if (node !== undefined) nodes.set(node, (nodes.get(node) ?? 0) + 1);
    return nodes;
  }

  /** From here on the delays count: of pods that came before nobody asks. */
  forgetDelays(): void {
    this.waited.length = 0;
    this.started.length = 0;
    this.missed = 0;
  }

  /** Milliseconds from created to bound, of each pod whose both moments were seen. */
  get delays(): readonly Millis[] {
    return this.waited;
  }

  /** Milliseconds from created to ready for the first time, of each pod whose both moments were seen. */
  get starts(): readonly Millis[] {
    return this.started;
  }

  /** Pods whose delay is not known. */
  get unseen(): number {
    return this.missed;
  }
}

/** The value that a share of all are at or under; undefined of nothing. */
export function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
