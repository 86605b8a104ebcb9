import type { StackName } from "../../support/rule-stacks";

/** Series by name and labels, as promtool writes them; values from time 0 on: `0+60x30` is 31 values, each 60 more. */
export type Series = Readonly<Record<string, string>>;

interface Situation {
  /** What has happened, as the end of "fires when" or "is silent when". */
  readonly when: string;
  readonly series: Series;
  /** When it is looked at. */
  readonly at: string;
  /** Default: the one that has all. */
  readonly stack?: StackName;
  /** Between two values of a series. Default: a minute. */
  readonly every?: string;
  /** Between two evaluations. Default: the same. */
  readonly evaluated?: string;
}

export interface Firing {
  /** All but the alert's name. */
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly description: string;
}

/** By the alert's name: situations that it has to fire in, exactly so often, and some in which it must not. */
export type AlertCases = Readonly<
  Record<
    string,
    {
      readonly fires: readonly (Situation & { readonly alerts: readonly Firing[] })[];
      readonly silent: readonly Situation[];
    }
  >
>;

/** Adds the job to each. */
export function from(job: string, series: Series): Series {
  return Object.fromEntries(
    Object.entries(series).map(([name, values]) => [
      name.includes("{") ? name.replace("{", `{job="${job}",`) : `${name}{job="${job}"}`,
      values,
    ]),
  );
}

/** What Traefik says of requests by a route that leads to a function alone, as Prometheus keeps it. */
export function routed(values: string, of: Readonly<Record<string, string>> = {}): Series {
  return gatewaySeries("traefik_router_requests_total", values, { router: "checkout-d20b00@file", ...of });
}

/** Of these, those that took no longer than so many seconds. */
export function routedWithin(le: string, values: string, of: Readonly<Record<string, string>> = {}): Series {
  const labels = { router: "checkout-d20b00@file", le, ...of };
  return gatewaySeries("traefik_router_request_duration_seconds_bucket", values, labels);
}

/** What it says of its attempts at a function's pods. */
export function attempted(values: string, of: Readonly<Record<string, string>> = {}): Series {
  return gatewaySeries("traefik_service_requests_total", values, of);
}

export function attemptedWithin(le: string, values: string, of: Readonly<Record<string, string>> = {}): Series {
  return gatewaySeries("traefik_service_request_duration_seconds_bucket", values, { le, ...of });
}

function gatewaySeries(name: string, values: string, of: Readonly<Record<string, string>>): Series {
  const labels = { function: "checkout", tenant: "shop", code: "200", method: "GET", pod: "a", ...of };
  const service = `${labels.function}@file`;
  const text = Object.entries({ service, ...labels }).map(([label, value]) => `${label}="${value}"`);
  return from("gateway", { [`${name}{${text.join(",")}}`]: values });
}
