import { formatCount } from "../../../infra/plan/numbers";
import { formatDuration, formatPercent } from "../../../infra/units";
import { hoursOf } from "../cost";
import { quantile } from "../pods";
import type { SurgeRun } from "../run";
import { most, secondsToMin, secondsToReady } from "../verdict";
import { millisOf, spanOf } from "./words";

/** What is read first: a figure, with what it is held against. */
export interface KeyFigure {
  readonly name: string;
  readonly value: string;
  readonly beside: string;
}

export function keyFigures(run: SurgeRun): KeyFigure[] {
  const { samples, expected, scenario, delays } = run;
  const { min } = scenario.fn.scaling;
  const p99 = quantile(delays, 0.99);
  const latency = run.client?.phases["scaled out"];
  return [
    {
      name: "ready at most",
      value: formatCount(most(samples, ({ ready }) => ready)),
      beside: `the plan says ${formatCount(expected.goal)}`,
    },
    {
      name: `to ${formatCount(expected.enough)} ready`,
      value: spanOrNone(secondsToReady(run, expected.enough)),
      beside: expected.scaleOut === undefined ? "no prediction" : `the plan says ${spanOf(expected.scaleOut.seconds)}`,
    },
    {
      name: `back to ${min}`,
      value: spanOrNone(secondsToMin(run)),
      beside: `allowed in ${spanOf(expected.secondsToMin)}`,
    },
    {
      name: "requests shed",
      value: shedShare(run),
      beside: run.kind === "real" ? "counted by the client" : "reckoned: none is sent",
    },
    {
      name: "scheduling delay P99",
      value: p99 === undefined ? "–" : `${(p99 / 1000).toFixed(2)} s`,
      beside: `of ${formatCount(delays.length)} pods`,
    },
    ...(run.client === undefined
      ? []
      : [
          {
            name: "latency P99, scaled out",
            value: latency === undefined ? "–" : millisOf(latency.p99),
            beside: `the aim is ${formatDuration(scenario.fn.objectives.p99)}`,
          },
        ]),
  ];
}

/** Of all requests of the run. */
export function shedShare({ samples }: SurgeRun): string {
  const [shed, all] = [hoursOf(samples, (sample) => sample.shed), hoursOf(samples, ({ load }) => load)];
  return formatPercent(all === 0 ? 0 : Number((shed / all).toFixed(4)));
}

function spanOrNone(seconds: number | undefined): string {
  return seconds === undefined ? "not reached" : spanOf(seconds);
}
