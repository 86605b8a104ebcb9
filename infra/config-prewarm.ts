import { CronExpressionParser } from "cron-parser";
import { z } from "zod";
import * as field from "./config-fields";
import { check, section, type Violation } from "./config-fields";

/** A time that comes again and again, in the five fields that KEDA takes: minute, hour, day, month, day of the week. */
const FIVE_FIELDS = /^(?:[\d*/,A-Za-z-]+ ){4}[\d*/,A-Za-z-]+$/;
const CRON_HELP = {
  limit: "must be five fields of cron: minute, hour, day of the month, month, day of the week",
  fix: 'for example "45 7 * * FRI", each Friday at 7:45',
};

const cron = field.pattern(FIVE_FIELDS, CRON_HELP).superRefine((text, ctx) => {
  try {
    CronExpressionParser.parse(text);
  } catch {
    ctx.addIssue({ code: "custom", input: text, params: { ...CRON_HELP } });
  }
});

const timezone = z.string().superRefine((name, ctx) => {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
  } catch {
    const help = { limit: "is no time zone", fix: 'use a name of the IANA database, for example "Europe/Berlin"' };
    ctx.addIssue({ code: "custom", input: name, params: help });
  }
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
