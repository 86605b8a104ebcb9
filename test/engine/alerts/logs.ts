import { from, type AlertCases } from "./case";

const collector = (counts: { accepted: string; sent?: string }) =>
  from("collector", {
    'otelcol_receiver_accepted_log_records_total{instance="a"}': counts.accepted,
    ...(counts.sent !== undefined && { 'otelcol_exporter_sent_log_records_total{instance="a"}': counts.sent }),
  });
const queue = (size: string) =>
  from("collector", {
    'otelcol_exporter_queue_size{instance="a"}': size,
    'otelcol_exporter_queue_capacity{instance="a"}': "1000x60",
  });
const loki = (code: string, perMinute: number) =>
  from("loki", {
    [`loki_request_duration_seconds_count{route="loki_api_v1_push",status_code="${code}"}`]: `0+${perMinute}x60`,
  });

export const logs: AlertCases = {
  LogsNotSent: {
    fires: [
      {
        when: "a collector has sent nothing since it started",
        series: collector({ accepted: "0+600x60" }),
        at: "20m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Logs do not get to Loki",
            description: "Collectors that have read logs for 10m and sent none: 1.",
          },
        ],
      },
      {
        when: "Loki has taken nothing for a quarter of an hour",
        series: collector({ accepted: "0+600x60", sent: "0+600x20 12000x40" }),
        at: "38m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Logs do not get to Loki",
            description: "Collectors that have read logs for 10m and sent none: 1.",
          },
        ],
      },
    ],
    silent: [
      { when: "what is read is sent", series: collector({ accepted: "0+600x60", sent: "0+590x60" }), at: "20m" },
      { when: "there is nothing to read", series: collector({ accepted: "600x60", sent: "600x60" }), at: "20m" },
    ],
  },
  LogQueueFilling: {
    fires: [
      {
        when: "it is four fifths full",
        series: queue("800x60"),
        at: "10m",
        alerts: [
          {
            labels: { severity: "ticket", instance: "a" },
            summary: "Logs pile up in the collector a",
            description:
              "The queue of the collector a is 80% full; when it is full, reading stops or records are lost.",
          },
        ],
      },
    ],
    silent: [{ when: "it was for a moment, while Loki started again", series: queue("800x3 10x60"), at: "3m" }],
  },
  LogsLost: {
    fires: [
      {
        when: "records are given up",
        series: from("collector", { otelcol_exporter_send_failed_log_records_total: "0+60x60" }),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Log records are lost",
            description: "Log records per second that were given up after all tries, or had no place in a queue: 1.",
          },
        ],
      },
      {
        when: "the queue has no place",
        series: from("collector", { otelcol_exporter_enqueue_failed_log_records_total: "0+120x60" }),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Log records are lost",
            description: "Log records per second that were given up after all tries, or had no place in a queue: 2.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "none was lost since the collector started",
        series: from("collector", {
          otelcol_exporter_send_failed_log_records_total: "0x60",
          otelcol_exporter_enqueue_failed_log_records_total: "0x60",
        }),
        at: "15m",
      },
    ],
  },
  LokiRefusesLogs: {
    fires: [
      {
        when: "lines come faster than it takes them",
        series: from("loki", { 'loki_discarded_samples_total{reason="rate_limited",tenant="fake"}': "0+60x60" }),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket", reason: "rate_limited" },
            summary: "Loki refuses log lines: rate_limited",
            description: "Lines that Loki refuses per second for the reason rate_limited: 1.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "it refused some long ago",
        series: from("loki", { 'loki_discarded_samples_total{reason="line_too_long",tenant="fake"}': "7x60" }),
        at: "15m",
      },
    ],
  },
  LokiFailing: {
    fires: [
      {
        when: "a tenth of its answers is 5xx",
        series: { ...loki("204", 90), ...loki("500", 10) },
        at: "20m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Loki fails",
            description: "Loki answers 10% of its requests with 5xx.",
          },
        ],
      },
    ],
    silent: [
      { when: "three in a hundred are", series: { ...loki("204", 97), ...loki("500", 3) }, at: "20m" },
      { when: "a tenth is 429", series: { ...loki("204", 90), ...loki("429", 10) }, at: "20m" },
    ],
  },
  LokiDiskFull: {
    fires: [
      {
        when: "its volume has no place for what it takes",
        series: from("loki", { 'loki_ingester_wal_disk_full_failures_total{instance="a"}': "0x9 0+60x20" }),
        at: "15m",
        alerts: [
          {
            labels: { severity: "page", instance: "a" },
            summary: "Loki's volume is full",
            description:
              "Writes of log lines that a took in the last 5m and could not keep on its volume: 300. They are lost if it crashes.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "it has kept all since it started",
        series: from("loki", { 'loki_ingester_wal_disk_full_failures_total{instance="a"}': "0x30" }),
        at: "15m",
      },
      {
        when: "it had no place long ago",
        series: from("loki", { 'loki_ingester_wal_disk_full_failures_total{instance="a"}': "0+60x5 300x30" }),
        at: "15m",
      },
    ],
  },
};
