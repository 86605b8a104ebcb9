import * as echarts from "echarts";
import { escapeHtml } from "./page";

/** Colours of lines and bars: each has a contrast of 3 or more to the boxes of both schemes (WCAG 2.2, 1.4.11). */
export const PALETTE = [
  ...["#3b82f6", "#d97706", "#059669", "#a855f7", "#ef4444"],
  ...["#0891b2", "#ec4899", "#65a30d", "#ea580c", "#64748b"],
] as const;

/** The page sets these, by what the reader prefers. */
export const TEXT = "var(--muted)";
export const GRID = "var(--line)";
export const BOX = "var(--box)";

export function colorOf(index: number): string {
  return PALETTE[index % PALETTE.length]!;
}

export interface Drawing {
  readonly title: string;
  /** Pixels of the drawing's own; a page shows it as wide as there is room. */
  readonly width: number;
  readonly height: number;
  readonly option: echarts.EChartsOption;
}

/** A chart as SVG, to stand in a page. */
export function renderSvg({ title, width, height, option }: Drawing): string {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({ ...option, animation: false });
    return embedded(title, chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

/** Without the attributes of a file of its own, and the styles of a pointer that would be over it. */
function embedded(title: string, text: string): string {
  const [, box = ""] = /viewBox="([^"]+)"/.exec(text) ?? [];
  return text
    .replace(/^<svg [^>]*>/, `<svg role="img" aria-label="${escapeHtml(title)}" viewBox="${box}">`)
    .replace(/<style ?>[^]*?<\/style>/g, "")
    .replace(/ (?:class|ecmeta_\w+|pointer-events)="[^"]*"/g, "")
    .replace(/\n+/g, "\n");
}
