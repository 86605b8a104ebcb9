import { attempted, from, routed, routedWithin, type AlertCases, type Firing, type Series } from "./case";

/** The usual windows, with what their alerts say besides. */
const WINDOWS = [
  { factor: 14.4, long: "1h", short: "5m", severity: "page", gone: "2d2h" },
  { factor: 6, long: "6h", short: "30m", severity: "page", gone: "5d" },
  { factor: 3, long: "1d", short: "2h", severity: "ticket", gone: "10d" },
  { factor: 1, long: "3d", short: "6h", severity: "ticket", gone: "30d" },
] as const;

type Kind = "availability" | "p99" | "p999";

const KINDS: Readonly<Record<Kind, { alert: string; budget: number; broken: string }>> = {
  availability: { alert: "AvailabilityBudgetBurn", budget: 0.0001, broken: "were answered with 5xx" },
  p99: { alert: "LatencyP99BudgetBurn", budget: 0.01, broken: "took longer than the objective of P99" },
  p999: { alert: "LatencyP999BudgetBurn", budget: 0.001, broken: "took longer than the objective of P99.9" },
};

/** So many in 15 seconds, that the smallest share of them is a whole number. */
const REQUESTS = 10_000_000;

/** Requests of which a share breaks the objective all the time. */
function constantly(kind: Kind, share: number, requests = REQUESTS, count = 400): Series {
  return requested(
    kind,
    `0+${requests}x${count}`,
    `0+${Math.round(requests * share)}x${count}`,
    `0+${requests - Math.round(requests * share)}x${count}`,
  );
}

function requested(kind: Kind, all: string, broken: string, rest: string): Series {
  if (kind === "availability") return { ...routed(rest), ...routed(broken, { code: "503" }) };
  return {
    ...routed(all),
    ...routedWithin(kind === "p99" ? "0.02" : "0.05", rest),
    ...routedWithin("+Inf", all),
  };
}

/** So many of each kind in 15 seconds. */
function refusals(count: number): Series {
  return Object.assign({}, ...["401", "403", "429"].map((code) => routed(`0+${count}x400`, { code }))) as Series;
}

/** What those windows say whose factor is below this one, as long as all that is known is of so long. */
function burning(kind: Kind, factor: number): Firing[] {
  const { budget, broken } = KINDS[kind];
  const percent = `${Number((factor * budget * 100).toPrecision(4))}%`;
  return WINDOWS.filter((window) => window.factor < factor).map(({ factor: of, long, short, severity, gone }) => ({
    labels: { severity, window: long, objective: kind, function: "checkout", tenant: "shop" },
    summary: `checkout burns its error budget (${kind}) at ${of} times the rate that it lasts at`,
    description:
      `Over ${long}, ${percent} of the requests to shop/checkout ${broken}, and over ${short} it was no better. ` +
      `At ${of} times its rate the budget of 30d is gone in ${gone}.`,
  }));
}

const rounded = (factor: number) => Number(factor.toFixed(6));

/** A tenth above each factor its windows fire, a tenth below they do not; the others by their own. */
function ladder(kind: Kind) {
  return WINDOWS.flatMap(({ factor }) =>
    [1.1, 0.9]
      .map((times) => rounded(factor * times))
      .filter((burn) => burning(kind, burn).length > 0)
      .map((burn) => ({
        when: `the budget burns at ${burn} times its rate`,
        series: constantly(kind, burn * KINDS[kind].budget),
        at: "10m",
        every: "15s",
        alerts: burning(kind, burn),
      })),
  );
}

function silence(kind: Kind) {
  const { budget } = KINDS[kind];
  return [
    {
      when: "the budget burns just as fast as it may",
      series: constantly(kind, budget * 0.9),
      at: "10m",
      every: "15s",
    },
    { when: "there are no requests", series: requested(kind, "7x400", "3x400", "4x400"), at: "10m", every: "15s" },
    {
      when: "a single one of few requests is broken",
      series: requested(kind, "0+1x400", "0x20 1x380", "0+1x20 20+1x380"),
      at: "10m",
      every: "15s",
    },
  ];
}

