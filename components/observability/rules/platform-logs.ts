import type { Topic } from "./types";

const COLLECTOR = 'job="collector"';
const LOKI = 'job="loki"';

/** From the nodes' log files to Loki. */
export function logsTopic(): Topic {
  const records = (name: string) => `sum by (instance) (rate(otelcol_${name}_log_records_total{${COLLECTOR}}[5m]))`;
  const requests = (code: string) => `sum(rate(loki_request_duration_seconds_count{${LOKI}${code}}[5m]))`;
  return {
    name: "logs",
    alerts: [
      {
        alert: "LogsNotSent",
        // Before its first success it has no counter of what it sent.
        expr: `count((${records("receiver_accepted")} > 0) unless (${records("exporter_sent")} > 0))`,
        for: "10m",
        severity: "ticket",
        summary: "Logs do not get to Loki",
        description: "Collectors that have read logs for 10m and sent none: {{ $value }}.",
      },
      {
        alert: "LogQueueFilling",
        expr: `max by (instance) (otelcol_exporter_queue_size{${COLLECTOR}} / otelcol_exporter_queue_capacity{${COLLECTOR}}) > 0.7`,
        for: "5m",
        severity: "ticket",
        summary: "Logs pile up in the collector {{ $labels.instance }}",
        description:
          "The queue of the collector {{ $labels.instance }} is {{ $value | humanizePercentage }} full; when it is full, reading stops or records are lost.",
      },
      {
        alert: "LogsLost",
        expr: `sum(rate(otelcol_exporter_send_failed_log_records_total{${COLLECTOR}}[5m])) > 0 or sum(rate(otelcol_exporter_enqueue_failed_log_records_total{${COLLECTOR}}[5m])) > 0`,
        for: "5m",
        severity: "ticket",
        summary: "Log records are lost",
        description:
          "Log records per second that were given up after all tries, or had no place in a queue: {{ $value | humanize }}.",
      },
      {
        alert: "LokiRefusesLogs",
        expr: `sum by (reason) (rate(loki_discarded_samples_total{${LOKI}}[5m])) > 0`,
        for: "5m",
        severity: "ticket",
        summary: "Loki refuses log lines: {{ $labels.reason }}",
        description: "Lines that Loki refuses per second for the reason {{ $labels.reason }}: {{ $value | humanize }}.",
      },
      {
        alert: "LokiFailing",
        expr: `${requests(',status_code=~"5.."')} / ${requests("")} > 0.05`,
        for: "10m",
        severity: "ticket",
        summary: "Loki fails",
        description: "Loki answers {{ $value | humanizePercentage }} of its requests with 5xx.",
      },
      {
        alert: "LokiDiskFull",
        // It answers that it took them all the same: this counter is all that tells.
        expr: `sum by (instance) (increase(loki_ingester_wal_disk_full_failures_total{${LOKI}}[5m])) > 0`,
        severity: "page",
        summary: "Loki's volume is full",
        description:
          'Writes of log lines that {{ $labels.instance }} took in the last 5m and could not keep on its volume: {{ $value | printf "%.0f" }}. They are lost if it crashes.',
      },
    ],
  };
}
