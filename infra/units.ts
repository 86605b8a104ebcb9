/**
 * Quantities as numbers with their unit in the type. Config values are parsed into these once, so that
 * no unchecked string reaches the cluster and no millicore is ever added to a byte.
 */
declare const unit: unique symbol;
type Unit<Name extends string> = number & { readonly [unit]?: Name };

/** CPU in millicores: 1000 is one core. */
export type MilliCpu = Unit<"millicores">;
/** Memory or storage in bytes. */
export type Bytes = Unit<"bytes">;
/** Time in milliseconds; fractions are microseconds. */
export type Millis = Unit<"milliseconds">;
/** A share between 0 and 1, written as a percentage in config. */
export type Ratio = Unit<"ratio">;

/** Why a text is no quantity; `fix` names a text that would be one. */
export interface UnitError {
  readonly limit: string;
  readonly fix: string;
}

export type Parsed<T> = { readonly ok: T } | { readonly error: UnitError };

const BINARY_SUFFIXES = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 } as const;
const DECIMAL_SUFFIXES = { k: 1e3, M: 1e6, G: 1e9, T: 1e12 } as const;
const TIME_UNITS = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `10m` (millicores) or a number of cores such as `2` or `0.5`; in steps of 1m as Kubernetes has it. */
export function parseCpu(text: string): Parsed<MilliCpu> {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text);
  if (!match) return fail("must be a CPU quantity", 'write millicores as "10m" or cores as "2"');
  const millis = Number(match[1]) * (match[2] === "m" ? 1 : 1000);
  if (!Number.isInteger(Number(millis.toFixed(6))))
    return fail("CPU goes in whole millicores", 'write "10m", not a fraction of one');
  return { ok: Math.round(millis) };
}

/** `32Mi`, `1Gi`, `256M`: a number and its unit. A bare number is refused, since nobody means 32 bytes. */
export function parseBytes(text: string): Parsed<Bytes> {
  const match = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?$/.exec(text);
  if (!match) return fail("must be a size with a unit", 'write it as "32Mi" or "64Gi"');
  if (match[2] === undefined) {
    return text === "0" ? { ok: 0 } : fail("has no unit", `write "${text}Mi" or "${text}Gi"`);
  }
  const factor = { ...BINARY_SUFFIXES, ...DECIMAL_SUFFIXES }[
    match[2] as keyof typeof BINARY_SUFFIXES | keyof typeof DECIMAL_SUFFIXES
  ];
  // Without the rounding error of binary fractions: 1.001 * 1000 is 1000.9999999999999.
  const bytes = Number((Number(match[1]) * factor).toFixed(3));
  return Number.isInteger(bytes) ? { ok: bytes } : fail("must be a whole number of bytes", "use a smaller unit");
}

/** `180us`, `10ms`, `30s`, `5m`, `2h`, `1d`. */
export function parseDuration(text: string): Parsed<Millis> {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h|d)$/.exec(text);
  if (!match) return fail("must be a duration with a unit", 'write it as "30s", "10ms" or "5m"');
  return { ok: Number(match[1]) * TIME_UNITS[match[2] as keyof typeof TIME_UNITS] };
}

/** `70%` as 0.7. */
export function parsePercent(text: string): Parsed<Ratio> {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (!match) return fail("must be a percentage", 'write it as "70%"');
  // 99.99 / 100 is not 0.9999 in binary fractions, and would show as another number.
  return { ok: Number((Number(match[1]) / 100).toPrecision(12)) };
}

/** A number of pods, or a share of a function's replicas: what Kubernetes calls an IntOrString. */
export type PodCount = { readonly pods: number } | { readonly share: Ratio };

/** `25%` or `5`. */
export function parsePodCount(text: string): Parsed<PodCount> {
  if (/^\d+$/.test(text)) return { ok: { pods: Number(text) } };
  const share = parsePercent(text);
  if ("ok" in share && share.ok <= 1 && Number.isInteger(Number((share.ok * 100).toFixed(6))))
    return { ok: { share: share.ok } };
  return fail("must be a number of pods or a whole percentage up to 100%", 'write "25%" or 5');
}

/** The pods that it means for so many replicas, rounded up as Kubernetes does for surge and disruption budgets. */
export function resolvePods(count: PodCount, replicas: number): number {
  return "pods" in count ? count.pods : Math.ceil(Number((count.share * replicas).toFixed(6)));
}

export function formatPodCount(count: PodCount): number | string {
  return "pods" in count ? count.pods : formatPercent(count.share);
}

/** As Kubernetes writes it: `10m`, `2`. */
export function formatCpu(cpu: MilliCpu): string {
  return cpu % 1000 === 0 ? String(cpu / 1000) : `${cpu}m`;
}

/** The largest unit that keeps it exact: `32Mi`, `256M`, `1000` for what no unit divides. */
export function formatBytes(bytes: Bytes): string {
  const units = [...Object.entries(BINARY_SUFFIXES), ...Object.entries(DECIMAL_SUFFIXES)];
  const exact = units
    .filter(([, factor]) => bytes > 0 && bytes % factor === 0)
    .map(([suffix, factor]) => ({ suffix, count: bytes / factor }));
  const best = exact.sort((a, b) => a.count - b.count)[0];
  return best ? `${best.count}${best.suffix}` : String(bytes);
}

/** For people: rounded to one decimal of the unit that fits, `156.3Gi`. */
export function humanBytes(bytes: Bytes): string {
  const [suffix, factor] = Object.entries<number>(BINARY_SUFFIXES)
    .reverse()
    .find(([, f]) => bytes >= f) ?? ["B", 1];
  return `${Number((bytes / factor).toFixed(1))}${suffix}`;
}

/** The largest unit that keeps it exact: `30s`, `1500ms`, `180us`. */
export function formatDuration(millis: Millis): string {
  const micros = Math.round(millis * 1000);
  const best = Object.entries(TIME_UNITS)
    .reverse()
    .find(([, factor]) => micros >= factor * 1000 && micros % Math.round(factor * 1000) === 0);
  return best ? `${micros / Math.round(best[1] * 1000)}${best[0]}` : "0s";
}

/** A duration in the form Kubernetes flags and kubelet configs take (Go's), which knows no days. */
export function formatGoDuration(millis: Millis): string {
  const text = formatDuration(millis);
  return text.endsWith("d") ? `${Number(text.slice(0, -1)) * 24}h` : text;
}

export function formatPercent(ratio: Ratio): string {
  return `${Number((ratio * 100).toFixed(2))}%`;
}

function fail(limit: string, fix: string): { readonly error: UnitError } {
  return { error: { limit, fix } };
}
