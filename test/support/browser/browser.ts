import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";

/** What distributions call it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const MEASURE = readFileSync(join(__dirname, "measure.js"), "utf8");
/** Where pictures are kept, for people. */
const PICTURES = resolve(__dirname, "../../../.local/looks");

/** The Chromium of this machine; undefined where there is none. */
export const CHROMIUM = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find(runs);

if (CHROMIUM === undefined) {
  process.stderr.write(
    `\nSKIPPED: how pages look in a browser, since there is none of ${NAMES.join(", ")}. Debian: apt-get install chromium\n`,
  );
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Text {
  readonly text: string;
  /** Pixels on the screen. */
  readonly size: number;
  /** To its background, from 1 to 21 (WCAG 2.2). */
  readonly contrast: number;
}

export interface Look {
  /** Pixels that the page is wider than the screen. */
  readonly pageOverflow: number;
  /** Headings and the verdict, in their order. */
  readonly headings: readonly string[];
  readonly texts: readonly Text[];
  readonly drawings: readonly {
    readonly name: string;
    readonly width: number;
    readonly height: number;
    readonly labels: number;
    readonly clipped: readonly string[];
    readonly overlapping: readonly string[];
  }[];
  /** Boxes that their content does not fit in. */
  readonly bursting: readonly string[];
  /** Luminance of what drawings stand on, from 0 to 1. */
  readonly ground: number;
  /** The same, of the picture's pixels: that of a drawing of lines, half of whose pixels are darker. */
  readonly pixels: number;
  /** What the browser said, and asked for beside the page. */
  readonly errors: readonly string[];
  readonly requests: readonly string[];
}

export interface Screen {
  readonly scheme: "light" | "dark";
  /** Pixels. */
  readonly width: number;
}

/** As root it has no sandbox. It needs no download of its own: playwright-core drives what Debian ships. */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM!, chromiumSandbox: false });
}

/** Shows a page of its own on a screen, keeps a picture of it and tells how it looks. */
export async function lookAt(browser: Browser, html: string, name: string, screen: Screen): Promise<Look> {
  const picture = join(PICTURES, `${name}-${screen.scheme}-${screen.width}`);
  mkdirSync(dirname(picture), { recursive: true });
  writeFileSync(`${picture}.html`, html);
  const page = await browser.newPage({
    viewport: { width: screen.width, height: 900 },
    colorScheme: screen.scheme,
  });
  try {
    const [errors, requests]: string[][] = [[], []];
    page.on("console", (message) => errors!.push(message.text()));
    page.on("pageerror", (error) => errors!.push(error.message));
    page.on("request", (request) => requests!.push(request.url()));
    await page.goto(`file://${picture}.html`);
    await page.screenshot({ path: `${picture}.png`, fullPage: true });
    const look = await page.evaluate<Omit<Look, "pixels" | "errors" | "requests">>(MEASURE);
    const drawing = await page.locator("svg:visible").first().screenshot();
    return {
      ...{ ...look, errors: errors!, requests: requests!.filter((url) => url !== `file://${picture}.html`) },
      pixels: await median(await browser.newPage(), drawing),
    };
  } finally {
    await page.close();
  }
}

/** The luminance that half of a picture's pixels are under. The browser reads it, for want of anything else that does. */
async function median(page: Page, png: Buffer): Promise<number> {
  try {
    return await page.evaluate<number>(`(async () => {
      const image = await createImageBitmap(await (await fetch("data:image/png;base64,${png.toString("base64")}")).blob());
      const drawn = new OffscreenCanvas(image.width, image.height).getContext("2d");
      drawn.drawImage(image, 0, 0);
      const { data } = drawn.getImageData(0, 0, image.width, image.height);
      const values = [];
      for (let at = 0; at < data.length; at += 4) values.push((data[at] + data[at + 1] + data[at + 2]) / 765);
      return values.sort((a, b) => a - b)[values.length >> 1];
    })()`);
  } finally {
    await page.close();
  }
}
