import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planStack } from "../../infra/plan";
import { PALETTE } from "../../local/drawing/svg";
import { chartsOf } from "../../local/surge/report/charts";
import { renderReport } from "../../local/surge/report/page";
import { reportOf } from "../../local/surge/report/write";
import type { SurgeRun } from "../../local/surge/run";
import { CHROMIUM, lookAt, openBrowser, type Look, type Screen } from "../support/browser/browser";
import { CONFIG, goodRun, realRun, runOf } from "../unit/local/surge/support";

/** Of text to its background (WCAG 2.2, level AA), and of what is no text. */
const CONTRAST = { text: 4.5, graphics: 3 };
/** Pixels of the smallest text. */
const SMALLEST = 10;
const SCREENS: readonly Screen[] = (["light", "dark"] as const).flatMap((scheme) =>
  [1280, 768, 360].map((width) => ({ scheme, width })),
);

const plan = planStack(CONFIG);
const htmlOf = (run: SurgeRun) => renderReport(reportOf(run, CONFIG, plan));
const nodes = Array.from({ length: 10 }, (_, index) => `agent-${index + 1}`);
/** From a few milliseconds to seconds, as when thousands of pods come at once. */
const delays = Array.from({ length: 4990 }, (_, index) => 3 + (index / 40) ** 1.6);
const good = goodRun(100, { nodes, delays });
const long = "anameaslongasanameofkubernetesmaybewhichisof63charactersinalloh";
/** Everything that is shown only where something went wrong, and names of the greatest length. */
const bad = runOf(() => ({ ready: 2500 }), 40, {
  ...{ nodes, delays: [], unseen: 1234, ending: "no answer", stack: long },
  scenario: { ...good.scenario, fn: { ...good.scenario.fn, name: long } },
  troubles: [{ second: 4, reason: `connect ECONNREFUSED https://${long}.${long}.example.com:6443` }],
});

describe.skipIf(CHROMIUM === undefined)("the report of a surge in a browser", () => {
  const html = htmlOf(good);
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  describe.each(SCREENS)("in $scheme, $width pixels wide", (screen) => {
    let look: Look;
    beforeAll(async () => {
      look = await lookAt(browser, html, "surge", screen);
    });

    it("needs nothing but itself, and is no wider than the screen", () => {
      expect([look.errors, look.requests, look.pageOverflow, look.bursting]).toEqual([[], [], 0, []]);
    });

    it("begins with the verdict", () => {
      const [title, verdict, next] = look.headings;
      expect([title, verdict, next]).toEqual([
        "flash-sale on serverless-function",
        expect.stringMatching(/^Held: /),
        "Checks",
      ]);
    });

    it("can be read: size and contrast of every text", () => {
      expect(look.texts.length).toBeGreaterThan(200);
      expect(look.texts.filter(({ size }) => size < SMALLEST)).toEqual([]);
      expect(look.texts.filter(({ contrast }) => contrast < CONTRAST.text)).toEqual([]);
    });

    it("has every drawing once, with labels that are whole and apart", () => {
      expect(look.drawings.map(({ name }) => name)).toEqual(chartsOf(good).map(({ title }) => title));
      for (const { name, width, height, labels, clipped, overlapping } of look.drawings) {
        expect([name, clipped, overlapping]).toEqual([name, [], []]);
        expect([width > screen.width / 2, height > 100, labels > 5]).toEqual([true, true, true]);
      }
    });

    it("has drawings of the same scheme", () => {
      const isDark = screen.scheme === "dark";
      expect([look.ground < 0.05, look.pixels < 0.2]).toEqual([isDark, isDark]);
      expect([look.ground > 0.9, look.pixels > 0.9]).toEqual([!isDark, !isDark]);
    });

    it("has lines and bars that are told from what they are drawn on", () => {
      const far = PALETTE.filter((color) => contrast(luminance(color), look.ground) < CONTRAST.graphics);
      expect(far).toEqual([]);
    });
  });

  it("of real pods, beside the other, looks as well", async () => {
    const html = renderReport(reportOf(realRun({ nodes: ["wasm-node"], delays, starts: delays }), CONFIG, plan), [
      good,
    ]);
    for (const screen of [{ scheme: "dark", width: 360 } as const, { scheme: "light", width: 768 } as const]) {
      const look = await lookAt(browser, html, "surge-real", screen);
      expect([look.errors, look.requests, look.pageOverflow, look.bursting]).toEqual([[], [], 0, []]);
      expect(look.texts.filter(({ contrast, size }) => contrast < CONTRAST.text || size < SMALLEST)).toEqual([]);
      expect(look.drawings.flatMap(({ clipped, overlapping }) => [...clipped, ...overlapping])).toEqual([]);
    }
  });

  it("of a run that failed, with names as long as they may be, looks as well", async () => {
    for (const screen of [{ scheme: "light", width: 360 } as const, { scheme: "dark", width: 1280 } as const]) {
      const look = await lookAt(browser, htmlOf(bad), "surge-failed", screen);
      expect([look.errors, look.requests, look.pageOverflow, look.bursting]).toEqual([[], [], 0, []]);
      expect(look.texts.filter(({ contrast, size }) => contrast < CONTRAST.text || size < SMALLEST)).toEqual([]);
      expect(look.drawings.flatMap(({ clipped, overlapping }) => [...clipped, ...overlapping])).toEqual([]);
    }
  });
});

/** Of `#rrggbb`, as the page measures its own. */
function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
