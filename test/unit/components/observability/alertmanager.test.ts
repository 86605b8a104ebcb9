import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Alertmanager, type AlertmanagerArgs } from "../../../../components/observability/alertmanager";
import { alertmanagerConfig } from "../../../../components/observability/alertmanager-config";
import { parseConfig } from "../../../../infra/config";
import { SEVERITIES } from "../../../../infra/config-observability";
import { find, names, register, RESOURCE_VERSION, secret } from "../../../support/mocks";
import { rawConfig, type Raw } from "../../infra/support";
import {
  containerOf,
  labelsOf,
  MiB,
  network,
  PART,
  pods,
  policyNames,
  policyOf,
  RESTRICTED_CONTAINER,
  restrictedPod,
  selectorOf,
  SIZED,
  specOf,
  tcp,
  workload,
} from "./support";

const SELECTOR = selectorOf("alertmanager");
const RECEIVERS = [
  { name: "on-call", kind: "pagerduty", severities: ["page"], addresses: ["198.51.100.1/32"] },
  { name: "chat", kind: "slack", channel: "#shop", addresses: ["198.51.100.2/32", "198.51.100.3/32"] },
  { name: "hook", severities: ["ticket"], addresses: ["198.51.100.4/32"] },
  {
    name: "heart",
    url: "http://beat.example.com:8080/",
    severities: ["heartbeat"],
    addresses: ["10.9.0.0/24"],
    port: 8080,
  },
];
const SECRETS = { "on-call": "<secret>", chat: "<secret>", hook: "<secret>" };

function observability(more: Raw = {}) {
  const receivers = (more["receivers"] ?? RECEIVERS) as readonly { name: string }[];
  const alertReceivers = Object.fromEntries(
    Object.entries(SECRETS).filter(([name]) => receivers.some((receiver) => receiver.name === name)),
  );
  return parseConfig(rawConfig({ observability: { receivers, ...more }, alertReceivers })).observability;
}

async function create(more: Raw = {}, args: Partial<AlertmanagerArgs> = {}) {
  const { resources } = await register(
    () =>
      new Alertmanager("alertmanager", {
        ...PART,
        image: "quay.io/prometheus/alertmanager:v0",
        observability: observability(more),
        plan: { ...SIZED, storage: 64 * MiB },
        receivers: {
          "on-call": "hunter2",
          chat: "https://hooks.example.com/hunter3",
          hook: "https://x.example.com/hunter4",
        },
        clients: [{ namespace: "monitoring", labels: { app: "prometheus" } }],
        ...args,
      }),
  );
  return resources;
}

/** A matcher of Alertmanager's, as its documentation has it; patterns are anchored. */
function matches(matcher: string, labels: Readonly<Record<string, string>>): boolean {
  const [, name = "", operator = "", value = ""] = /^(\w+)(=~|!~|!=|=)"(.*)"$/.exec(matcher) ?? [];
  if (name === "") throw new Error(`${matcher} is no matcher`);
  const found = labels[name] ?? "";
  const equal = operator.endsWith("~") ? new RegExp(`^(?:${value})$`).test(found) : found === value;
  return operator.startsWith("!") ? !equal : equal;
}

/** Who hears of an alert: routes in order, on after those that say `continue`; the root's receiver where none matched. */
function heard({ route }: ReturnType<typeof alertmanagerConfig>, labels: Readonly<Record<string, string>>): string[] {
  const found: string[] = [];
  for (const one of route.routes) {
    if (!one.matchers.every((matcher) => matches(matcher, labels))) continue;
    found.push(one.receiver);
    if (!one.continue) break;
  }
  return found.length > 0 ? found : [route.receiver];
}

