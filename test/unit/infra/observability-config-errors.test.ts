import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../infra/config";
import { caught, k3s, problemsOf, rawConfig, type Raw } from "./support";

type Case = readonly [behaviour: string, raw: Raw, problem: string];

const watch = (changes: Raw, more: Raw = {}) => rawConfig({ observability: changes, ...more });
const ADDRESSES = ["198.51.100.1/32"];
const receivers = (changes: Raw | readonly Raw[], alertReceivers: Raw = { "on-call": "<secret>" }) =>
  watch(
    {
      receivers: [changes].flat().map((change) => ({ name: "on-call", addresses: ADDRESSES, ...change })),
    },
    { alertReceivers },
  );
const BUCKET = { endpoint: "https://s3.example.com", bucket: "logs", addresses: ADDRESSES };
const bucket = (changes: Raw, more: Raw = {}) => watch({ logs: { objectStorage: { ...BUCKET, ...changes } } }, more);
const rate = (changes: Raw, more: Raw = {}) =>
  watch({ burnRates: [{ factor: 14.4, long: "1h", short: "5m", severity: "page", ...changes }], ...more });

const WHOLE = "must be whole seconds from 5s to 60s: rates are taken over at least four of them, and alerts over 5m";
const URL = "must be an http or https URL without user and password";
const LABEL = "must be a DNS label: lower-case letters, digits and dashes, at most 63";

const WHOLE_SECTION: readonly Case[] = [
  [
    "an unknown key",
    watch({ grafanna: {} }),
    "observability.grafanna: unknown key: the keys here are enabled, namespace, scrapeInterval, storage, metrics, logs, objectiveWindow, burnRates, receivers, runbooks, grafana, images, tenantBudgets, controlPlane, verifyKubelets; did you mean grafana?",
  ],
  ...[
    ["4s", "4s"],
    ["61s", "61s"],
    ["7500ms", "7500ms"],
  ].map(([scrapeInterval = "", shown = ""]): Case => [
    `a look every ${scrapeInterval}`,
    watch({ scrapeInterval }),
    `observability.scrapeInterval: ${shown}: ${WHOLE}; for example "15s"`,
  ]),
  [
    "metrics that are gone before the day is over",
    watch({ metrics: { retention: "23h" } }),
    'observability.metrics.retention: 23h: is less than a day; use "1d" or more',
  ],
  [
    "no Prometheus",
    watch({ metrics: { replicas: 0 } }),
    "observability.metrics.replicas: 0: must be at least 1; raise it",
  ],
  [
    "logs that are gone before the day is over",
    watch({ logs: { retention: "12h" } }),
    'observability.logs.retention: 12h: Loki deletes by whole days; use "1d" or more',
  ],
  [
    "storage of no kind",
    watch({ storage: { kind: "memory" } }),
    'observability.storage.kind: "memory": must say where metrics and logs are kept: persistent (in volumes) or ephemeral (in the pod); set kind: persistent or kind: ephemeral',
  ],
  [
    "a class of storage where nothing is kept",
    watch({ storage: { kind: "ephemeral", className: "fast" } }),
    "observability.storage.className: unknown key: the keys here are kind; use one of kind",
  ],
  [
    "an image of no part",
    watch({ images: { tempo: "docker.io/grafana/tempo:2.6.0" } }),
    "observability.images.tempo: unknown key: the keys here are prometheus, alertmanager, loki, collector, kubeStateMetrics, nodeExporter, grafana; use one of prometheus, alertmanager, loki, collector, kubeStateMetrics, nodeExporter, grafana",
  ],
  [
    "runbooks nowhere",
    watch({ runbooks: "" }),
    'observability.runbooks: "": must be where runbooks are: a URL or a path, without spaces; for example "docs/runbooks.md"',
  ],
];

