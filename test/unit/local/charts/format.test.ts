import { expect, it } from "vitest";
import { UNITS } from "../../../../components/observability/dashboards";
import { formatValue } from "../../../../local/charts/format";

it.each([
  [0, UNITS.requests, "0 req/s"],
  [1234.5, UNITS.requests, "1.23 k req/s"],
  [0.25, UNITS.perSecond, "0.25/s"],
  [0.0213, UNITS.seconds, "21.3 ms"],
  [0.00018, UNITS.seconds, "180 µs"],
  [0, UNITS.seconds, "0 s"],
  [1.5, UNITS.seconds, "1.5 s"],
  [90_000, UNITS.duration, "1.04 d"],
  [0.9999, UNITS.share, "99.99 %"],
  [0.0001, UNITS.share, "0.01 %"],
  [1, UNITS.share, "100 %"],
  [-0.5, UNITS.share, "-50 %"],
  [12, UNITS.count, "12"],
  [1_500_000, UNITS.count, "1.5 M"],
  [512, UNITS.bytes, "512 B"],
  [33_554_432, UNITS.bytes, "32 MiB"],
  [2048, UNITS.bytesPerSecond, "2 KiB/s"],
  [8_000_000, UNITS.bitsPerSecond, "8 Mb/s"],
  [1.25, UNITS.cores, "1.25 cores"],
  [14.4, UNITS.times, "14.4 x"],
])("%d in %s is %s", (value, unit, text) => expect(formatValue(value, unit)).toBe(text));