describe("who hears of an alert", () => {
  it("is nobody where nobody is named", () => {
    const config = alertmanagerConfig(observability({ receivers: [] }));
    expect(config.receivers).toEqual([{ name: "nobody" }]);
    for (const severity of SEVERITIES) expect(heard(config, { severity })).toEqual(["nobody"]);
  });

  it("is each receiver that names its severity, and no other", () => {
    const severities = fc.uniqueArray(fc.constantFrom(...SEVERITIES), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(severities, { maxLength: 5 }), fc.constantFrom(...SEVERITIES), (each, severity) => {
        const receivers = each.map((named, index) => ({
          ...{ name: `r${index}`, url: "http://x.example.com/", addresses: ["10.9.0.0/24"], severities: named },
        }));
        const config = alertmanagerConfig(observability({ receivers }));
        const named = receivers.filter((receiver) => receiver.severities.includes(severity)).map(({ name }) => name);
        expect(heard(config, { severity })).toEqual(named.length > 0 ? named : ["nobody"]);
        // Every receiver that a route leads to is there.
        const known = config.receivers.map(({ name }) => name);
        expect(known).toEqual(["nobody", ...receivers.map(({ name }) => name)]);
      }),
    );
  });

  it("hears of what belongs together at once, and again after four hours", () => {
    expect(alertmanagerConfig(observability()).route).toMatchObject({
      group_by: ["alertname", "tenant", "function", "node"],
      group_wait: "15s",
      group_interval: "1m",
      repeat_interval: "4h",
    });
  });

  it("hears a heartbeat every minute, whatever else it hears", () => {
    const { routes } = alertmanagerConfig(observability()).route;
    const repeated = routes.filter((route) => "repeat_interval" in route);
    expect(repeated).toMatchObject([
      { receiver: "heart", matchers: ['severity="heartbeat"'], repeat_interval: "50s", group_interval: "1m" },
    ]);
    const both = [
      { name: "all", url: "http://x.example.com/", severities: ["page", "heartbeat"], addresses: ["10.9.0.0/24"] },
    ];
    expect(alertmanagerConfig(observability({ receivers: both })).route.routes).toMatchObject([
      { receiver: "all", matchers: ['severity="heartbeat"'], repeat_interval: "50s" },
      { receiver: "all", matchers: ['severity=~"page"'] },
    ]);
  });
});

describe("what is not told twice", () => {
  const inhibited = (source: Readonly<Record<string, string>>, target: Readonly<Record<string, string>>) =>
    alertmanagerConfig(observability()).inhibit_rules.some(
      (rule) =>
        rule.source_matchers.every((matcher) => matches(matcher, source)) &&
        rule.target_matchers.every((matcher) => matches(matcher, target)) &&
        rule.equal.every((label) => (source[label] ?? "") === (target[label] ?? "")),
    );
  const burn = (severity: string, more: object = {}) => ({
    ...{ alertname: "LatencyP99BudgetBurn", severity, function: "checkout", tenant: "shop", objective: "p99" },
    ...more,
  });
  const node = (alertname: string, name: string) => ({ alertname, severity: "page", node: name });

  it("is a budget that burns slowly while it burns fast: of the same function and objective", () => {
    expect(inhibited(burn("page"), burn("ticket"))).toBe(true);
    expect(inhibited(burn("page"), burn("ticket", { function: "cart" }))).toBe(false);
    expect(inhibited(burn("page"), burn("ticket", { tenant: "bank" }))).toBe(false);
    expect(inhibited(burn("page"), burn("ticket", { objective: "availability" }))).toBe(false);
    expect(inhibited(burn("ticket"), burn("page"))).toBe(false);
    expect(inhibited(burn("page"), burn("page"))).toBe(false);
  });

  it("is no other ticket", () => {
    const ticket = { alertname: "FunctionThrottled", severity: "ticket", function: "checkout", tenant: "shop" };
    expect(inhibited(burn("page"), ticket)).toBe(false);
  });

  it("is what a lost node takes along, and not itself nor what is elsewhere", () => {
    expect(inhibited(node("NodeNotReady", "agent-1"), node("NodeFilesystemFull", "agent-1"))).toBe(true);
    expect(inhibited(node("NodeNotReady", "agent-1"), node("NodeFilesystemFull", "agent-2"))).toBe(false);
    expect(inhibited(node("NodeNotReady", "agent-1"), node("NodeNotReady", "agent-1"))).toBe(false);
    expect(inhibited(node("NodeNotReady", "agent-1"), { alertname: "GatewayErrors", severity: "page" })).toBe(false);
    expect(inhibited(node("NodeFilesystemFull", "agent-1"), node("NodeMemoryFull", "agent-1"))).toBe(false);
  });
});