const NAMESPACES: readonly Case[] = [
  [
    "a namespace that is a tenant's",
    watch({ namespace: "shop" }, { tenants: [{ name: "shop" }] }),
    "observability.namespace: shop: is a tenant's namespace; use another name",
  ],
  [
    "a tenant where what sees hosts is",
    watch({}, { tenants: [{ name: "shop" }, { name: "monitoring-hosts" }] }),
    "observability.namespace: monitoring-hosts: is a tenant's namespace; use another name",
  ],
  [
    "a namespace that is the gateway's",
    watch({ namespace: "gateway" }),
    "observability.namespace: gateway: is the gateway's namespace; use another name",
  ],
  [
    "the gateway where what sees hosts is",
    watch({ namespace: "way" }, { gateway: { namespace: "way-hosts" } }),
    "observability.namespace: way-hosts: is the gateway's namespace; use another name",
  ],
  [
    "a namespace by no name",
    watch({ namespace: "Monitoring" }),
    `observability.namespace: "Monitoring": ${LABEL}; for example "checkout-v2"`,
  ],
];

const RECEIVERS: readonly Case[] = [
  [
    "two receivers of one name",
    receivers([{}, { kind: "pagerduty" }]),
    "observability.receivers.on-call.name: on-call: names two receivers; give each a name of its own",
  ],
  [
    "a receiver that nobody knows the way to, where another's is known",
    receivers([{}, { name: "chat" }], { chat: "<secret>" }),
    "alertReceivers.on-call: missing: nobody knows how this receiver is reached; set it: pulumi config set --secret --path 'alertReceivers[\"on-call\"]' < its-file",
  ],
  [
    "a receiver with two ways",
    receivers({ url: "http://hook.example.com/" }),
    "observability.receivers.on-call.url: (not shown): the secret alertReceivers has one as well; drop either",
  ],
  [
    "a way to nobody",
    receivers({}, { "on-call": "<secret>", chat: "<secret>" }),
    "alertReceivers.chat: set: is no receiver of observability.receivers; use one of on-call",
  ],
  [
    "a way where there are no receivers",
    watch({}, { alertReceivers: { chat: "<secret>" } }),
    "alertReceivers.chat: set: is no receiver of observability.receivers; drop it, or name one",
  ],
  ...["slack", "pagerduty"].map((kind): Case => [
    `the URL of ${kind} in plain text`,
    receivers({ kind, url: "https://hooks.example.com/x" }, {}),
    `observability.receivers.on-call.url: (not shown): of ${kind} it is a secret; set it: pulumi config set --secret --path 'alertReceivers["on-call"]'`,
  ]),
  ...["webhook", "pagerduty"].map((kind): Case => [
    `a channel of ${kind}`,
    receivers({ kind, channel: "#shop" }),
    `observability.receivers.on-call.channel: #shop: ${kind} has no channels; drop it, or use kind: slack`,
  ]),
  [
    "a channel without a name",
    receivers({ kind: "slack", channel: "" }),
    'observability.receivers.on-call.channel: "": must be a channel, without spaces; for example "#on-call"',
  ],
  [
    "a receiver of no kind",
    receivers({ kind: "email" }),
    'observability.receivers.on-call.kind: "email": must be one of webhook, slack, pagerduty; use one of webhook, slack, pagerduty',
  ],
  [
    "a severity that no alert has",
    receivers({ severities: ["critical"] }),
    'observability.receivers.on-call.severities[0]: "critical": must be one of page, ticket, heartbeat; use one of page, ticket, heartbeat',
  ],
  [
    "a receiver that hears nothing",
    receivers({ severities: [] }),
    "observability.receivers.on-call.severities: a list of 0: must be at least 1; raise it",
  ],
  [
    "a receiver nowhere",
    receivers({ addresses: [] }),
    "observability.receivers.on-call.addresses: a list of 0: must be at least 1; raise it",
  ],
  ...["hook.example.com", "ftp://hook.example.com/", "https:///x", "http://hook.example.com:99999/"].map(
    (url): Case => [
      `a webhook at ${url}`,
      receivers({ url }, {}),
      `observability.receivers.on-call.url: ${JSON.stringify(url)}: ${URL}; put what opens it into the secret alertReceivers`,
    ],
  ),
  [
    "a webhook with a password, which is not told",
    receivers({ url: "https://user:hunter2@hook.example.com/" }, {}),
    `observability.receivers.on-call.url: (not shown): ${URL}; put what opens it into the secret alertReceivers`,
  ],
];

