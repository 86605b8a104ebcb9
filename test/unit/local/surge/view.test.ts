import { describe, expect, it, vi } from "vitest";
import { bar, createView, plainLine, renderView, sparkline, type ViewState } from "../../../../local/surge/view";
import { goodRun } from "./support";

const run = goodRun();
const stateAt = (second: number): ViewState => ({
  ...run,
  samples: run.samples.filter((sample) => sample.second <= second),
  delays: { p50: 12.4, p99: 1234 },
});
const collect = (isTTY: boolean) => {
  const written: string[] = [];
  return { written, stream: { isTTY, columns: 60, write: (text: string) => written.push(text) } };
};

describe("the live view", () => {
  it("shows load, capacity, what is shed, replicas and delays, and never wraps", () => {
    for (const width of [40, 80, 200]) {
      const lines = renderView(stateAt(40), width);
      expect(lines.filter((line) => line.length > width)).toEqual([]);
    }
    const text = renderView(stateAt(20), 100).join("\n");
    expect(text).toMatch(/load\/s +100,000/);
    expect(text).toMatch(/wanted +\d/);
    expect(text).toMatch(/shed\/s +[1-9]/);
    expect(text).toContain("scheduled in 12 ms (P50), 1,234 ms (P99)");
  });

  it("goes back over what it has drawn", () => {
    const { written, stream } = collect(true);
    const view = createView(stream, { env: {} });
    view.note("goes to min");
    view.show(stateAt(10));
    view.show(stateAt(12));
    const lines = renderView(stateAt(10), 59).length;
    expect(written[1]).toMatch(/^\u001b\[1A\r\u001b\[J/);
    expect(written[2]!.startsWith(`\u001b[${lines}A\r\u001b[J`)).toBe(true);
  });
});

describe("where nothing can be redrawn", () => {
  it("a plain line tells the same, every few seconds", () => {
    vi.useFakeTimers();
    try {
      const { written, stream } = collect(false);
      const view = createView(stream, { env: {}, interval: 5000 });
      for (let second = 0; second < 11; second++) {
        view.show(stateAt(second));
        vi.advanceTimersByTime(1000);
      }
      expect(written).toHaveLength(3);
      expect(written.join("")).not.toContain("\u001b");
    } finally {
      vi.useRealTimers();
    }
  });

  it("says what comes, what is served and how many pods there are", () => {
    expect(plainLine(stateAt(20))).toMatch(
      /^ {3}20 s {2}load 100,000\/s, served [\d,]+, shed [\d,]+ {2}wanted \d+, pods \d+, ready \d+ {2}scheduled in 12 ms \(P50\), 1,234 ms \(P99\)$/,
    );
  });
});

it("a bar is as wide as its share, to an eighth of a character", () => {
  expect([0, 0.5, 0.5625, 1, 7].map((share) => bar(share, 2))).toEqual(["", "█", "█▏", "██", "██"]);
});

it("a sparkline is as high as the highest of each part, and no wider than there is room", () => {
  expect(sparkline([0, 4, 8], 8, 10)).toBe(" ▄█");
  expect(sparkline([0, 0, 8, 0], 8, 2)).toBe(" █");
  expect(sparkline([0, 0], 0, 2)).toBe("  ");
});
