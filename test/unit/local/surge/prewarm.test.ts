import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { prewarmProblems } from "../../../../local/surge/prewarm";
import { withFunction } from "../../infra/support";

const SALE = { start: "45 7 * * FRI", end: "0 12 * * FRI", timezone: "Europe/Berlin", replicas: 4000 };
const fn = parseConfig(withFunction({ scaling: { metric: "rps", prewarm: [SALE] } })).functions[0]!;
/** A Friday; Berlin is an hour ahead in winter. */
const at = (time: string) => new Date(`2026-11-27T${time}:00Z`);
const LIMIT = 1800;

describe("a window in which there are more pods than min", () => {
  it("is no matter while it is closed, and stays so until the surge is over", () => {
    expect(prewarmProblems(fn, at("06:10"), LIMIT)).toEqual([]);
    expect(prewarmProblems(fn, at("11:01"), LIMIT)).toEqual([]);
    expect(prewarmProblems({ ...fn, scaling: { ...fn.scaling, prewarm: [] } }, at("08:00"), LIMIT)).toEqual([]);
  });

  it.each([
    ["06:20", "opens at 2026-11-27T06:45:00.000Z"],
    ["08:00", "is open until 2026-11-27T11:00:00.000Z"],
  ])("stands in the way of a surge at %s: it %s", (time, when) => {
    expect(prewarmProblems(fn, at(time), LIMIT)).toEqual([
      {
        path: "functions.checkout.scaling.prewarm[0]",
        value: "45 7 * * FRI to 0 12 * * FRI (Europe/Berlin)",
        limit: `${when}: there are 4000 pods then, whatever the load, and the surge begins and ends at min`,
        fix: "play it outside of that window, or without it: drop it, and make up",
      },
    ]);
  });
});
