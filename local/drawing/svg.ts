import * as echarts from "echarts";
import { escapeHtml } from "./page";

/** Colours of lines, that are told apart on light and on dark. */
const PALETTE = [
  ...["#3b82f6", "#f59e0b", "#10b981", "#a855f7", "#ef4444"],
  ...["#06b6d4", "#ec4899", "#84cc16", "#f97316", "#64748b"],
];

/** The page sets these, by what the reader prefers. */
export const TEXT = "var(--muted)";
export const GRID = "var(--line)";

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
