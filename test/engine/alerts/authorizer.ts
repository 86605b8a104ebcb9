import { from, type AlertCases } from "./case";

const decisions = (status: string, values: string) =>
  from("authorizer", { [`authorizer_decision_duration_seconds_count{status="${status}"}`]: values });
const failures = (perMinute: number) => from("authorizer", { authorizer_failures_total: `0+${perMinute}x60` });

export const authorizer: AlertCases = {
  AuthorizerDenials: {
    fires: [
      {
        when: "a fifth is refused after a day with one in a hundred",
        series: { ...decisions("200", "0+990x1440 1425600+800x60"), ...decisions("429", "0+10x1440 14400+200x60") },
        at: "1460m",
        evaluated: "2m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Far more requests are refused than usual",
            description:
              "20% of the requests of the last 5m were answered with 401, 403 or 429, more than three times the average of the day before.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "ten times the load comes with the same share refused",
        series: { ...decisions("200", "0+900x120 108000+9000x60"), ...decisions("401", "0+100x120 12000+1000x60") },
        at: "150m",
      },
      {
        when: "twice the share of the time before is refused",
        series: { ...decisions("200", "0+900x120 108000+800x60"), ...decisions("401", "0+100x120 12000+200x60") },
        at: "150m",
      },
      {
        when: "there is no day before",
        series: { ...decisions("200", "0+800x60"), ...decisions("403", "0+200x60") },
        at: "12m",
      },
      {
        when: "ten requests in a minute are half refused after a quiet day",
        series: { ...decisions("200", "0+10x120 1200+5x60"), ...decisions("403", "0x120 0+5x60") },
        at: "150m",
      },
    ],
  },
  AuthorizerFailing: {
    fires: [
      {
        when: "one in a hundred questions is answered 500",
        series: { ...decisions("200", "0+990x60"), ...failures(10) },
        at: "10m",
        alerts: [
          {
            labels: { severity: "page" },
            summary: "The authorizer fails, and lets nobody in",
            description:
              "1% of the authorizer's answers of the last 5m were 500 (it failed) or 503 (it has no keys of the issuer).",
          },
        ],
      },
      {
        when: "it has no keys",
        series: { ...decisions("200", "0+900x60"), ...decisions("503", "0+100x60"), ...failures(0) },
        at: "10m",
        alerts: [
          {
            labels: { severity: "page" },
            summary: "The authorizer fails, and lets nobody in",
            description:
              "10% of the authorizer's answers of the last 5m were 500 (it failed) or 503 (it has no keys of the issuer).",
          },
        ],
      },
    ],
    silent: [
      {
        when: "many are refused",
        series: { ...decisions("200", "0+500x60"), ...decisions("401", "0+500x60"), ...failures(0) },
        at: "10m",
      },
      {
        when: "one in two thousand is answered 500",
        series: { ...decisions("200", "0+1999x60"), ...failures(1) },
        at: "10m",
      },
      { when: "nobody asks", series: { ...decisions("200", "5x60"), ...failures(0) }, at: "10m" },
    ],
  },
  AuthorizerStoreDown: {
    fires: [
      {
        when: "one replica does not reach it",
        series: from("authorizer", {
          'authorizer_store_up{pod="a"}': "1 0x20",
          'authorizer_store_up{pod="b"}': "1x20",
        }),
        at: "5m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "The store of clients' budgets does not answer",
            description:
              "Replicas of the authorizer that do not reach the store of budgets: 1. Each allows clients its own part of them meanwhile.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "the store starts again",
        series: from("authorizer", { 'authorizer_store_up{pod="a"}': "1 0 1x20" }),
        at: "1m",
      },
      {
        when: "budgets are divided, so that there is no store",
        stack: "plain",
        series: from("authorizer", { 'authorizer_store_up{pod="a"}': "0x20" }),
        at: "5m",
      },
    ],
  },
};
