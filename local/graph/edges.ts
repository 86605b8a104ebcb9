/** `from` needs `to`, which is there first. */
export interface Edge {
  readonly from: string;
  readonly to: string;
}

/**
 * A dependency as an arrow between two boxes: those at which the ways to both, from the outermost box inwards, part. None
 * where one way is the beginning of the other: what is in a box needs no arrow to it.
 */
export function lifted(from: readonly string[], to: readonly string[]): Edge | undefined {
  const parting = from.findIndex((box, depth) => box !== to[depth]);
  const [a, b] = [from[parting], to[parting]];
  return a === undefined || b === undefined ? undefined : { from: a, to: b };
}

/**
 * The least of these edges by which everything still reaches what it reached: without those that say what a longer way
 * says. Where boxes need each other in a circle there may be several such sets; the same edges always give the same one.
 */
export function reduced(edges: readonly Edge[]): Edge[] {
  const targets = new Map<string, Set<string>>();
  for (const { from, to } of edges) if (from !== to) targets.set(from, (targets.get(from) ?? new Set()).add(to));
  const kept: Edge[] = [];
  for (const from of [...targets.keys()].sort()) {
    const own = targets.get(from)!;
    for (const to of [...own].sort()) {
      own.delete(to);
      if (reaches(targets, from, to)) continue;
      own.add(to);
    }
  }
  for (const [from, own] of targets) for (const to of own) kept.push({ from, to });
  return kept.sort((a, b) => compare(a.from, b.from) || compare(a.to, b.to));
}

function reaches(targets: ReadonlyMap<string, ReadonlySet<string>>, from: string, to: string): boolean {
  const seen = new Set<string>();
  const next = [...(targets.get(from) ?? [])];
  for (let box = next.pop(); box !== undefined; box = next.pop()) {
    if (box === to) return true;
    if (seen.has(box)) continue;
    seen.add(box);
    next.push(...(targets.get(box) ?? []));
  }
  return false;
}

/** By code units: the same on each machine, whatever its language. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
