import { z } from "zod";
import * as field from "./config-fields";
import { check, section, type Violation } from "./config-fields";
import { prewarm, prewarmProblems } from "./config-prewarm";
import { formatDuration, formatPercent, type Millis } from "./units";

const scalePolicy = (defaults: { percent: string; pods: number; period: string; stabilization: string }) =>
  section({
    percent: field.percent.prefault(defaults.percent),
    pods: field.positiveCount.default(defaults.pods),
    period: field.duration.prefault(defaults.period),
    stabilization: field.duration.prefault(defaults.stabilization),
  }).superRefine(
    check((policy) => [
      (policy.period < 1000 || policy.period > 1_800_000 || policy.period % 1000 !== 0) && {
        path: ["period"],
        value: formatDuration(policy.period),
        limit: "Kubernetes takes whole seconds from 1s to 30m",
        fix: 'write it as "15s"',
      },
      (policy.stabilization > 3_600_000 || policy.stabilization % 1000 !== 0) && {
        path: ["stabilization"],
        value: formatDuration(policy.stabilization),
        limit: "Kubernetes takes whole seconds up to 1h",
        fix: 'write it as "60s"',
      },
    ]),
  );

/** What the autoscaler goes by: the CPU of pods, or the requests that the gateway counts, by KEDA. */
const METRICS = ["cpu", "rps"] as const;

/** For who scales by requests: between two looks of KEDA at a function that has no pods. */
const POLLING_INTERVAL: Millis = 15_000;
/** How long a function stays without requests before its last pod goes: KEDA's own default. */
const COOLDOWN: Millis = 300_000;

export const scaling = section({
  metric: z.enum(METRICS).default("cpu"),
  /** None at all only by requests: of CPU there is nothing to go by where no pod is. */
  min: field.count.default(10),
  max: field.positiveCount.default(5000),
  /** Replicas at the first creation; from then on the autoscaler owns the count. */
  initial: field.positiveCount.default(100),
  /** CPU of a pod, as a share of its request, that the autoscaler holds. */
  cpuTarget: field.percent.prefault("70%"),
  /** Requests/s per pod that scaling by request rate holds, or would hold: the plan compares both. */
  requestsPerPod: field.positive.default(20),
  /** Requests/s above which the first pod comes, where min is 0. Default: 0, any request. */
  activation: z.number().min(0).optional(),
  /** Without that many requests for this long, where min is 0, the last pod goes. */
  cooldown: field.duration.optional(),
  /** How often KEDA looks whether a function is to have pods at all; how many, the autoscaler asks at each of its syncs. */
  pollingInterval: field.duration.optional(),
  /** Pods of low priority beside its own, which keep room on nodes that are bought by need and make way for any function's. */
  buffer: field.count.default(0),
  /** Times at which more pods than min are there, for a load that is known before it comes. */
  prewarm,
  /** Up to ten times the pods, or 1,000 more, each 15 s; whichever is more. */
  up: scalePolicy({ percent: "900%", pods: 1000, period: "15s", stabilization: "0s" }).prefault({}),
  /** A tenth of the pods each 15 s, after two calm minutes: a flash sale has lulls. */
  down: scalePolicy({ percent: "10%", pods: 1, period: "15s", stabilization: "2m" }).prefault({}),
})
  .superRefine(
    check((s) => [
      s.min > s.max && {
        path: ["min"],
        value: String(s.min),
        limit: `is above max ${s.max}`,
        fix: "lower min or raise max",
      },
      s.initial > s.max && {
        path: ["initial"],
        value: String(s.initial),
        limit: `is above max ${s.max}`,
        fix: "lower initial or raise max",
      },
      s.min <= s.max &&
        s.initial < s.min && {
          path: ["initial"],
          value: String(s.initial),
          limit: `is below min ${s.min}`,
          fix: "raise initial or lower min",
        },
      s.buffer > s.max && {
        path: ["buffer"],
        value: String(s.buffer),
        limit: `is above max ${s.max}: more room than the function can ever take`,
        fix: "lower it",
      },
      ...metricProblems(s),
      ...prewarmProblems(s),
      (s.cpuTarget < 0.01 || s.cpuTarget > 1) && {
        path: ["cpuTarget"],
        value: formatPercent(s.cpuTarget),
        limit: "must be from 1% to 100% of the request",
        fix: 'for example "70%"',
      },
    ]),
  )
  .transform((s) => ({
    ...s,
    activation: s.activation ?? 0,
    cooldown: s.cooldown ?? COOLDOWN,
    pollingInterval: s.pollingInterval ?? POLLING_INTERVAL,
  }));

