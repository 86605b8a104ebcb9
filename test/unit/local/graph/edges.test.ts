import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lifted, reduced, type Edge } from "../../../../local/graph/edges";

/** `a>b` as an edge. */
const edges = (text: string): Edge[] =>
  text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => ({ from: word[0]!, to: word[2]! }));
const text = (all: readonly Edge[]) => all.map(({ from, to }) => `${from}>${to}`).join(" ");

describe("a dependency between what is in boxes", () => {
  it.each([
    [["a"], ["b"], "a>b"],
    [["a", "b"], ["c", "d"], "a>c"],
    [["a", "b"], ["a", "c"], "b>c"],
    [["a", "b", "c"], ["a", "d"], "b>d"],
  ])("of %j on %j is one of the outermost boxes that differ: %s", (from, to, arrow) => {
    expect(text([lifted(from, to)!])).toBe(arrow);
  });

  it.each([
    [["a"], ["a"]],
    [["a"], ["a", "b"]],
    [["a", "b"], ["a"]],
    [[], ["a"]],
    [["a"], []],
    [[], []],
  ])("of %j on %j is none between boxes", (from, to) => {
    expect(lifted(from, to)).toBeUndefined();
  });
});

describe("arrows that say what others say", () => {
  it.each([
    ["", ""],
    ["a>b a>b", "a>b"],
    ["a>a", ""],
    ["a>b b>c a>c", "a>b b>c"],
    ["a>b b>c c>d a>d a>c b>d", "a>b b>c c>d"],
    ["a>b a>c b>d c>d a>d", "a>b a>c b>d c>d"],
    // Two that need each other keep both.
    ["a>b b>a", "a>b b>a"],
    ["a>b b>a a>c b>c", "a>b b>a b>c"],
  ])("of %s leave %s", (all, left) => {
    expect(text(reduced(edges(all)))).toBe(left);
  });

  const letters = fc.constantFrom(...Array.from("abcdefg"));
  const graphs = fc.array(fc.record({ from: letters, to: letters }), { maxLength: 30 });
  const twice = (all: Edge[]) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }));
  /** Every pair of which one reaches the other. */
  const reached = (all: readonly Edge[]) => {
    const pairs = new Set(all.filter(({ from, to }) => from !== to).map(({ from, to }) => from + to));
    for (const b of "abcdefg")
      for (const a of "abcdefg") for (const c of "abcdefg") if (pairs.has(a + b) && pairs.has(b + c)) pairs.add(a + c);
    return [...pairs].filter(([a, b]) => a !== b).sort();
  };

  it("are left out, and no others: all reaches what it reached, and would not without one of those kept", () => {
    fc.assert(
      fc.property(graphs, (all) => {
        const kept = reduced(all);
        expect(reached(kept)).toEqual(reached(all));
        for (const edge of kept) expect(reached(kept.filter((other) => other !== edge))).not.toEqual(reached(all));
      }),
    );
  });

  it("are the same in whatever order they come", () => {
    fc.assert(
      fc.property(graphs.chain(twice), ([one, other]) => {
        expect(reduced(one)).toEqual(reduced(other));
      }),
    );
  });
});