export const objectives: AlertCases = {
  [KINDS.availability.alert]: {
    fires: [
      ...ladder("availability"),
      {
        when: "an outage of a minute is over for ten: the windows that have it in both see it",
        series: requested("availability", "", "0x80 0+1000x4 4000x300", "0+1000x80 80000x4 81000+1000x300"),
        at: "31m",
        every: "15s",
        // Of what was recorded: all 31 minutes, and averages of steps that begin with the first.
        alerts: burning("availability", 14).map((one, index) => ({
          ...one,
          description: one.description.replace("0.14%", index === 0 ? "2.893%" : "2.993%"),
        })),
      },
      {
        when: "the windows are those of a test that has minutes",
        stack: "scaled",
        series: constantly("availability", 0.0011),
        at: "2m",
        every: "5s",
        alerts: [
          {
            labels: { severity: "page", window: "1m", objective: "availability", function: "checkout", tenant: "shop" },
            summary: "checkout burns its error budget (availability) at 10 times the rate that it lasts at",
            description:
              "Over 1m, 0.11% of the requests to shop/checkout were answered with 5xx, and over 20s it was no better. At 10 times its rate the budget of 10m is gone in 1m.",
          },
        ],
      },
      {
        when: "no pod is there to try, so that no attempt is counted",
        series: routed("0+1000x400", { code: "503" }),
        at: "10m",
        every: "15s",
        alerts: burning("availability", 10_000),
      },
      {
        when: "a hundredth of what is not refused fails, among many that are",
        series: { ...refusals(90_000), ...routed("0+990x400"), ...routed("0+10x400", { code: "500" }) },
        at: "10m",
        every: "15s",
        alerts: burning("availability", 100),
      },
      {
        when: "the authorizer cannot judge, so that clients get its 500",
        series: { ...routed("0+990x400"), ...attempted("0+990x400"), ...routed("0+10x400", { code: "500" }) },
        at: "10m",
        every: "15s",
        alerts: burning("availability", 100),
      },
      {
        when: "attempts fail at a function that a route is split to",
        stack: "split",
        // Its own route's requests are among the attempts.
        series: { ...routed("0+500x400"), ...attempted("0+990x400"), ...attempted("0+10x400", { code: "502" }) },
        at: "10m",
        every: "15s",
        alerts: burning("availability", 100),
      },
      {
        when: "Kong's answers fail",
        stack: "kong",
        series: from("gateway", {
          'kong_http_requests_total{route="checkout-d20b00",code="200",source="service"}': "0+900x400",
          'kong_http_requests_total{route="checkout-d20b00",code="403",source="kong"}': "0+9000x400",
          'kong_http_requests_total{route="checkout-d20b00",code="502",source="kong"}': "0+100x400",
        }),
        at: "10m",
        every: "15s",
        alerts: burning("availability", 1000),
      },
      {
        when: "gateways are rolled, so that counters start anew",
        series: { ...routed("0+990x20 0+990x400"), ...routed("0+10x20 0+10x400", { code: "500" }) },
        at: "10m",
        every: "15s",
        alerts: burning("availability", 100),
      },
    ],
    silent: [
      ...silence("availability"),
      {
        when: "a tenth less burns in windows of a test",
        stack: "scaled",
        series: constantly("availability", 0.0009),
        at: "2m",
        every: "5s",
      },
      {
        when: "gateways without errors are rolled",
        series: { ...routed("1000+990x20 0+990x400"), ...routed("500x20 0x400", { code: "500" }) },
        at: "10m",
        every: "15s",
      },
      {
        when: "all are refused, and a good one comes now and then",
        series: { ...refusals(9000), ...routed("0+1x400") },
        at: "10m",
        every: "15s",
      },
      {
        when: "attempts fail and clients get 200 after another one",
        series: { ...routed("0+1000x400"), ...attempted("0+1000x400"), ...attempted("0+500x400", { code: "502" }) },
        at: "10m",
        every: "15s",
      },
      {
        when: "a function has only the requests of a split route, which say nothing of whose they are",
        stack: "split",
        series: from("gateway", {
          'traefik_router_requests_total{router="split-b31a1c@file",service="split-split-b31a1c@file",code="503"}':
            "0+1000x400",
        }),
        at: "10m",
        every: "15s",
      },
    ],
  },
  [KINDS.p99.alert]: {
    fires: ladder("p99"),
    silent: [
      ...silence("p99"),
      {
        when: "what is slow is refused",
        series: {
          ...constantly("p99", 0),
          ...routed(`0+${REQUESTS}x400`, { code: "403" }),
          ...routedWithin("0.02", "0x400", { code: "403" }),
          ...routedWithin("+Inf", `0+${REQUESTS}x400`, { code: "403" }),
        },
        at: "10m",
        every: "15s",
      },
    ],
  },
  [KINDS.p999.alert]: {
    fires: ladder("p999"),
    silent: silence("p999"),
  },
};