const LOGS: readonly Case[] = [
  ...["accessKey", "secretKey"].map((part): Case => [
    `a bucket without its ${part}`,
    bucket({}, { logStorage: { [part === "accessKey" ? "secretKey" : "accessKey"]: "<secret>" } }),
    `logStorage.${part}: missing: the parts of logStorage are accessKey and secretKey; set it: pulumi config set --secret --path 'logStorage["${part}"]' < its-file`,
  ]),
  [
    "an unknown part of a bucket's secret",
    bucket({}, { logStorage: { accessKey: "<secret>", secretKey: "<secret>", token: "<secret>" } }),
    "logStorage.token: unknown key: the parts of logStorage are accessKey and secretKey; drop it",
  ],
  [
    "keys to no bucket",
    watch({}, { logStorage: { accessKey: "<secret>", secretKey: "<secret>" } }),
    "logStorage: set: there is no observability.logs.objectStorage to open; drop it, or name the bucket",
  ],
  [
    "a bucket at no URL",
    bucket({ endpoint: "s3.example.com" }),
    `observability.logs.objectStorage.endpoint: "s3.example.com": ${URL}; put what opens it into the secret logStorage`,
  ],
  ...["ab", "Logs", "-logs", "my logs"].map((name): Case => [
    `a bucket named ${name}`,
    bucket({ bucket: name }),
    `observability.logs.objectStorage.bucket: ${JSON.stringify(name)}: must be a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes; for example "shop-logs"`,
  ]),
  [
    "a region with a space",
    bucket({ region: "us east" }),
    'observability.logs.objectStorage.region: "us east": must be a region, without spaces; for example "us-east-1"',
  ],
  [
    "a bucket nowhere",
    bucket({ addresses: [] }),
    "observability.logs.objectStorage.addresses: a list of 0: must be at least 1; raise it",
  ],
];

const OBJECTIVES: readonly Case[] = [
  [
    "a short window that is not shorter",
    rate({ short: "1h" }),
    "observability.burnRates[0].short: 1h: is not shorter than long 1h; a twelfth of it is usual",
  ],
  [
    "a window of no whole seconds",
    rate({ short: "1500ms" }),
    'observability.burnRates[0].short: 1500ms: must be whole seconds, at least one; write it as "5m"',
  ],
  [
    "a window of less than a second",
    rate({ short: "500ms" }),
    'observability.burnRates[0].short: 500ms: must be whole seconds, at least one; write it as "5m"',
  ],
  ["a burn of nothing", rate({ factor: 0 }), "observability.burnRates[0].factor: 0: must be above 0; raise it"],
  ["no burn rate", watch({ burnRates: [] }), "observability.burnRates: a list of 0: must be at least 1; raise it"],
  [
    "a burn rate that beats the heart",
    rate({ severity: "heartbeat" }),
    'observability.burnRates[0].severity: "heartbeat": must be one of page, ticket; use one of page, ticket',
  ],
  [
    "a window that is longer than the objectives'",
    rate({ long: "8d" }, { objectiveWindow: "7d" }),
    "observability.objectiveWindow: 7d: the longest of burnRates is 8d; raise it, or shorten that window",
  ],
  [
    "objectives over a time that metrics are not kept for",
    watch({ metrics: { retention: "29d" } }),
    "observability.metrics.retention: 29d: what is left of a budget is reckoned over objectiveWindow 30d; raise it, or shorten objectiveWindow",
  ],
];

const REST: readonly Case[] = [
  [
    "a budget of a tenant that there is not",
    watch({ tenantBudgets: { bank: "2" } }, { tenants: [{ name: "shop" }] }),
    "observability.tenantBudgets.bank: bank: is no tenant of this stack; use one of shop",
  ],
  ...(
    [
      ["scheduler", 10_259],
      ["controllerManager", 10_257],
    ] as const
  ).map(([key, port]): Case => [
    `a port of K3s's ${key}`,
    watch({ controlPlane: { [key]: port } }, { cluster: k3s(3, 10) }),
    `observability.controlPlane.${key}: ${port}: K3s tells these metrics at the API servers, which are found by themselves; drop it`,
  ]),
  ...(
    [
      ["alertReceivers", { "on-call": "<secret>" }],
      ["logStorage", { accessKey: "<secret>" }],
    ] as const
  ).map(([key, value]): Case => [
    `the secret ${key} where nothing is watched`,
    watch({ enabled: false }, { [key]: value }),
    `${key}: set: observability.enabled is false, so nothing reads it; drop it, or enable observability`,
  ]),
];

