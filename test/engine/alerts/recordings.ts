import type { StackName } from "../../support/rule-stacks";
import { attempted, attemptedWithin, from, routed, routedWithin, type Series } from "./case";

export interface RecordingCase {
  /** What it shows, as the end of "it". */
  readonly it: string;
  readonly query: string;
  readonly series: Series;
  readonly at: string;
  /** All samples that the query gives, by their labels as promtool writes them. */
  readonly is: Readonly<Record<string, number>>;
  readonly stack?: StackName;
  /** Between two values, and two evaluations. Default: 15 s, as in the stack. */
  readonly every?: string;
}

const requests = (code: string, values: string, pod = "a") => routed(values, { code, pod });
const bucket = (le: string, values: string) => routedWithin(le, values);
const labelled = (name: string, objective = "availability") =>
  `${name}{function="checkout", objective="${objective}", tenant="shop"}`;

/** What dashboards and alerts read, at round numbers. */
export const RECORDINGS: readonly RecordingCase[] = [
  {
    it: "counts a share of requests, not of moments: a quiet minute weighs little",
    query: 'slo:burned:ratio_rate1h{objective="availability"}',
    // All of 10 fail in each of 40 intervals, then none of 990 in 41, of which the last two count in part so far: as one.
    series: { ...requests("500", "0+10x40 400x41"), ...requests("200", "0x40 990+990x40") },
    at: "20m15s",
    is: { [labelled("slo:burned:ratio_rate1h")]: 400 / (400 + 40 * 990) },
  },
  {
    it: "is 0 where nothing was asked",
    query: 'slo:burned:ratio_rate1h{objective="availability"}',
    series: { ...requests("200", "5x80"), ...requests("500", "3x80") },
    at: "15m",
    is: { [labelled("slo:burned:ratio_rate1h")]: 0 },
  },
  {
    it: "is 0 where nothing has failed since there are gateways",
    query: 'slo:burned:ratio_rate5m{objective="availability"}',
    series: requests("200", "0+100x80"),
    at: "15m",
    is: { [labelled("slo:burned:ratio_rate5m")]: 0 },
  },
  {
    it: "goes on over a counter that starts anew",
    query: 'slo:burned:ratio_rate1h{objective="availability"}',
    series: { ...requests("200", "0+90x40 0+90x40"), ...requests("500", "0+10x40 0+10x40") },
    at: "18m",
    is: { [labelled("slo:burned:ratio_rate1h")]: 0.1 },
  },
  {
    it: "knows what is left of the budget",
    query: 'slo:budget_left:ratio{objective="availability"}',
    // Half of the allowed one in ten thousand.
    series: { ...requests("200", "0+199990x80"), ...requests("500", "0+10x80") },
    at: "15m",
    is: { [labelled("slo:budget_left:ratio")]: 0.5 },
  },
  {
    it: "forgets what is older than the objective's time, in windows of a test",
    query: 'slo:budget_left:ratio{objective="availability"}',
    stack: "scaled",
    every: "5s",
    series: { ...requests("200", "0x60 100+100x300"), ...requests("500", "0+100x60 6000x300") },
    at: "20m",
    is: { [labelled("slo:budget_left:ratio")]: 1 },
  },
  {
    it: "judges latency at the objective's own bucket",
    query: "slo:burned:ratio_rate5m{objective!='availability'}",
    series: {
      ...requests("200", "0+1000x80"),
      ...bucket("0.02", "0+970x80"),
      ...bucket("0.05", "0+998x80"),
      ...bucket("+Inf", "0+1000x80"),
    },
    at: "15m",
    is: {
      [labelled("slo:burned:ratio_rate5m", "p99")]: 0.03,
      [labelled("slo:burned:ratio_rate5m", "p999")]: 0.002,
    },
  },
  {
    it: "judges Kong's latency at the next bucket above, and not at all above the last",
    query: "slo:burned:ratio_rate5m{objective!='availability'}",
    stack: "kong",
    series: from("gateway", {
      'kong_http_requests_total{route="checkout-d20b00",code="200",source="service"}': "0+1000x80",
      'kong_request_latency_ms_bucket{route="checkout-d20b00",le="25.0"}': "0+960x80",
      'kong_request_latency_ms_bucket{route="checkout-d20b00",le="+Inf"}': "0+1000x80",
    }),
    at: "15m",
    is: { [labelled("slo:burned:ratio_rate5m", "p99")]: 0.04 },
  },
  {
    it: "has the budgets of the objectives",
    query: "slo:objective:budget",
    series: {},
    at: "0m",
    is: {
      [labelled("slo:objective:budget")]: 0.0001,
      [labelled("slo:objective:budget", "p99")]: 0.01,
      [labelled("slo:objective:budget", "p999")]: 0.001,
    },
  },
  {
    it: "has requests, errors and latency of a function",
    query: '{__name__=~"function:(requests:rate5m|errors:ratio_rate5m|latency_seconds:.+)"}',
    series: {
      ...requests("200", "0+135x80"),
      ...requests("502", "0+15x80", "b"),
      ...bucket("0.01", "0+75x80"),
      ...bucket("0.02", "0+150x80"),
      ...bucket("+Inf", "0+150x80"),
    },
    at: "15m",
    is: {
      [`function:requests:rate5m{function="checkout", tenant="shop"}`]: 10,
      [`function:errors:ratio_rate5m{function="checkout", tenant="shop"}`]: 0.1,
      [`function:latency_seconds:p50_5m{function="checkout", tenant="shop"}`]: 0.01,
      [`function:latency_seconds:p99_5m{function="checkout", tenant="shop"}`]: 0.0198,
      [`function:latency_seconds:p999_5m{function="checkout", tenant="shop"}`]: 0.01998,
    },
  },
  {
    it: "reads of attempts only functions that a route is split to",
    query: '{__name__=~"function:(requests:rate5m|errors:ratio_rate5m|latency_seconds:p50_5m)"}',
    stack: "split",
    series: {
      // Its own route's, which are among the attempts.
      ...routed("0+60x80"),
      ...attempted("0+135x80"),
      ...attempted("0+15x80", { code: "502" }),
      ...attemptedWithin("0.01", "0+75x80"),
      ...attemptedWithin("+Inf", "0+75x80"),
      ...attempted("0+30x80", { function: "checkout-next" }),
      ...routed("0+15x80", { function: "cart", router: "cart-a1b2c3@file" }),
      ...routed("0+15x80", { function: "cart", router: "cart-a1b2c3@file", code: "503" }),
      ...routedWithin("0.02", "0+30x80", { function: "cart", router: "cart-a1b2c3@file" }),
      ...routedWithin("+Inf", "0+30x80", { function: "cart", router: "cart-a1b2c3@file" }),
      ...attempted("0+15x80", { function: "cart" }),
    },
    at: "15m",
    is: {
      'function:requests:rate5m{function="checkout", tenant="shop"}': 10,
      'function:requests:rate5m{function="checkout-next", tenant="shop"}': 2,
      'function:requests:rate5m{function="cart", tenant="shop"}': 2,
      'function:errors:ratio_rate5m{function="checkout", tenant="shop"}': 0.1,
      'function:errors:ratio_rate5m{function="checkout-next", tenant="shop"}': 0,
      'function:errors:ratio_rate5m{function="cart", tenant="shop"}': 0.5,
      'function:latency_seconds:p50_5m{function="checkout", tenant="shop"}': 0.005,
      'function:latency_seconds:p50_5m{function="cart", tenant="shop"}': 0.01,
    },
  },
  {
    it: "has of refused requests neither number nor time",
    query: '{__name__=~"function:(requests:rate5m|latency_seconds:p50_5m)"}',
    series: {
      ...requests("200", "0+150x80"),
      ...bucket("0.01", "0+150x80"),
      ...bucket("+Inf", "0+150x80"),
      ...["401", "403", "429"].reduce<Series>(
        (all, code) => ({
          ...all,
          ...requests(code, "0+900x80"),
          ...routedWithin("0.01", "0x80", { code }),
          ...routedWithin("+Inf", "0+900x80", { code }),
        }),
        {},
      ),
    },
    at: "15m",
    is: {
      'function:requests:rate5m{function="checkout", tenant="shop"}': 10,
      'function:latency_seconds:p50_5m{function="checkout", tenant="shop"}': 0.005,
    },
  },
  {
    it: "judges the latency of attempts where a route is split, and else that of requests",
    query: "slo:burned:ratio_rate5m{objective='p99'}",
    stack: "split",
    series: {
      ...attempted("0+1000x80"),
      ...attemptedWithin("0.02", "0+960x80"),
      ...attemptedWithin("+Inf", "0+1000x80"),
      ...routed("0+1000x80", { function: "cart" }),
      ...routedWithin("0.02", "0+970x80", { function: "cart" }),
      ...routedWithin("+Inf", "0+1000x80", { function: "cart" }),
    },
    at: "15m",
    is: {
      [labelled("slo:burned:ratio_rate5m", "p99")]: 0.04,
      'slo:burned:ratio_rate5m{function="cart", objective="p99", tenant="shop"}': 0.03,
    },
  },
  {
    it: "has the gateway's requests and errors",
    query: '{__name__=~"gateway:.+"}',
    series: from("gateway", {
      'traefik_entrypoint_requests_total{entrypoint="https",code="200"}': "0+135x80",
      'traefik_entrypoint_requests_total{entrypoint="https",code="503"}': "0+15x80",
      'traefik_entrypoint_requests_total{entrypoint="admin",code="200"}': "0+500x80",
    }),
    at: "15m",
    is: { "gateway:requests:rate5m": 10, "gateway:errors:ratio_rate5m": 0.1 },
  },
  {
    it: "has the authorizer's decisions and their time",
    query: '{__name__=~"authorizer:(decisions|latency).+"}',
    series: from("authorizer", {
      'authorizer_decision_duration_seconds_count{status="200",pod="a"}': "0+150x80",
      'authorizer_decision_duration_seconds_count{status="200",pod="b"}': "0+150x80",
      'authorizer_decision_duration_seconds_bucket{status="200",pod="a",le="0.001"}': "0+150x80",
      'authorizer_decision_duration_seconds_bucket{status="200",pod="a",le="+Inf"}': "0+150x80",
    }),
    at: "15m",
    is: { 'authorizer:decisions:rate5m{status="200"}': 20, "authorizer:latency_seconds:p99_5m": 0.00099 },
  },
  {
    it: "has a tenant's cores and its budget",
    query: '{__name__=~"tenant:cpu_cores:(rate5m|budget)"}',
    series: from("resources", {
      'pod_cpu_usage_seconds_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z"}': "0+30x80",
      'pod_cpu_usage_seconds_total{namespace="shop",pod="checkout-7d9f8b6c54-b4b4b"}': "0+15x80",
      'pod_cpu_usage_seconds_total{namespace="kube-system",pod="coredns-7d9f8b6c54-b4b4b"}': "0+15x80",
    }),
    at: "15m",
    is: {
      'tenant:cpu_cores:rate5m{tenant="shop"}': 3,
      'tenant:cpu_cores:budget{tenant="shop"}': 100,
    },
  },
  {
    it: "has a node's pods as a share of those it may have, also while kube-state-metrics is rolled",
    query: "node:pods:ratio",
    series: {
      ...from("kubelet", { 'kubelet_running_pods{node="agent-0"}': "550x80" }),
      ...from("kube-state-metrics", {
        'kube_node_status_allocatable{node="agent-0",resource="pods",instance="old"}': "1100x80",
        'kube_node_status_allocatable{node="agent-0",resource="pods",instance="new"}': "1100x80",
        'kube_node_status_allocatable{node="agent-0",resource="cpu",instance="new"}': "32x80",
      }),
    },
    at: "5m",
    is: { 'node:pods:ratio{node="agent-0"}': 0.5 },
  },
  {
    it: "has the scheduler's delay, and throttling of pods as of containers",
    query: '{__name__=~"scheduler:delay_seconds:p50_5m|function:throttled:ratio_rate5m"}',
    series: {
      ...from("scheduler", {
        'scheduler_pod_scheduling_sli_duration_seconds_bucket{attempts="1",le="0.01"}': "0+50x80",
        'scheduler_pod_scheduling_sli_duration_seconds_bucket{attempts="1",le="+Inf"}': "0+100x80",
      }),
      ...from("cadvisor", {
        'container_cpu_cfs_periods_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z"}': "0+1500x80",
        'container_cpu_cfs_throttled_periods_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z"}': "0+300x80",
      }),
    },
    at: "15m",
    is: {
      "scheduler:delay_seconds:p50_5m": 0.01,
      'function:throttled:ratio_rate5m{function="checkout", tenant="shop"}': 0.2,
    },
  },
];
