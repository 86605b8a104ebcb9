import { writeFileAtomic } from "../../local/files";
import { table } from "../../local/table";
import type { Measurement } from "./measure";

/** The table for people: every measurement with its baseline and aim, and whether the aim was met. */
export function formatMeasurements(measurements: readonly Measurement[]): string {
  return table([
    ["MEASURED", "VALUE", "BASELINE", "RATIO", "AIM", "MET"],
    ...measurements.map((measurement) => [
      measurement.name,
      formatValue(measurement.value, measurement),
      measurement.baseline === null ? "-" : formatValue(measurement.baseline, measurement),
      measurement.ratio === null ? "-" : formatRatio(measurement.ratio),
      formatAim(measurement),
      formatMet(measurement),
    ]),
  ]);
}

/** The list for programs; aims are not part of it. */
export function writeMeasurements(file: string, measurements: readonly Measurement[]): void {
  const list = measurements.map(({ name, value, unit, baseline, ratio }) => ({
    name,
    value: rounded(value),
    unit,
    baseline: baseline === null ? null : rounded(baseline),
    ratio: ratio === null ? null : rounded(ratio),
  }));
  writeFileAtomic(file, `${JSON.stringify(list, null, 2)}\n`, 0o644);
}

function formatAim({ aim, unit }: Measurement): string {
  if (aim === undefined) return "-";
  if ("ratioAtLeast" in aim) return `at least ${aim.ratioAtLeast}x`;
  return "ratio" in aim ? `within ${aim.ratio}x` : `under ${aim.value} ${unit}`;
}

function formatMet({ aim, value, ratio }: Measurement): string {
  if (aim === undefined) return "-";
  if ("ratioAtLeast" in aim) return ratio !== null && ratio >= aim.ratioAtLeast ? "yes" : "no";
  const met = "ratio" in aim ? ratio !== null && ratio <= aim.ratio : value < aim.value;
  return met ? "yes" : "no";
}

function formatValue(value: number, { unit }: Measurement): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;
}

function formatRatio(ratio: number): string {
  return `${ratio.toFixed(2)}x`;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