interface Scaling {
  readonly metric: (typeof METRICS)[number];
  readonly min: number;
  readonly max: number;
  readonly requestsPerPod: number;
  readonly activation?: number | undefined;
  readonly cooldown?: Millis | undefined;
  readonly pollingInterval?: Millis | undefined;
}

/** What belongs to one metric, or to a function that may have no pods. */
function metricProblems(s: Scaling): (Violation | false)[] {
  const { metric, min, requestsPerPod, activation, cooldown, pollingInterval } = s;
  const byRequests = metric === "rps";
  const without = (key: string, value: string | undefined, missing: boolean, limit: string, fix: string) =>
    value !== undefined && missing && { path: [key], value, limit, fix };
  const rate = activation === undefined ? undefined : `${activation}/s`;
  const [cooled, polled] = [cooldown, pollingInterval].map((time) =>
    time === undefined ? undefined : formatDuration(time),
  );
  const needsZero = "is about a function that may have no pods";
  const needsRequests = "is about scaling by requests";
  const zero = byRequests && min === 0;
  return [
    min === 0 &&
      !byRequests && {
        path: ["min"],
        value: "0",
        limit: "by CPU nothing asks for the first pod: where none is, none uses any",
        fix: "use 1 or more, or metric: rps",
      },
    without("activation", rate, !zero, needsZero, "drop it, or set metric: rps and min: 0"),
    without("cooldown", cooled, !zero, needsZero, "drop it, or set metric: rps and min: 0"),
    without("pollingInterval", polled, !byRequests, needsRequests, "drop it, or set metric: rps"),
    zero && wholeSeconds("cooldown", cooldown),
    byRequests && wholeSeconds("pollingInterval", pollingInterval),
    byRequests &&
      requestsPerPod < 0.001 && {
        path: ["requestsPerPod"],
        value: String(requestsPerPod),
        limit: "the autoscaler counts thousandths of a request",
        fix: "use 0.001 or more",
      },
  ];
}

function wholeSeconds(key: string, time: Millis | undefined): Violation | false {
  if (time === undefined || (time >= 1000 && time <= 3_600_000 && time % 1000 === 0)) return false;
  return {
    path: [key],
    value: formatDuration(time),
    limit: "KEDA takes whole seconds; this program from 1s to 1h",
    fix: 'for example "30s"',
  };
}

/** Above it no function may be without pods: what comes meanwhile is answered with 503 until the first one is ready. */
const AVAILABILITY_AT_ZERO = 0.9999;

export function zeroProblems({
  scaling: { min, metric },
  objectives: { availability },
}: {
  readonly scaling: Scaling;
  readonly objectives: { readonly availability: number };
}): (Violation | false)[] {
  return [
    min === 0 &&
      metric === "rps" &&
      availability >= AVAILABILITY_AT_ZERO && {
        path: ["scaling", "min"],
        value: "0",
        limit: `objectives.availability is ${formatPercent(availability)}, and until the first pod is ready, half a minute to a minute, requests are answered with 503`,
        fix: 'use 1 or more, or promise less: objectives.availability "99.9%"',
      },
  ];
}

/** Where KEDA runs, and so whom it asks and who asks it. */
const keda = z.discriminatedUnion("kind", [
  /** In pods; it asks the stack's own Prometheus. */
  section({ kind: z.literal("pods") }),
  /** As processes beside the cluster's control plane, where nodes are simulated and no pod runs. */
  section({
    kind: z.literal("processes"),
    /** Where the metrics adapter listens on loopback. */
    port: field.port,
    /** Of its certificate's authority, as PEM; from the project's root. */
    caFile: z.string().min(1),
    /** The Prometheus that it asks. */
    prometheus: field.pattern(/^http:\/\/127\.0\.0\.1:\d{1,5}$/, {
      limit: "must be an http URL on loopback",
      fix: 'for example "http://127.0.0.1:9090"',
    }),
  }),
]);

/** What scales functions by their requests; made where a function asks for it. */
export const autoscalingSchema = section({
  keda: keda.prefault({ kind: "pods" }),
  /** Default: the official ones of its release. */
  images: section({ operator: field.image.optional(), adapter: field.image.optional() }).prefault({}),
});
