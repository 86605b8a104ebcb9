import { humanBytes } from "../../../infra/units";
import { RATE, type DashboardsArgs } from "./args";
import { labelValues, typed, type Board, type Line } from "./board";
import { above, filling, graph, lines, log, metric, UNITS } from "./panels";

const DAY_SECONDS = 86_400;
/** Every stream has a namespace, whatever wrote it. */
const ALL = '{namespace=~".+"}';
/** What was chosen. Lines of the platform have no function, and are matched while none is chosen. */
const CHOSEN = '{namespace=~"$namespace", component=~"$component", function=~"$function"}';
/** Loki's own grouping interval: the width of one point. */
const AUTO = "[$__auto]";

/** Lines: how many there are, whether they arrive, and what they say. */
export function logsBoard(args: DashboardsArgs): Board {
  const variable = (label: string, title: string, all?: string) =>
    labelValues(label, title, { source: "loki", series: ALL, label }, all);
  return {
    uid: "wasm-logs",
    title: "Logs",
    description: "Volume of logs, their way to Loki, and the lines themselves.",
    variables: [
      variable("namespace", "Namespace"),
      variable("component", "Container"),
      variable("function", "Function", ".*"),
      typed("pod", "Pod (pattern)", ".*"),
      typed("search", "Text (pattern)", ""),
    ],
    sections: [
      { title: "Volume", lines: [volume(args)] },
      { title: "The way to Loki", lines: [delivery(), loki()] },
      { title: "Lines", lines: [found()] },
    ],
  };
}

function volume({ plan }: DashboardsArgs): Line {
  const { bytesPerDay, linesPerSecond } = plan.observability.logs;
  return [
    graph({
      title: "Volume by namespace",
      description: `Bytes/s of lines by the namespace that wrote them. The plan has ${humanBytes(bytesPerDay)} a day, all together.`,
      unit: UNITS.bytesPerSecond,
      min: 0,
      stacked: true,
      steps: above(bytesPerDay / DAY_SECONDS),
      queries: [log(`sum by (namespace) (bytes_rate(${ALL} ${AUTO}))`, "{{namespace}}")],
    }),
    graph({
      title: "Lines by container",
      description: `Lines/s by the name of the container that wrote them. The plan has ${Math.ceil(linesPerSecond)} lines/s.`,
      unit: UNITS.perSecond,
      min: 0,
      stacked: true,
      queries: [log(`sum by (component) (rate(${ALL} ${AUTO}))`, "{{component}}")],
    }),
    graph({
      title: "Errors by namespace",
      description: "Lines/s that say of themselves that they are errors, or tell of an answer of 5xx.",
      unit: UNITS.perSecond,
      min: 0,
      queries: [log(`sum by (namespace) (rate(${ALL} | severity_text=~"ERROR|FATAL" ${AUTO}))`, "{{namespace}}")],
    }),
  ];
}

function delivery(): Line {
  return [
    graph({
      title: "Lines read and sent",
      description:
        "Lines/s that collectors read, and that Loki took from them. Sent ones stay behind while Loki is away, and catch up.",
      unit: UNITS.perSecond,
      min: 0,
      queries: [
        metric(`sum(rate(otelcol_receiver_accepted_log_records_total${RATE}))`, "read"),
        metric(`sum(rate(otelcol_exporter_sent_log_records_total${RATE}))`, "sent"),
      ],
    }),
    graph({
      title: "Collectors' queues",
      description:
        "Share of each collector's queue on disk that is full. A full one stops reading; lines wait in their files, until kubelet rotates these away.",
      unit: UNITS.share,
      min: 0,
      max: 1,
      steps: filling(0.5, 0.9),
      queries: [metric("max by (node) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)", "{{node}}")],
    }),
  ];
}

function loki(): Line {
  return [
    graph({
      title: "Loki P99",
      description: "Time in which Loki answers 99 of 100 requests, by what is asked.",
      unit: UNITS.seconds,
      min: 0,
      queries: [
        metric(
          "histogram_quantile(0.99, sum by (route, le) (rate(loki_request_duration_seconds_bucket[5m])))",
          "{{route}}",
        ),
      ],
    }),
    graph({
      title: "Lines refused",
      description:
        "Lines/s that Loki did not take, by why. A rate limit makes collectors wait; anything else loses lines.",
      unit: UNITS.perSecond,
      min: 0,
      steps: above(1),
      queries: [metric(`sum by (reason) (rate(loki_discarded_samples_total${RATE}))`, "{{reason}}")],
    }),
  ];
}

function found(): Line {
  return [
    lines({
      title: "Lines",
      description:
        "Lines of what is chosen above, the newest first. Pod and text are patterns; an empty text matches all.",
      query: log(`${CHOSEN} | pod=~"$pod" |~ "$search"`),
    }),
  ];
}
