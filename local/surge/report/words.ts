import { formatCount } from "../../../infra/plan/numbers";

/** `2 January 2026, 03:04 UTC`, of ISO 8601. */
export function momentOf(iso: string): string {
  const at = new Date(iso);
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  return `${day}, ${time} UTC`;
}

/** `4.2 ms`, `2.75 s`. */
export function millisOf(millis: number): string {
  return millis < 1000 ? `${formatCount(millis)} ms` : `${Number((millis / 1000).toFixed(2))} s`;
}

/** `52 s`, `120 s`, `21 min 38 s`. */
export function spanOf(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole <= 120) return `${whole} s`;
  const rest = whole % 60;
  return `${formatCount(Math.floor(whole / 60))} min${rest === 0 ? "" : ` ${rest} s`}`;
}
