import { z } from "zod";
import * as field from "./config-fields";
import { check, section } from "./config-fields";
import { formatDuration } from "./units";

/** What runs in its pods. */
export const OBSERVABILITY_IMAGES = [
  "prometheus",
  "alertmanager",
  "loki",
  "collector",
  "kubeStateMetrics",
  "nodeExporter",
  "grafana",
] as const;

const images = section({
  prometheus: field.image.optional(),
  alertmanager: field.image.optional(),
  loki: field.image.optional(),
  collector: field.image.optional(),
  kubeStateMetrics: field.image.optional(),
  nodeExporter: field.image.optional(),
  grafana: field.image.optional(),
} satisfies Record<(typeof OBSERVABILITY_IMAGES)[number], unknown>);

/** How often something is looked at: Prometheus takes whole seconds here. */
const interval = field.duration.prefault("15s");

/** Where metrics, logs and alerts are kept. */
const storage = z.discriminatedUnion("kind", [
  /** Volumes of a storage class, by default the cluster's own: K3s brings `local-path`. */
  section({ kind: z.literal("persistent"), className: field.dnsLabel.optional() }),
  /** In the pod: gone with it. For clusters that are gone themselves tomorrow. */
  section({ kind: z.literal("ephemeral") }),
]);

/** An https URL, or http inside of a network that is trusted; what opens it is in that secret. */
const url = (secret: string) =>
  z.string().superRefine(
    check((text) => [
      !(/^https?:\/\/[^\s/@]+(?:\/\S*)?$/.test(text) && URL.canParse(text)) && {
        path: [],
        value: text.includes("@") ? "(not shown)" : JSON.stringify(text),
        limit: "must be an http or https URL without user and password",
        fix: `put what opens it into the secret ${secret}`,
      },
    ]),
  );

/** A text without spaces, and not empty. */
const word = (what: string, example: string) =>
  field.pattern(/^\S+$/, { limit: `must be ${what}, without spaces`, fix: `for example "${example}"` });

/** `page` wakes somebody, `ticket` waits for the morning; `heartbeat` never ends, and is missed when alerting itself is down. */
export const SEVERITIES = ["page", "ticket", "heartbeat"] as const;

/**
 * Who hears of alerts, and how. What opens the way there is the secret `alertReceivers`, by the receiver's name; where that is
 * not set, a Secret `alertmanager-receivers` that somebody else keeps, with the same keys.
 */
const receiver = section({
  name: field.dnsLabel,
  /** The secret is the URL of a webhook, the URL of Slack's webhook, or PagerDuty's routing key. */
  kind: z.enum(["webhook", "slack", "pagerduty"]).default("webhook"),
  /** Of a webhook that is no secret. */
  url: url("alertReceivers").optional(),
  /** Slack's channel. */
  channel: word("a channel", "#on-call").optional(),
  /** Which alerts it hears of. */
  severities: z.array(z.enum(SEVERITIES)).min(1).default(["page", "ticket"]),
  /** Networks that it is reached in; Alertmanager may reach these and nothing else outside. */
  addresses: z.array(field.cidr).min(1),
  port: field.port.default(443),
}).superRefine(
  check((r) => [
    r.url !== undefined &&
      r.kind !== "webhook" && {
        path: ["url"],
        value: "(not shown)",
        limit: `of ${r.kind} it is a secret`,
        fix: `set it: pulumi config set --secret --path 'alertReceivers["${r.name}"]'`,
      },
    r.channel !== undefined &&
      r.kind !== "slack" && {
        path: ["channel"],
        value: r.channel,
        limit: `${r.kind} has no channels`,
        fix: "drop it, or use kind: slack",
      },
  ]),
);

/** One pair of windows: an alert fires while both see the budget burn at `factor` times the rate that it lasts at. */
const burnRate = section({
  factor: field.positive,
  long: field.duration,
  short: field.duration,
  severity: z.enum(["page", "ticket"]),
}).superRefine(
  check((b) => [
    b.short >= b.long && {
      path: ["short"],
      value: formatDuration(b.short),
      limit: `is not shorter than long ${formatDuration(b.long)}`,
      fix: "a twelfth of it is usual",
    },
    ...(["short", "long"] as const).map(
      (key) =>
        (b[key] < 1000 || b[key] % 1000 !== 0) && {
          path: [key],
          value: formatDuration(b[key]),
          limit: "must be whole seconds, at least one",
          fix: 'write it as "5m"',
        },
    ),
  ]),
);

