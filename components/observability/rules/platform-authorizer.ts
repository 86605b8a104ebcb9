import { share } from "./promql";
import type { RulesArgs, Topic } from "./types";

const JOB = 'job="authorizer"';
const DECISIONS = "authorizer_decision_duration_seconds";

/** What is asked before each request. */
export function authorizerTopic({ authorization }: RulesArgs): Topic {
  const rate = "authorizer:decisions:rate5m";
  const denied = `(sum(${rate}{status=~"401|403|429"}) or sum(${rate}) * 0)`;
  const failures = `sum(rate(authorizer_failures_total{${JOB}}[5m]))`;
  return {
    name: "authorizer",
    recordings: [
      { record: rate, expr: `sum by (status) (rate(${DECISIONS}_count{${JOB}}[5m]))` },
      {
        record: "authorizer:latency_seconds:p99_5m",
        expr: `histogram_quantile(0.99, sum by (le) (rate(${DECISIONS}_bucket{${JOB}}[5m]))) >= 0`,
      },
      { record: "authorizer:denials:ratio_rate5m", expr: share(denied, `sum(${rate})`) },
      {
        record: "authorizer:failures:ratio_rate5m",
        // Without the issuer's keys it answers 503.
        expr: share(`(${failures} + (sum(${rate}{status="503"}) or ${failures} * 0))`, `(sum(${rate}) + ${failures})`),
      },
    ],
    alerts: [
      {
        alert: "AuthorizerDenials",
        // A share, so that a flash sale is none; against its own day, so that a client that is always refused is none.
        expr:
          "authorizer:denials:ratio_rate5m > 0.05 and authorizer:denials:ratio_rate5m > 3 * avg_over_time(authorizer:denials:ratio_rate5m[1d] offset 15m) " +
          `and sum(${rate}) > 1`,
        for: "5m",
        severity: "ticket",
        summary: "Far more requests are refused than usual",
        description:
          "{{ $value | humanizePercentage }} of the requests of the last 5m were answered with 401, 403 or 429, more than three times the average of the day before.",
      },
      {
        alert: "AuthorizerFailing",
        expr: "authorizer:failures:ratio_rate5m > 0.001",
        for: "3m",
        severity: "page",
        summary: "The authorizer fails, and lets nobody in",
        description:
          "{{ $value | humanizePercentage }} of the authorizer's answers of the last 5m were 500 (it failed) or 503 (it has no keys of the issuer).",
      },
      ...(authorization.budgets.kind === "shared"
        ? [
            {
              alert: "AuthorizerStoreDown",
              expr: `count(authorizer_store_up{${JOB}} == 0)`,
              for: "2m",
              severity: "ticket",
              summary: "The store of clients' budgets does not answer",
              description:
                "Replicas of the authorizer that do not reach the store of budgets: {{ $value }}. Each allows clients its own part of them meanwhile.",
            } as const,
          ]
        : []),
    ],
  };
}
