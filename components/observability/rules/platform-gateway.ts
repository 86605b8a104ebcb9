import { share } from "./promql";
import type { GatewaySource } from "./sources";
import type { AlertArgs, RulesArgs, Topic } from "./types";

const DAY_SECONDS = 86_400;

/** The way in; what a gateway does not tell has no alert. */
export function gatewayTopic({ gateway }: RulesArgs, source: GatewaySource): Topic {
  const cores = gateway.replicas.limits.cpu / 1000;
  return {
    name: "gateway",
    recordings: [
      { record: "gateway:requests:rate5m", expr: source.all("5m") },
      {
        record: "gateway:errors:ratio_rate5m",
        expr: share(`(${source.failed("5m")} or gateway:requests:rate5m * 0)`, "gateway:requests:rate5m"),
      },
    ],
    alerts: [
      {
        alert: "GatewayErrors",
        // Below one request in a second the objectives of functions tell more.
        expr: "gateway:errors:ratio_rate5m > 0.01 and gateway:requests:rate5m > 1",
        for: "5m",
        severity: "page",
        summary: "The gateway answers many requests with 5xx",
        description:
          "{{ $value | humanizePercentage }} of all requests of the last 5m were answered with 5xx, those that never came to a function included.",
      },
      {
        alert: "GatewaySaturated",
        expr: `avg(${source.cpu("5m")}) / ${cores} > 0.85`,
        for: "5m",
        severity: "page",
        summary: "The gateway has no CPU left",
        description: `The gateway's pods use {{ $value | humanizePercentage }} of their CPU limit (${cores} cores each) on average: its autoscaler does not keep up.`,
      },
      ...(source.descriptors === undefined ? [] : [descriptorsAlert(source.descriptors)]),
      ...(source.behind === undefined ? [] : [behindAlert(source.behind)]),
      ...(source.certificates === undefined ? [] : certificateAlerts(source.certificates)),
    ],
  };
}

function descriptorsAlert(share: string): AlertArgs {
  return {
    alert: "GatewayConnectionsFull",
    expr: `max(${share}) > 0.8`,
    for: "5m",
    severity: "page",
    summary: "A gateway pod has almost as many connections as it can",
    description:
      "A gateway pod has {{ $value | humanizePercentage }} of its file descriptors open; without a free one it refuses connections.",
  };
}

function behindAlert(seconds: string): AlertArgs {
  return {
    alert: "GatewayConfigStale",
    expr: `count(${seconds})`,
    for: "5m",
    severity: "ticket",
    summary: "Gateway pods do not take over routes",
    description:
      "Gateway pods that have not taken over a change of routes or pods, though others did more than 5m ago: {{ $value }}. They send requests to pods that are gone.",
  };
}

function certificateAlerts(seconds: string): AlertArgs[] {
  const description =
    "The certificate {{ $labels.cn }} that the gateway shows expires in {{ $value | humanizeDuration }}.";
  return [
    {
      alert: "CertificateExpiresSoon",
      expr: `${seconds} < ${14 * DAY_SECONDS}`,
      for: "1h",
      severity: "ticket",
      summary: "The gateway's certificate {{ $labels.cn }} expires in less than 14d",
      description,
    },
    {
      alert: "CertificateExpires",
      expr: `${seconds} < ${2 * DAY_SECONDS}`,
      for: "5m",
      severity: "page",
      summary: "The gateway's certificate {{ $labels.cn }} expires in less than 2d",
      description,
    },
  ];
}
