import { UNITS } from "../../components/observability/dashboards";

/** Powers of 1000 and of 1024. */
const DECIMAL = ["", "k", "M", "G", "T", "P"];
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
const TIMES = [
  { unit: "d", seconds: 86_400 },
  { unit: "h", seconds: 3600 },
  { unit: "min", seconds: 60 },
  { unit: "s", seconds: 1 },
  { unit: "ms", seconds: 1e-3 },
  { unit: "µs", seconds: 1e-6 },
] as const;

/** A value in one of the dashboards' units, for people: to three digits, `1.25 ms`. */
export function formatValue(value: number, unit: string): string {
  switch (unit) {
    case UNITS.requests:
      return `${scaled(value, 1000, DECIMAL)} req/s`;
    case UNITS.perSecond:
      return `${scaled(value, 1000, DECIMAL)}/s`;
    case UNITS.seconds:
    case UNITS.duration:
      return time(value);
    case UNITS.share:
      // Objectives are of four nines: three digits would make 100 % of them.
      return `${trimmed((value * 100).toFixed(Math.abs(value) < 0.001 ? 4 : 2))} %`;
    case UNITS.bytes:
      return `${scaled(value, 1024, BINARY)}B`;
    case UNITS.bytesPerSecond:
      return `${scaled(value, 1024, BINARY)}B/s`;
    case UNITS.bitsPerSecond:
      return `${scaled(value, 1000, DECIMAL)}b/s`;
    default:
      return `${scaled(value, 1000, DECIMAL)}${unit.startsWith("suffix:") ? ` ${unit.slice("suffix:".length).trim()}` : ""}`;
  }
}

function scaled(value: number, base: number, prefixes: readonly string[]): string {
  let scale = 0;
  while (Math.abs(value) / base ** scale >= base && scale < prefixes.length - 1) scale++;
  const prefix = prefixes[scale] ?? "";
  return `${digits(value / base ** scale)}${base === 1024 || prefix !== "" ? " " : ""}${prefix}`;
}

function time(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  const { unit, seconds: one } = TIMES.find((each) => size >= each.seconds) ?? TIMES[TIMES.length - 1]!;
  return `${digits(seconds / one)} ${unit}`;
}

/** Whole numbers whole, others to three digits. */
function digits(value: number): string {
  return Number.isInteger(value) || Math.abs(value) >= 1000
    ? String(Math.round(value))
    : String(Number(value.toPrecision(3)));
}

function trimmed(text: string): string {
  return String(Number(text));
}
