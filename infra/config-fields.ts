import { z } from "zod";
import { parseCidr, parseImage } from "./addresses";
import {
  formatBytes,
  formatCpu,
  formatPercent,
  parseBytes,
  parseCpu,
  parseDuration,
  parsePercent,
  parsePodCount,
  type Parsed,
} from "./units";

/**
 * The kinds of value that a config holds. Each is parsed from what YAML gives into a typed value, and what is
 * wrong is told as a limit and a fix (see `Problem`).
 */

/** A text that `parse` turns into a value; numbers are accepted where YAML drops the quotes (`cpu: 2`). */
function parsed<T>(parse: (text: string) => Parsed<T>) {
  return z.union([z.string(), z.number()]).transform((value, ctx): T => {
    const result = parse(String(value));
    if ("ok" in result) return result.ok;
    ctx.addIssue({ code: "custom", input: value, params: { ...result.error } });
    return z.NEVER;
  });
}

export const cpu = parsed(parseCpu);
export const bytes = parsed(parseBytes);
export const duration = parsed(parseDuration);
export const percent = parsed(parsePercent);
/** A number of pods, or a share of a function's replicas. */
export const podCount = parsed(parsePodCount);
export const cidr = parsed(parseCidr);
export const image = parsed(parseImage);

/** A Kubernetes object's name that also serves as a label value and in a host name. */
export const dnsLabel = pattern(/^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
  limit: "must be a DNS label: lower-case letters, digits and dashes, at most 63",
  fix: 'for example "checkout-v2"',
});

export const httpPath = pattern(/^\/[\w./~-]*$/, {
  limit: "must be an absolute URL path",
  fix: 'for example "/healthz"',
});

export const port = z.int().min(1).max(65_535);
export const count = z.int().min(0);
export const positiveCount = z.int().min(1);
export const positive = z.number().positive();

/** A text that must match; `help` is shown where it does not. */
export function pattern(form: RegExp, help: { readonly limit: string; readonly fix: string }) {
  return parsed<string>((text) => (form.test(text) ? { ok: text } : { error: help }));
}

/**
 * An object that knows its keys. For an unknown key zod reports only its name: the message carries the valid
 * keys, from which the nearest is suggested.
 */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? Object.keys(shape).join(", ") : undefined),
  });
}

/** A rule over several values of one section; `path` points below the section. */
export interface Violation {
  readonly path: readonly (string | number)[];
  readonly value: string;
  readonly limit: string;
  readonly fix: string;
}

/** For `superRefine`: adds one issue for each violated rule. */
export function check<T>(rules: (value: T) => readonly (Violation | false | undefined)[]) {
  return (value: T, ctx: z.RefinementCtx): void => {
    for (const violation of rules(value)) {
      if (!violation) continue;
      const { path, value: found, limit, fix } = violation;
      ctx.addIssue({ code: "custom", path: [...path], params: { found, limit, fix } });
    }
  };
}

/** Each has its own default, so that setting the one does not lose the other. */
export const resources = (defaults: { cpu: string; memory: string }) =>
  section({
    cpu: cpu.prefault(defaults.cpu),
    memory: bytes.prefault(defaults.memory),
  }).prefault({});

/** CPU and memory, of which either may be left open. */
type Amounts = { readonly [amount in "cpu" | "memory"]?: number | undefined };

/** Requests that are above their limits; where one of the two is left open, there is nothing to compare. */
export function requestsAboveLimits({ requests, limits }: { readonly requests: Amounts; readonly limits: Amounts }) {
  const above = (key: keyof Amounts, format: (amount: number) => string) =>
    aboveLimit(["requests", key], requests[key], limits[key], format);
  return [above("cpu", formatCpu), above("memory", formatBytes)];
}

/** What is wrong with a request that is above its limit. */
export function aboveLimit(
  path: string[],
  request: number | undefined,
  limit: number | undefined,
  format: (amount: number) => string,
) {
  return (
    request !== undefined &&
    limit !== undefined &&
    request > limit && {
      path,
      value: format(request),
      limit: `is above its limit ${format(limit)}`,
      fix: "lower the request or raise the limit",
    }
  );
}

/** How many pods the platform's own part has under its autoscaler, and what each may use. */
export const replicas = (defaults: {
  min: number;
  cpu: string;
  memory: string;
  limits: { cpu: string; memory: string };
}) =>
  section({
    min: positiveCount.default(defaults.min),
    /** Default: what the plan needs for the functions' load at peak, and one more. */
    max: positiveCount.optional(),
    /** CPU of a pod, as a share of its request, that the autoscaler holds. */
    cpuTarget: percent.prefault("70%"),
    requests: resources({ cpu: defaults.cpu, memory: defaults.memory }),
    limits: resources(defaults.limits),
  }).superRefine(
    check((r) => [
      r.max !== undefined &&
        r.min > r.max && {
          path: ["min"],
          value: String(r.min),
          limit: `is above max ${r.max}`,
          fix: "lower min or raise max",
        },
      r.requests.cpu < 1 && {
        path: ["requests", "cpu"],
        value: formatCpu(r.requests.cpu),
        limit: "must be at least 1m, or the autoscaler has nothing to go by",
        fix: `for example "${defaults.cpu}"`,
      },
      r.requests.memory < 1 && {
        path: ["requests", "memory"],
        value: formatBytes(r.requests.memory),
        limit: "must be above 0, or nothing holds a pod to its node",
        fix: `for example "${defaults.memory}"`,
      },
      ...requestsAboveLimits(r),
      (r.cpuTarget < 0.01 || r.cpuTarget > 1) && {
        path: ["cpuTarget"],
        value: formatPercent(r.cpuTarget),
        limit: "must be from 1% to 100% of the request",
        fix: 'for example "70%"',
      },
    ]),
  );

/** The second and further items that share a key with an earlier one. */
export function duplicates<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items.filter((item, index) => items.findIndex((other) => key(other) === key(item)) !== index);
}
