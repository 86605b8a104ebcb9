import { from, type AlertCases, type Series } from "./case";

const entry = (perMinute: number, code: string) =>
  from("gateway", {
    [`traefik_entrypoint_requests_total{entrypoint="https",code="${code}",method="GET"}`]: `0+${perMinute}x60`,
  });
const kong = (perMinute: number, code: string) =>
  from("gateway", { [`kong_http_requests_total{route="checkout-d20b00",code="${code}"}`]: `0+${perMinute}x60` });
/** Cores of one pod; the limit is two. */
const cpu = (cores: number, instance: string) =>
  from("gateway", { [`process_cpu_seconds_total{instance="${instance}"}`]: `0+${cores * 60}x60` });
const descriptors = (open: string) =>
  from("gateway", { 'process_open_fds{instance="a"}': open, 'process_max_fds{instance="a"}': "1000x60" });
/** When it last took over a configuration, and when it started. */
const gateway = (instance: string, reloaded: string, started: string): Series =>
  from("gateway", {
    [`traefik_config_last_reload_success{instance="${instance}"}`]: reloaded,
    [`process_start_time_seconds{instance="${instance}"}`]: started,
  });
const certificate = (instance: string, serial: string, notAfter: number) =>
  from("gateway", {
    [`traefik_tls_certs_not_after{instance="${instance}",cn="shop.example.com",serial="${serial}"}`]: `${notAfter}x120`,
  });
const DAY = 86_400;
const CN = { cn: "shop.example.com" };

export const gateways: AlertCases = {
  GatewayErrors: {
    fires: [
      {
        when: "2 % of all requests fail",
        series: { ...entry(9800, "200"), ...entry(200, "503") },
        at: "15m",
        alerts: [
          {
            labels: { severity: "page" },
            summary: "The gateway answers many requests with 5xx",
            description:
              "2% of all requests of the last 5m were answered with 5xx, those that never came to a function included.",
          },
        ],
      },
      {
        when: "2 % of all requests to Kong fail",
        stack: "kong",
        series: { ...kong(9800, "200"), ...kong(200, "503") },
        at: "15m",
        alerts: [
          {
            labels: { severity: "page" },
            summary: "The gateway answers many requests with 5xx",
            description:
              "2% of all requests of the last 5m were answered with 5xx, those that never came to a function included.",
          },
        ],
      },
    ],
    silent: [
      { when: "0.5 % fail", series: { ...entry(9950, "200"), ...entry(50, "503") }, at: "15m" },
      { when: "many are refused", series: { ...entry(9000, "200"), ...entry(1000, "403") }, at: "15m" },
      {
        when: "there are ten requests in a minute and one fails",
        series: { ...entry(9, "200"), ...entry(1, "502") },
        at: "15m",
      },
    ],
  },
  GatewaySaturated: {
    fires: [
      {
        when: "its pods use nine tenths of their limit",
        series: { ...cpu(1.9, "a"), ...cpu(1.7, "b") },
        at: "15m",
        alerts: [
          {
            labels: { severity: "page" },
            summary: "The gateway has no CPU left",
            description:
              "The gateway's pods use 90% of their CPU limit (2 cores each) on average: its autoscaler does not keep up.",
          },
        ],
      },
      {
        when: "Kong's pods use nine tenths of their limit",
        stack: "kong",
        series: from("cadvisor", {
          'container_cpu_usage_seconds_total{namespace="gateway",container="kong",pod="gateway-5d6f7-x2x4z"}':
            "0+108x60",
        }),
        at: "15m",
        alerts: [
          {
            labels: { severity: "page" },
            summary: "The gateway has no CPU left",
            description:
              "The gateway's pods use 90% of their CPU limit (2 cores each) on average: its autoscaler does not keep up.",
          },
        ],
      },
    ],
    silent: [{ when: "one of two has nothing to do", series: { ...cpu(1.9, "a"), ...cpu(0.5, "b") }, at: "15m" }],
  },
  GatewayConnectionsFull: {
    fires: [
      {
        when: "nine of ten file descriptors are open",
        series: descriptors("900x60"),
        at: "10m",
        alerts: [
          {
            labels: { severity: "page" },
            summary: "A gateway pod has almost as many connections as it can",
            description:
              "A gateway pod has 90% of its file descriptors open; without a free one it refuses connections.",
          },
        ],
      },
    ],
    silent: [{ when: "seven of ten are", series: descriptors("700x60"), at: "10m" }],
  },
  GatewayConfigStale: {
    fires: [
      {
        when: "one stays at what another has replaced since",
        series: { ...gateway("a", "10x5 360x60", "0x60"), ...gateway("b", "10x60", "0x60") },
        at: "20m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Gateway pods do not take over routes",
            description:
              "Gateway pods that have not taken over a change of routes or pods, though others did more than 5m ago: 1. They send requests to pods that are gone.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "one is three minutes late",
        series: { ...gateway("a", "10x5 360x60", "0x60"), ...gateway("b", "10x60", "0x60") },
        at: "9m",
      },
      {
        when: "a pod has started long after the last change of routes",
        series: { ...gateway("a", "10x60", "0x60"), ...gateway("b", "_x10 602x60", "_x10 600x60") },
        at: "40m",
      },
      {
        when: "all take over all changes",
        series: { ...gateway("a", "100x9 601+60x60", "0x60"), ...gateway("b", "100x9 602+60x60", "0x60") },
        at: "40m",
      },
    ],
  },
  CertificateExpiresSoon: {
    fires: [
      {
        when: "it is valid for ten days",
        series: certificate("a", "1", 10 * DAY + 7200),
        at: "2h",
        alerts: [
          {
            labels: { severity: "ticket", ...CN },
            summary: "The gateway's certificate shop.example.com expires in less than 14d",
            description: "The certificate shop.example.com that the gateway shows expires in 10d 0h 0m 0s.",
          },
        ],
      },
    ],
    silent: [
      { when: "it is valid for twenty days", series: certificate("a", "1", 20 * DAY), at: "2h" },
      {
        when: "it was replaced, and the old one is still told",
        series: { ...certificate("a", "1", 3 * DAY), ...certificate("a", "2", 90 * DAY) },
        at: "2h",
      },
    ],
  },
  CertificateExpires: {
    fires: [
      {
        when: "one pod still has no other than one that is valid for a day",
        series: { ...certificate("a", "2", 90 * DAY), ...certificate("b", "1", DAY + 600) },
        at: "10m",
        alerts: [
          {
            labels: { severity: "page", ...CN },
            summary: "The gateway's certificate shop.example.com expires in less than 2d",
            description: "The certificate shop.example.com that the gateway shows expires in 1d 0h 0m 0s.",
          },
        ],
      },
    ],
    silent: [{ when: "it is valid for three days", series: certificate("a", "1", 3 * DAY), at: "10m" }],
  },
};
