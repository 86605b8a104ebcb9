import { describe, expect, it } from "vitest";
import { planStack } from "../../../../../infra/plan";
import type { FaultRecord } from "../../../../../local/surge/faults/record";
import { chartsOf } from "../../../../../local/surge/report/charts";
import { faultMarks } from "../../../../../local/surge/report/faults";
import { renderReport } from "../../../../../local/surge/report/page";
import { reportOf } from "../../../../../local/surge/report/write";
import type { Sample, SurgeRun } from "../../../../../local/surge/run";
import { judge } from "../../../../../local/surge/verdict";
import { CONFIG, goodRun } from "../support";

const plan = planStack(CONFIG);
const LOST: FaultRecord = {
  fault: { kind: "lose-agents", at: 200_000, agents: 1, for: 60_000 },
  ...{ what: "agent-10 lost", began: 200, noticed: 222, ended: 260, troubles: [] },
};
const ROLLED: FaultRecord = {
  ...{ fault: { kind: "rollout", at: 280_000 }, what: "checkout rolls", began: 280, ended: 290, troubles: [] },
};

/** A good run in which 500 pods do not answer for so many seconds after the loss. */
function runWith(seconds: number, faults: readonly FaultRecord[] = [LOST, ROLLED]): SurgeRun {
  const good = goodRun(100, { faults });
  const samples = good.samples.map((sample) => ({
    ...{ ...sample, onNodes: [4500, 500] },
    ...(sample.second >= 200 && sample.second < 200 + seconds ? { answering: 4500 } : {}),
  }));
  return { ...good, samples };
}
const checkOf = (run: SurgeRun, what: string) => judge(run).checks.find((check) => check.what === what);
const htmlOf = (run: SurgeRun) => renderReport(reportOf(run, CONFIG, plan));

describe("the report of a run with faults", () => {
  const run = runWith(36);
  const html = htmlOf(run);
  const rows = [...html.matchAll(/<tr><td data-name="fault">[^]*?<\/tr>/g)].map(([row]) => row);

  it("has a row for each, with when the demand was met again and why not sooner", () => {
    expect(rows).toHaveLength(2);
    for (const text of ["1: agent-10 lost", "200 to 260 s", "500 pods missing", "36 s; given up after 22 s"]) {
      expect(rows[0]).toContain(text);
    }
    expect(rows[0]).toMatch(
      /class="badge problem">missed<.*nodeMonitorGracePeriod \(20s, .* 500 pods there .*: in 58\.3 to 81\.7 s\./,
    );
    expect(rows[1]).toMatch(/2: checkout rolls<.*>0 s<.*class="badge good">met<.*The demand was met all the time\./);
  });

  it("marks each where it was, in what is drawn over seconds", () => {
    expect(faultMarks(run)[0]!.markArea.data).toEqual([
      [{ name: "1", xAxis: 200 }, { xAxis: 260 }],
      [{ name: "2", xAxis: 280 }, { xAxis: 290 }],
    ]);
    const marked = chartsOf(run).filter(({ option }) => JSON.stringify(option("wide")).includes("markArea"));
    expect(marked.map(({ name }) => name)).toEqual(["load", "replicas"]);
    for (const { name } of marked) {
      const [, drawing] = new RegExp(`<article id="${name}">([^]*?)</article>`).exec(html)!;
      expect(drawing).toMatch(/<text[^>]*>1<\/text>/);
      expect(drawing).toMatch(/<text[^>]*>2<\/text>/);
    }
  });

  it("names those that begin together in one place", () => {
    const at = (began: number) => ({ ...ROLLED, began, ended: began + 5 });
    const names = faultMarks(runWith(36, [at(100), at(102), at(140), at(300)]))[0]!.markArea.data;
    expect(names.map(([{ name }]) => name)).toEqual(["1, 2, 3", "", "", "4"]);
  });

  it("counts its recovery among what was measured", () => {
    expect(html).toMatch(/recovery from a fault<.*1 of 2 within 10 s; all within 36 s/);
  });

  it("of one without says nothing of them", () => {
    const without = htmlOf(goodRun());
    expect(without).not.toContain("<h2>Faults</h2>");
    expect(faultMarks(goodRun())).toEqual([]);
    expect(judge(goodRun()).checks.some(({ what }) => what.includes("fault"))).toBe(false);
  });
});

describe("a run with faults", () => {
  it("is held to meeting the demand again, and tells how many did so in time", () => {
    const run = runWith(36);
    expect(checkOf(run, "demand is met again after each fault")).toMatchObject({
      ...{ found: "2 of 2, after 36 s at most", met: true, binding: true },
    });
    expect(checkOf(run, "demand is met again within 10 s")).toMatchObject({
      ...{ found: "1 of 2", met: false, binding: false },
    });
    expect(judge(run).met).toBe(true);
    const last = { ...LOST, began: run.samples.at(-1)!.second - 4, ended: undefined };
    const samples = run.samples.map((sample) =>
      sample.second >= last.began ? { ...sample, answering: 1, shed: 1 } : sample,
    );
    const never = { ...run, samples, faults: [last] };
    expect(checkOf(never, "demand is met again after each fault")).toMatchObject({ found: "0 of 1", met: false });
  });

  it("has failed where one could not be put back", () => {
    const run = runWith(36, [{ ...LOST, troubles: ["is not put back: no answer"] }]);
    expect(checkOf(run, "faults are done, and put back")).toMatchObject({
      ...{ found: "agent-10 lost is not put back: no answer", met: false, binding: true },
    });
    expect(judge(run).met).toBe(false);
  });

  it("may have more pods than max while they roll, and at no other time; and never wants more", () => {
    const with_ = (more: Partial<Sample>, faults: readonly FaultRecord[], at = 284) => {
      const run = runWith(0, faults);
      const samples = run.samples.map((sample) => (sample.second === at ? { ...sample, ...more } : sample));
      return checkOf({ ...run, samples }, "stays within max")!;
    };
    expect(with_({ pods: 6251 }, [ROLLED])).toMatchObject({
      ...{ met: true, found: "5,000 at most, and 6,251 pods while they rolled" },
    });
    const others = [
      with_({ pods: 5001 }, [ROLLED], 278),
      with_({ pods: 5001 }, [ROLLED], 292),
      with_({ pods: 5001 }, [LOST]),
    ];
    expect([...others, with_({ desired: 5001 }, [ROLLED])].map(({ met }) => met)).toEqual(Array(4).fill(false));
  });
});