/** Google's SRE workbook, chapter 5: 2 % of a month's budget in an hour, 5 % in six hours, 10 % in a day and in three days. */
const BURN_RATES = [
  { factor: 14.4, long: "1h", short: "5m", severity: "page" },
  { factor: 6, long: "6h", short: "30m", severity: "page" },
  { factor: 3, long: "1d", short: "2h", severity: "ticket" },
  { factor: 1, long: "3d", short: "6h", severity: "ticket" },
] as const;

const metrics = section({
  /** No shorter than the window of objectives: what is left of a budget is reckoned from what is kept. */
  retention: field.duration.prefault("31d"),
  /** Replicas of Prometheus and of Alertmanager: each Prometheus scrapes and judges all, Alertmanagers tell each other. */
  replicas: field.positiveCount.default(1),
});

/** A bucket of the S3 kind that Loki keeps logs in; its keys are the secret `logStorage`. */
const objectStorage = section({
  endpoint: url("logStorage"),
  bucket: field.pattern(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, {
    limit: "must be a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes",
    fix: 'for example "shop-logs"',
  }),
  region: word("a region", "us-east-1").default("us-east-1"),
  /** Networks that it is reached in. */
  addresses: z.array(field.cidr).min(1),
  port: field.port.default(443),
});

const logs = section({
  retention: field.duration.prefault("7d"),
  /** Of requests, the share that fails or is refused at peak: each is logged by gateway, authorizer and function. */
  errorRatio: field.percent.prefault("0.05%"),
  objectStorage: objectStorage.optional(),
}).superRefine(
  check((l) => [
    l.retention < 86_400_000 && {
      path: ["retention"],
      value: formatDuration(l.retention),
      limit: "Loki deletes by whole days",
      fix: 'use "1d" or more',
    },
  ]),
);

/**
 * Ports at which scheduler and controller-manager of an `existing` cluster tell their metrics, at the addresses of its API
 * servers, to who may read `/metrics`: 10259 and 10257, where they are not on loopback alone. A cluster of kind k3s has them at
 * its API servers.
 */
const controlPlane = section({
  scheduler: field.port.optional(),
  controllerManager: field.port.optional(),
});

export const observabilitySchema = section({
  /** false where something else watches the cluster: nothing of this is made then. */
  enabled: z.boolean().default(true),
  /** What watches is here; what has to see hosts themselves is in `<namespace>-hosts`. */
  namespace: field.dnsLabel.prefault("monitoring"),
  scrapeInterval: interval,
  storage: storage.prefault({ kind: "persistent" }),
  metrics: metrics.prefault({}),
  logs: logs.prefault({}),
  /** The time that objectives are meant over. */
  objectiveWindow: field.duration.prefault("30d"),
  burnRates: z
    .array(burnRate)
    .min(1)
    .prefault(BURN_RATES.map((rate) => ({ ...rate }))),
  receivers: z.array(receiver).default([]),
  /** Begins the `runbook_url` of each alert; `#` and a heading's anchor follow. */
  runbooks: word("where runbooks are: a URL or a path", "docs/runbooks.md").default("docs/runbooks.md"),
  grafana: section({ enabled: z.boolean().default(true) }).prefault({}),
  /** Default: the official ones, of the versions that were proved, by their tags. Production may name each by its digest. */
  images: images.prefault({}),
  /** Budget of a tenant in cores, averaged over a day, above which an alert says so; by tenant. */
  tenantBudgets: z.record(z.string(), field.cpu).default({}),
  controlPlane: controlPlane.prefault({}),
  /** Whether kubelets' certificates are of the cluster's own authority, as K3s has them. */
  verifyKubelets: z.boolean().default(true),
}).superRefine(
  check((o) => [
    (o.scrapeInterval < 5000 || o.scrapeInterval > 60_000 || o.scrapeInterval % 1000 !== 0) && {
      path: ["scrapeInterval"],
      value: formatDuration(o.scrapeInterval),
      limit: "must be whole seconds from 5s to 60s: rates are taken over at least four of them, and alerts over 5m",
      fix: 'for example "15s"',
    },
    o.metrics.retention < 86_400_000 && {
      path: ["metrics", "retention"],
      value: formatDuration(o.metrics.retention),
      limit: "is less than a day",
      fix: 'use "1d" or more',
    },
  ]),
);