describe("receivers", () => {
  const receiver = (name: string, more: Raw = {}) =>
    alertmanagerConfig(observability(more)).receivers.find((one) => one.name === name);

  it("of PagerDuty have their key in a file", () => {
    expect(receiver("on-call")).toEqual({
      name: "on-call",
      pagerduty_configs: [{ routing_key_file: "/etc/alertmanager/receivers/on-call", send_resolved: true }],
    });
  });

  it("of Slack have their URL in a file, a channel where one is named, and the runbook in the text", () => {
    const [slack] = (receiver("chat") as { slack_configs: { text: string }[] }).slack_configs;
    expect(slack).toMatchObject({
      api_url_file: "/etc/alertmanager/receivers/chat",
      channel: "#shop",
      send_resolved: true,
    });
    expect(slack?.text).toContain("{{ .Annotations.runbook_url }}");
    const plain = receiver("chat", { receivers: [{ name: "chat", kind: "slack", addresses: ["10.9.0.0/24"] }] });
    expect((plain as { slack_configs: object[] }).slack_configs[0]).not.toHaveProperty("channel");
  });

  it("of webhooks have their URL in a file, unless it is no secret", () => {
    expect(receiver("hook")).toEqual({
      name: "hook",
      webhook_configs: [{ url_file: "/etc/alertmanager/receivers/hook", send_resolved: true }],
    });
    expect(receiver("heart")).toEqual({
      name: "heart",
      webhook_configs: [{ url: "http://beat.example.com:8080/", send_resolved: true }],
    });
  });
});

