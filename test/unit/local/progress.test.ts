import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createProgress, formatDuration } from "../../../local/progress";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function collector(isTTY: boolean, columns = 60) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text), text: () => written.join("") };
}

describe("in a log", () => {
  it("is a line at the start, a sign of life, and a line at the end", () => {
    const stream = collector(false);
    const task = createProgress(stream, { env: {}, heartbeat: 30_000 }).task("pulumi 3.259.0", "building");
    vi.advanceTimersByTime(31_000);
    task.update("building (12 modules downloaded)");
    vi.advanceTimersByTime(74_000);
    task.done("built");
    vi.advanceTimersByTime(60_000);
    expect(stream.text().split("\n")).toEqual([
      "- pulumi 3.259.0: building",
      "  pulumi 3.259.0: building, 30 s",
      "  pulumi 3.259.0: building (12 modules downloaded), 60 s",
      "  pulumi 3.259.0: building (12 modules downloaded), 90 s",
      "✓ pulumi 3.259.0: built in 105 s",
      "",
    ]);
  });

  it("has no control characters", () => {
    const stream = collector(false);
    const progress = createProgress(stream, { env: {} });
    progress.note("a note");
    progress.task("a").fail("it broke");
    expect(stream.text()).toBe("a note\n- a: started\n✗ a: it broke in 0.0 s\n");
  });
});

describe("on a terminal", () => {
  it("redraws the running lines in place and keeps notes above them", () => {
    const stream = collector(true);
    const progress = createProgress(stream, { env: { NO_COLOR: "1" } });
    const task = progress.task("a", "building");
    progress.note("a note");
    vi.advanceTimersByTime(240);
    task.done("built");
    expect(stream.written[0]).toBe("⠋ a: building 0.0 s\n");
    expect(stream.written[1]).toBe("\u001b[1A\r\u001b[Ja note\n⠋ a: building 0.0 s\n");
    expect(stream.written.at(-1)).toBe("\u001b[1A\r\u001b[J✓ a: built in 0.2 s\n");
  });

  it("cuts lines that would wrap", () => {
    const stream = collector(true, 30);
    createProgress(stream, { env: { NO_COLOR: "1" } })
      .task("a".repeat(20), "b".repeat(20))
      .done();
    expect(stream.written[0]?.trimEnd().length).toBeLessThan(30);
    expect(stream.written[0]).toContain("…");
  });

  it("has no colours under NO_COLOR, and is plain on a dumb terminal", () => {
    const colored = collector(true);
    createProgress(colored, { env: {} }).task("a").done();
    expect(colored.text()).toContain("\u001b[32m✓");
    const plain = collector(true);
    createProgress(plain, { env: { NO_COLOR: "1" } })
      .task("a")
      .done();
    expect(plain.text()).not.toContain("\u001b[32m");
    const dumb = collector(true);
    createProgress(dumb, { env: { TERM: "dumb" } })
      .task("a")
      .done();
    expect(dumb.text()).not.toContain("\u001b[");
  });
});

it.each([
  [0, "0.0 s"],
  [4_240, "4.2 s"],
  [9_960, "10 s"],
  [105_000, "105 s"],
  [368_000, "6 min 8 s"],
])("%d ms reads %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});
