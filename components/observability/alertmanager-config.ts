import type { ObservabilityConfig } from "../../infra/config";

/** Where the secrets of receivers lie, a file each, named as the receiver. */
export const RECEIVERS_FOLDER = "/etc/alertmanager/receivers";

type Receiver = ObservabilityConfig["receivers"][number];

/** Alerts that nobody is named for: they are seen in Alertmanager and Grafana alone. */
const NOBODY = "nobody";

/** Alertmanager's configuration. What opens the way to receivers is not in it, but in files beside. */
export function alertmanagerConfig({ receivers }: ObservabilityConfig) {
  return {
    route: {
      receiver: NOBODY,
      // What one fault sets off for one function or node is one message.
      group_by: ["alertname", "tenant", "function", "node"],
      group_wait: "15s",
      group_interval: "1m",
      repeat_interval: "4h",
      // Each receiver hears what is its own, whoever else heard it.
      routes: receivers.flatMap(({ name, severities }) => [
        ...(severities.includes("heartbeat") ? [heartbeat(name)] : []),
        ...otherRoutes(
          name,
          severities.filter((severity) => severity !== "heartbeat"),
        ),
      ]),
    },
    inhibit_rules: INHIBITIONS,
    receivers: [{ name: NOBODY }, ...receivers.map(receiverConfig)],
  };
}

/** Somebody waits for it each minute: what was sent less than `repeat_interval` ago is not sent again. */
function heartbeat(receiver: string) {
  return { receiver, matchers: ['severity="heartbeat"'], continue: true, group_interval: "1m", repeat_interval: "50s" };
}

function otherRoutes(receiver: string, severities: readonly string[]) {
  return severities.length === 0
    ? []
    : [{ receiver, matchers: [`severity=~"${severities.join("|")}"`], continue: true }];
}

/** What only follows from something that is told already. */
const INHIBITIONS = [
  // Burning fast is also burning slowly.
  {
    source_matchers: ['severity="page"', 'objective!=""'],
    target_matchers: ['severity="ticket"', 'objective!=""'],
    equal: ["function", "tenant", "objective"],
  },
  // A lost node takes its exporter, its kubelet and its pods along.
  {
    source_matchers: ['alertname="NodeNotReady"'],
    target_matchers: ['alertname!="NodeNotReady"', 'node!=""'],
    equal: ["node"],
  },
];

function receiverConfig({ name, kind, url, channel }: Receiver) {
  const file = `${RECEIVERS_FOLDER}/${name}`;
  switch (kind) {
    case "webhook":
      return {
        name,
        webhook_configs: [{ ...(url === undefined ? { url_file: file } : { url }), send_resolved: true }],
      };
    case "slack":
      return {
        name,
        slack_configs: [
          {
            api_url_file: file,
            ...(channel !== undefined && { channel }),
            send_resolved: true,
            title: "{{ .Status | toUpper }}: {{ .CommonLabels.alertname }}",
            text: "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.runbook_url }}\n{{ end }}",
          },
        ],
      };
    case "pagerduty":
      return { name, pagerduty_configs: [{ routing_key_file: file, send_resolved: true }] };
  }
}