describe("Alertmanager", () => {
  it("is a StatefulSet with its Services, Secret, policies and budget", async () => {
    const resources = await create();
    const map = resources.find(({ type }) => type === "kubernetes:core/v1:ConfigMap");
    expect(names(resources).filter((name) => name.startsWith("kubernetes:"))).toEqual([
      "kubernetes:apps/v1:StatefulSet alertmanager",
      `kubernetes:core/v1:ConfigMap ${map?.name}`,
      "kubernetes:core/v1:Secret alertmanager-receivers",
      "kubernetes:core/v1:Service alertmanager-pods",
      "kubernetes:core/v1:Service alertmanager-service",
      "kubernetes:core/v1:ServiceAccount alertmanager-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy alertmanager-from-clients",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy alertmanager-to-receivers",
      "kubernetes:policy/v1:PodDisruptionBudget alertmanager-budget",
    ]);
    for (const { type, inputs } of resources.filter((one) => one.type.startsWith("kubernetes:"))) {
      expect(inputs["metadata"], type).toMatchObject({ namespace: "monitoring", labels: labelsOf("alertmanager") });
    }
  });

  it("rolls with its configuration, which has a name of its content", async () => {
    const mapOf = async (more: Raw = {}) =>
      (await create(more)).find(({ type }) => type === "kubernetes:core/v1:ConfigMap")!;
    const map = await mapOf();
    expect(map.name).toMatch(/^alertmanager-config-[0-9a-f]{10}$/);
    expect(map.inputs["immutable"]).toBe(true);
    const data = map.inputs["data"] as Record<string, string>;
    expect(parse(data["alertmanager.yaml"]!)).toEqual(alertmanagerConfig(observability()));
    expect((await mapOf({ receivers: [] })).name).not.toBe(map.name);
    const spec = workload(await create(), "StatefulSet", "alertmanager");
    expect(spec.template.spec.volumes).toContainEqual({ name: "config", configMap: { name: map.name } });
  });

  it("has what opens receivers in a Secret alone, and rolls when that changes", async () => {
    const resources = await create();
    const { inputs } = find(resources, "kubernetes:core/v1:Secret", "alertmanager-receivers");
    expect(inputs["stringData"]).toEqual(
      secret({
        "on-call": "hunter2",
        chat: "https://hooks.example.com/hunter3",
        hook: "https://x.example.com/hunter4",
      }),
    );
    expect(JSON.stringify(resources.filter(({ type }) => type !== "kubernetes:core/v1:Secret"))).not.toContain(
      "hunter",
    );
    const spec = workload(resources, "StatefulSet", "alertmanager");
    expect(spec.template.metadata.annotations).toEqual({ "wasm-functions.dev/receivers-version": RESOURCE_VERSION });
    expect(spec.template.spec.volumes).toContainEqual({
      name: "receivers",
      secret: { secretName: "alertmanager-receivers", defaultMode: 0o440 },
    });
    expect(containerOf(spec).volumeMounts).toContainEqual({
      name: "receivers",
      mountPath: "/etc/alertmanager/receivers",
      readOnly: true,
    });
  });

  it("has no Secret where there is nothing to open", async () => {
    const resources = await create({ receivers: [] }, { receivers: {} });
    expect(resources.some(({ type }) => type === "kubernetes:core/v1:Secret")).toBe(false);
    expect(JSON.stringify(workload(resources, "StatefulSet", "alertmanager"))).not.toContain('"receivers"');
  });

  it("is restricted, without a token", async () => {
    const spec = workload(await create(), "StatefulSet", "alertmanager");
    expect(spec.template.spec).toMatchObject({
      serviceAccountName: "alertmanager",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      priorityClassName: "wasm-platform",
      securityContext: restrictedPod(65_534),
    });
    expect(containerOf(spec).securityContext).toEqual(RESTRICTED_CONTAINER);
    expect(JSON.stringify(spec.template.spec.volumes)).not.toContain("serviceAccountToken");
  });

  it("writes to a claim, or what its pod may fill of the node", async () => {
    const kept = workload(await create(), "StatefulSet", "alertmanager");
    expect(kept.volumeClaimTemplates).toEqual([
      {
        metadata: { name: "data" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "64Mi" } } },
      },
    ]);
    expect(containerOf(kept).resources.limits["ephemeral-storage"]).toBe("64Mi");
    const gone = workload(await create({ storage: { kind: "ephemeral" } }), "StatefulSet", "alertmanager");
    expect(gone).not.toHaveProperty("volumeClaimTemplates");
    expect(gone.template.spec.volumes).toContainEqual({ name: "data", emptyDir: { sizeLimit: "64Mi" } });
    expect(containerOf(gone).resources.limits["ephemeral-storage"]).toBe("128Mi");
  });

  it("is alone where there is one: nobody to tell, and nothing open for it", async () => {
    const resources = await create();
    const spec = workload(resources, "StatefulSet", "alertmanager");
    expect(spec.replicas).toBe(1);
    expect(containerOf(spec).args.filter((arg) => arg.startsWith("--cluster"))).toEqual(["--cluster.listen-address="]);
    expect(JSON.stringify(resources)).not.toContain("9094");
  });

  it("tells the other where there are two: by its own name, before either is ready", async () => {
    const resources = await create({ metrics: { replicas: 2 } });
    const spec = workload(resources, "StatefulSet", "alertmanager");
    expect(spec).toMatchObject({ replicas: 2, serviceName: "alertmanager-pods", podManagementPolicy: "Parallel" });
    expect(containerOf(spec).args.filter((arg) => arg.startsWith("--cluster"))).toEqual([
      "--cluster.listen-address=:9094",
      "--cluster.peer=alertmanager-0.alertmanager-pods:9094",
      "--cluster.peer=alertmanager-1.alertmanager-pods:9094",
    ]);
    expect(specOf(resources, "kubernetes:core/v1:Service", "alertmanager-pods")).toMatchObject({
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: SELECTOR,
    });
    const gossip = [
      { protocol: "TCP", port: 9094 },
      { protocol: "UDP", port: 9094 },
    ];
    const peers = [pods("monitoring", SELECTOR)];
    expect(policyOf(resources, "alertmanager-from-clients")).toMatchObject({
      ingress: [{ ports: tcp(9093) }, { from: peers, ports: gossip }],
    });
    const { egress } = policyOf(resources, "alertmanager-to-receivers") as { egress: object[] };
    expect(egress.at(-1)).toEqual({ to: peers, ports: gossip });
  });

  it("is asked by its clients, and reaches receivers where they say they are, and nothing else", async () => {
    const resources = await create();
    const podSelector = { matchLabels: SELECTOR };
    expect(policyOf(resources, "alertmanager-from-clients")).toEqual({
      podSelector,
      policyTypes: ["Ingress"],
      ingress: [{ from: [pods("monitoring", { app: "prometheus" })], ports: tcp(9093) }],
    });
    expect(policyOf(resources, "alertmanager-to-receivers")).toEqual({
      podSelector,
      policyTypes: ["Egress"],
      egress: [
        { to: [network("198.51.100.1/32")], ports: tcp(443) },
        { to: [network("198.51.100.2/32"), network("198.51.100.3/32")], ports: tcp(443) },
        { to: [network("198.51.100.4/32")], ports: tcp(443) },
        { to: [network("10.9.0.0/24")], ports: tcp(8080) },
      ],
    });
  });

  it("reaches nothing where nobody is named and it is alone", async () => {
    expect(policyNames(await create({ receivers: [] }, { receivers: {} }))).toEqual(["alertmanager-from-clients"]);
  });
});