describe("parseConfig rejects of observability", () => {
  it.each([...WHOLE_SECTION, ...NAMESPACES, ...RECEIVERS, ...LOGS, ...OBJECTIVES, ...REST])("%s", (_, raw, problem) => {
    expect(problemsOf(() => parseConfig(raw))).toEqual([problem]);
  });

  it.each([
    ["the URL of Slack in plain text", receivers({ kind: "slack", url: "https://hooks.example.com/hunter2" }, {})],
    ["a password in a webhook's URL", receivers({ url: "https://user:hunter2@hook.example.com/" }, {})],
    ["a secret given for its marker", receivers({}, { "on-call": "hunter2" })],
    [
      "a bucket's key given for its marker",
      bucket({}, { logStorage: { accessKey: "hunter2", secretKey: "<secret>" } }),
    ],
  ])("%s without showing it", (_, raw) => {
    expect(caught(() => parseConfig(raw)).message).not.toContain("hunter2");
  });
});

describe("parseConfig accepts of observability", () => {
  it("nothing at all: the reference's", () => {
    expect(parseConfig(rawConfig()).observability).toEqual({
      enabled: true,
      namespace: "monitoring",
      scrapeInterval: 15_000,
      storage: { kind: "persistent" },
      metrics: { retention: 31 * 86_400_000, replicas: 1 },
      logs: { retention: 7 * 86_400_000, errorRatio: 0.0005 },
      objectiveWindow: 30 * 86_400_000,
      burnRates: [
        { factor: 14.4, long: 3_600_000, short: 300_000, severity: "page" },
        { factor: 6, long: 21_600_000, short: 1_800_000, severity: "page" },
        { factor: 3, long: 86_400_000, short: 7_200_000, severity: "ticket" },
        { factor: 1, long: 259_200_000, short: 21_600_000, severity: "ticket" },
      ],
      receivers: [],
      runbooks: "docs/runbooks.md",
      grafana: { enabled: true },
      images: {},
      tenantBudgets: {},
      controlPlane: {},
      verifyKubelets: true,
    });
  });

  it("what is off, whatever else it says", () => {
    const off = { enabled: false, namespace: "gateway", metrics: { retention: "1d" }, tenantBudgets: { bank: "1" } };
    expect(parseConfig(watch(off)).observability.enabled).toBe(false);
  });

  it.each(["5s", "15s", "1m"])("a look every %s", (scrapeInterval) => {
    expect(parseConfig(watch({ scrapeInterval })).observability.scrapeInterval % 1000).toBe(0);
  });

  it("receivers of each kind, with their defaults", () => {
    const raw = receivers(
      [
        { name: "pager", kind: "pagerduty", severities: ["page"] },
        { name: "chat", kind: "slack", channel: "#shop" },
        { name: "hook" },
        { name: "heart", url: "http://beat.example.com:8080/x?y=1", port: 8080, severities: ["heartbeat"] },
      ],
      { pager: "<secret>", chat: "<secret>", hook: "<secret>" },
    );
    const shown = parseConfig(raw).observability.receivers.map(({ name, kind, severities, port }) => [
      name,
      kind,
      severities.join(),
      port,
    ]);
    expect(shown).toEqual([
      ["pager", "pagerduty", "page", 443],
      ["chat", "slack", "page,ticket", 443],
      ["hook", "webhook", "page,ticket", 443],
      ["heart", "webhook", "heartbeat", 8080],
    ]);
  });

  it("a bucket whose keys somebody else keeps", () => {
    expect(parseConfig(bucket({})).observability.logs.objectStorage).toMatchObject({ region: "us-east-1", port: 443 });
  });
});
