import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatCpu,
  formatDuration,
  formatGoDuration,
  formatPercent,
  formatPodCount,
  humanBytes,
  parseBytes,
  parseCpu,
  parseDuration,
  parsePercent,
  parsePodCount,
  resolvePods,
} from "../../../infra/units";

describe("CPU", () => {
  it.each([
    ["10m", 10],
    ["2", 2000],
    ["0.5", 500],
    ["1.001", 1001],
    ["0.07", 70],
    ["0", 0],
  ])("reads %s as %d millicores", (text, millicores) => {
    expect(parseCpu(text)).toEqual({ ok: millicores });
  });

  it.each(["", "10", "2"].flatMap((n) => [`${n}x`, `-${n}`, `${n} m`, `${n}M`]))("refuses %j", (text) => {
    expect(parseCpu(text)).toEqual({
      error: { limit: "must be a CPU quantity", fix: 'write millicores as "10m" or cores as "2"' },
    });
  });

  it("refuses less than a millicore", () => {
    expect(parseCpu("0.0005")).toHaveProperty("error.limit", "CPU goes in whole millicores");
    expect(parseCpu("0.5m")).toHaveProperty("error.limit", "CPU goes in whole millicores");
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), (cpu) => {
        expect(parseCpu(formatCpu(cpu))).toEqual({ ok: cpu });
      }),
    );
  });
});

describe("bytes", () => {
  it.each([
    ["32Mi", 33_554_432],
    ["64Gi", 68_719_476_736],
    ["256M", 256_000_000],
    ["1.5Gi", 1_610_612_736],
    ["1.001k", 1001],
    ["0", 0],
  ])("reads %s as %d", (text, bytes) => {
    expect(parseBytes(text)).toEqual({ ok: bytes });
  });

  it("refuses a number without its unit, and names what may be meant", () => {
    expect(parseBytes("32")).toEqual({ error: { limit: "has no unit", fix: 'write "32Mi" or "32Gi"' } });
  });

  it.each(["32MB", "32mi", "Mi", "-1Mi", "1 Gi"])("refuses %j", (text) => {
    expect(parseBytes(text)).toHaveProperty("error.limit", "must be a size with a unit");
  });

  it("refuses a fraction of a byte", () => {
    expect(parseBytes("0.0001k")).toHaveProperty("error.limit", "must be a whole number of bytes");
  });

  it("reads back what it writes, where a unit divides it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.constantFrom(1024, 1000, 2 ** 20, 1e6), (count, unit) => {
        expect(parseBytes(formatBytes(count * unit))).toEqual({ ok: count * unit });
      }),
    );
  });

  it("writes what people read with one decimal", () => {
    expect(humanBytes(327_659_028_480)).toBe("305.2Gi");
    expect(humanBytes(512)).toBe("512B");
  });
});

describe("durations", () => {
  it.each([
    ["180us", 0.18],
    ["10ms", 10],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
  ])("reads %s as %d ms", (text, millis) => {
    expect(parseDuration(text)).toEqual({ ok: millis });
  });

  it.each(["30", "30 s", "s", "-1s", "1w"])("refuses %j", (text) => {
    expect(parseDuration(text)).toHaveProperty("error.limit", "must be a duration with a unit");
  });

  it("writes the largest unit that keeps it exact", () => {
    expect([0, 0.18, 1500, 90_000, 3_600_000, 86_400_000].map(formatDuration)).toEqual([
      "0s",
      "180us",
      "1500ms",
      "90s",
      "1h",
      "1d",
    ]);
  });

  it("writes days as hours for Kubernetes, which knows none", () => {
    expect(formatGoDuration(172_800_000)).toBe("48h");
    expect(formatGoDuration(10)).toBe("10ms");
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000_000 }), (micros) => {
        const parsed = parseDuration(formatDuration(micros / 1000));
        expect("ok" in parsed && Math.round(parsed.ok * 1000)).toBe(micros);
      }),
    );
  });
});

describe("percentages and pod counts", () => {
  it("reads 70% as a ratio and refuses a bare number", () => {
    expect(parsePercent("70%")).toEqual({ ok: 0.7 });
    expect(parsePercent("0.7")).toEqual({ error: { limit: "must be a percentage", fix: 'write it as "70%"' } });
    expect(formatPercent(0.7142)).toBe("71.42%");
  });

  it.each(["125%", "12.5%", "-1", "many"])("refuses %j as a number of pods", (text) => {
    expect(parsePodCount(text)).toHaveProperty(
      "error.limit",
      "must be a number of pods or a whole percentage up to 100%",
    );
  });

  it("rounds a share of pods up, without the error of binary fractions", () => {
    expect(resolvePods({ share: 0.25 }, 5000)).toBe(1250);
    expect(resolvePods({ share: 0.07 }, 100)).toBe(7);
    expect(resolvePods({ share: 0.25 }, 10)).toBe(3);
    expect(resolvePods({ pods: 4 }, 5000)).toBe(4);
  });

  it("reads back every whole percentage and count", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 10_000 }), (percent, pods) => {
        expect([`${percent}%`, `${pods}`].map(roundTrip)).toEqual([`${percent}%`, pods]);
      }),
    );
    function roundTrip(text: string) {
      const parsed = parsePodCount(text);
      return "ok" in parsed ? formatPodCount(parsed.ok) : parsed;
    }
  });
});
