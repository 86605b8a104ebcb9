import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { dashboardQueries, type DashboardQuery } from "../../components/observability/dashboards";
import { expressions, ruleGroups } from "../../components/observability/rules";
import { parseConfig } from "../../infra/config";
import { planStack } from "../../infra/plan";
import { DEFAULT_IMAGES } from "../../infra/versions";
import { eventually, type KubernetesList } from "./local-stack";
import { metricNames } from "./promql";
import type { Pod, RealStack } from "./real-stack";

/** A series as Prometheus answers it, at one moment. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
  readonly lastError: string;
}

/** An alert as Alertmanager tells a webhook. */
export interface Notified {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A line of a log, with the labels that Loki keeps it by and beside it. */
export interface LogLine {
  readonly labels: Readonly<Record<string, string>>;
  readonly text: string;
}

const NAMESPACE = "monitoring";
/** Where what tests need beside the stack is: nobody admits its objects. */
export const RECEIVER_NAMESPACE = "on-call";
const RECEIVER = { namespace: RECEIVER_NAMESPACE, name: "receiver", port: 8080 };
/** Where the config has to send alerts for `Watching` to see them. */
export const RECEIVER_URL = `http://${RECEIVER.name}.${RECEIVER.namespace}.svc.cluster.local:${RECEIVER.port}/`;
export const RECEIVER_PORT = RECEIVER.port;

/** Writes what it is sent as one line each. */
const RECEIVER_SCRIPT = `require("http").createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => { if (body) console.log(body.trim()); response.end("ok"); });
}).listen(${RECEIVER.port})`;

/** What watches a stack on a real node, asked as its users ask it: from the node, which no policy holds up. */
export class Watching {
  private readonly addresses = new Map<string, string>();

  constructor(private readonly stack: RealStack) {}

  /** PromQL, now. */
  async query(expr: string): Promise<readonly Sample[]> {
    return (await this.prometheus<{ result: readonly Sample[] }>("query", { query: expr })).result;
  }

  async targets(): Promise<readonly Target[]> {
    return (await this.prometheus<{ activeTargets: readonly Target[] }>("targets", { state: "active" })).activeTargets;
  }

  /** Names of all metrics that it has had. */
  async metrics(): Promise<ReadonlySet<string>> {
    return new Set(await this.prometheus<readonly string[]>("label/__name__/values", {}));
  }

  /** LogQL over the last hour: a query of lines, or of numbers. */
  async logs(expr: string): Promise<readonly LogLine[]> {
    const { result } = await this.loki<{
      result: readonly { stream?: LogLine["labels"]; values: [string, string][] }[];
    }>("query_range", { query: expr, limit: "5000", since: "1h", direction: "forward" });
    return result.flatMap(({ stream = {}, values }) => values.map(([, text]) => ({ labels: stream, text })));
  }

  /** Starts a pod that alerts are sent to. */
  async startReceiver(): Promise<void> {
    const { namespace, name, port } = RECEIVER;
    const labels = { app: name };
    const security = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, readOnlyRootFilesystem: true };
    const objects = [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace, labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name,
              image: DEFAULT_IMAGES.node,
              command: ["node", "-e", RECEIVER_SCRIPT],
              ports: [{ containerPort: port }],
              readinessProbe: { httpGet: { path: "/", port }, periodSeconds: 1 },
              securityContext: security,
            },
          ],
        },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace },
        spec: { selector: labels, ports: [{ port }] },
      },
    ];
    const list = { apiVersion: "v1", kind: "List", items: objects };
    await this.stack.kubectl(["apply", "-f", "-"], { input: JSON.stringify(list) });
    await this.stack.kubectl(["wait", "--for=condition=Ready", `pod/${name}`, "-n", namespace, "--timeout=60s"]);
  }

  /** What it was sent, oldest first. */
  async notified(): Promise<readonly Notified[]> {
    const log = await this.stack.kubectl(["logs", RECEIVER.name, "-n", RECEIVER.namespace]);
    const messages = log.split("\n").filter(Boolean);
    return messages.flatMap((message) => (JSON.parse(message) as { alerts: readonly Notified[] }).alerts);
  }

  /** Waits until an alert of this name has arrived as this. */
  heard(alert: string, status: Notified["status"], seconds: number): Promise<Notified> {
    const find = async () =>
      (await this.notified()).find((one) => one.labels["alertname"] === alert && one.status === status);
    return eventually(seconds, `${alert} arrives as ${status}`, find, Boolean) as Promise<Notified>;
  }

  async pods(namespace: string, prefix: string): Promise<readonly Pod[]> {
    const { items } = await this.stack.get<KubernetesList<Pod>>("pods", "-n", namespace);
    return items.filter(({ metadata }) => metadata.name.startsWith(prefix));
  }

  private prometheus<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    return this.ask<T>("prometheus", `:9090/api/v1/${path}`, parameters);
  }

  private loki<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    return this.ask<T>("loki", `:3100/loki/api/v1/${path}`, parameters);
  }

  private async ask<T>(service: string, path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const url = `http://${await this.address(service)}${path}?${new URLSearchParams(parameters).toString()}`;
    const answer = await this.stack.inNetwork("curl", "-sS", "--max-time", "30", url);
    const { status, data, error } = parsed(answer) as { status: string; data: T; error?: string };
    if (status !== "success") throw new Error(`${service}: ${error ?? answer} for ${JSON.stringify(parameters)}`);
    return data;
  }

  private async address(service: string): Promise<string> {
    const known = this.addresses.get(service);
    if (known !== undefined) return known;
    const { spec } = await this.stack.get("service", service, "-n", NAMESPACE);
    const address = String(spec["clusterIP"]);
    this.addresses.set(service, address);
    return address;
  }
}

function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    return { status: "error", error: answer };
  }
}

/** Everything that the rules and dashboards of a stack ask, as the program makes them of its file. */
export function asked(stack: RealStack): {
  readonly rules: readonly string[];
  readonly dashboards: readonly DashboardQuery[];
} {
  const text = readFileSync(join(stack.root, "Pulumi.real.yaml"), "utf8");
  const { config: settings } = parse(text) as { config: Record<string, unknown> };
  const raw = Object.entries(settings).map(([key, value]) => [key.replace("wasm-functions:", ""), value] as const);
  const config = parseConfig(Object.fromEntries(raw));
  const args = { ...config, plan: planStack(config), etcd: false };
  return { rules: expressions(ruleGroups(args)), dashboards: dashboardQueries(args) };
}

/** Names of the metrics that they ask for, by one of the places that do. */
export function askedMetrics({ rules, dashboards }: ReturnType<typeof asked>): ReadonlyMap<string, string> {
  const queries = dashboards.filter(({ kind }) => kind === "prometheus");
  return new Map([
    ...rules.flatMap((expr) => metricNames(expr).map((name) => [name, expr] as const)),
    ...queries.flatMap(({ dashboard, panel, expr }) =>
      metricNames(expr).map((name) => [name, `${dashboard}: ${panel}`] as const),
    ),
  ]);
}
