import { CronExpressionParser } from "cron-parser";
import { z } from "zod";
import * as field from "./config-fields";
import { check, section, type Violation } from "./config-fields";

const NUMBERS = "[\\d*/,-]+";
const MONTHS = "(?:[\\d*/,-]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)+";
const WEEKDAYS = "(?:[0-6*/,-]|SUN|MON|TUE|WED|THU|FRI|SAT)+";
/** A time that comes again and again, in the words that KEDA takes, of which one that it does not stops all of an autoscaler. */
const FIVE_FIELDS = new RegExp(`^${[NUMBERS, NUMBERS, NUMBERS, MONTHS, WEEKDAYS].join(" ")}$`, "i");
const CRON_HELP = {
  limit: "must be five fields of cron: minute, hour, day of the month, month, day of the week (0 to 6, or SUN to SAT)",
  fix: 'for example "45 7 * * FRI", each Friday at 7:45',
};

const cron = field.pattern(FIVE_FIELDS, CRON_HELP).superRefine((text, ctx) => {
  try {
    CronExpressionParser.parse(text);
  } catch {
    ctx.addIssue({ code: "custom", input: text, params: { ...CRON_HELP } });
  }
});

/** KEDA looks for a file of exactly this name. */
const ZONES: ReadonlySet<string> = new Set(["UTC", ...Intl.supportedValuesOf("timeZone")]);

const timezone = z.string().superRefine((name, ctx) => {
  if (ZONES.has(name)) return;
  const help = {
    limit: "is no time zone",
    fix: 'use a name of the IANA database as it is spelt there: "Europe/Berlin"',
  };
  ctx.addIssue({ code: "custom", input: name, params: help });
});

/** Pods that are there before a known sale, whoever asks by then. */
const window = section({
  start: cron,
  end: cron,
  timezone: timezone.default("UTC"),
  /** At least so many from start to end; more where requests ask for more. */
  replicas: field.positiveCount,
}).superRefine(
  check(({ start, end }) => [
    start === end && {
      path: ["end"],
      value: end,
      limit: "is when it starts",
      fix: "let it end later",
    },
  ]),
);

export const prewarm = z.array(window).default([]);

export type Prewarm = z.output<typeof window>;

interface Scaling {
  readonly metric: string;
  readonly min: number;
  readonly max: number;
  readonly prewarm: readonly Prewarm[];
}

/** What is wrong with windows of a function that is scaled like this. */
export function prewarmProblems({ metric, min, max, prewarm: windows }: Scaling): (Violation | false)[] {
  return [
    windows.length > 0 &&
      metric !== "rps" && {
        path: ["prewarm"],
        value: `${windows.length} of them`,
        limit: "is kept by KEDA, which scales by requests",
        fix: "set metric: rps; or raise min before the sale, and lower it after",
      },
    ...windows.map(
      ({ replicas }, index) =>
        (replicas <= min || replicas > max) && {
          path: ["prewarm", index, "replicas"],
          value: String(replicas),
          limit: replicas > max ? `is above max ${max}` : `is not above min ${min}, which is always there`,
          fix: replicas > max ? "lower it or raise max" : "raise it, or drop this window",
        },
    ),
  ];
}
