import { CronExpressionParser } from "cron-parser";
import type { FunctionConfig } from "../../infra/config";
import type { Problem } from "../../infra/problems";

/** Windows in which there are more pods than min, at any moment of a run that takes at most so many seconds. */
export function prewarmProblems({ name, scaling }: FunctionConfig, now: Date, seconds: number): Problem[] {
  const end = new Date(now.getTime() + seconds * 1000);
  return scaling.prewarm.flatMap((window, index) => {
    const times = (cron: string) => CronExpressionParser.parse(cron, { tz: window.timezone, currentDate: now });
    const isOpen = times(window.start).prev().toDate() > times(window.end).prev().toDate();
    const opens = times(window.start).next().toDate();
    if (!isOpen && opens > end) return [];
    const when = isOpen
      ? `is open until ${times(window.end).next().toDate().toISOString()}`
      : `opens at ${opens.toISOString()}`;
    return [
      {
        path: `functions.${name}.scaling.prewarm[${index}]`,
        value: `${window.start} to ${window.end} (${window.timezone})`,
        limit: `${when}: there are ${window.replicas} pods then, whatever the load, and the surge begins and ends at min`,
        fix: "play it outside of that window, or without it: drop it, and make up",
      },
    ];
  });
}
