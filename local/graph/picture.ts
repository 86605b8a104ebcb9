import { COLORS, escapeHtml } from "../drawing/page";
import { columnsOf, headerOf, TEXT, widthOf, type Arrow, type Placed } from "./layout";
import { countOf, type Box } from "./model";

const MARGIN = 24;
const TITLE = { size: 20, height: 40 };
const LEGEND = { height: 56, sample: 34 };

/** The picture as a file of its own, light or dark as its reader prefers, without anything that would be loaded. */
export function renderPicture(stack: Placed): string {
  const legend = legendItems();
  const width = Math.ceil(Math.max(stack.width, legend.width)) + 2 * MARGIN;
  const height = Math.ceil(TITLE.height + stack.height + LEGEND.height) + 2 * MARGIN;
  const title = `Stack ${stack.box.name}: ${describe(stack.box)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${escapeHtml(title)}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>${escapeHtml(title)}</title>
<style>${COLORS}${STYLE}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>
<rect class="back" width="${width}" height="${height}"/>
<text class="title" x="${MARGIN + TEXT.padding}" y="${MARGIN + TITLE.size}">${escapeHtml(title)}</text>
<g transform="translate(${MARGIN} ${MARGIN + TITLE.height})">
${[...groupsOf(stack), contentOf(stack)].join("\n")}
</g>
<g class="legend" transform="translate(${MARGIN + TEXT.padding} ${height - MARGIN - LEGEND.height / 2})">
${legend.svg}
</g>
</svg>
`;
}

/** Arrows last, so that no box hides one. */
function contentOf({ boxes, arrows }: Placed): string {
  return [...boxes.map(boxOf), ...arrows.map(arrowOf)].join("\n");
}

function boxOf(placed: Placed): string {
  const { box, x, y, width, height, boxes } = placed;
  const left = round(x + TEXT.padding);
  const name = `${box.kind} ${box.name}`;
  const lines = [
    `<g class="${box.provider ? "provider" : "component"}" data-id="${escapeHtml(box.id)}">`,
    `<title>${escapeHtml(`${name}: ${describe(box)}`)}</title>`,
    `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="6"/>`,
    `<text class="kind" x="${left}" y="${round(y + 20)}">${escapeHtml(box.kind)}</text>`,
    `<text class="name" x="${left}" y="${round(y + 36)}">${escapeHtml(box.name)}</text>`,
    ...groupsOf(placed),
    ...(boxes.length > 0 ? [contentOf(placed)] : []),
    "</g>",
  ];
  return lines.join("\n");
}

function groupsOf({ box, x, y }: Placed): string[] {
  let left = x + TEXT.padding;
  return columnsOf(box.groups).flatMap(({ labels, width }) => {
    const at = round(left);
    left += width + TEXT.gap;
    return labels.map((label, row) => {
      const base = round(y + headerOf(box) + TEXT.size + row * TEXT.line);
      return `<text class="group" x="${at}" y="${base}">${escapeHtml(label)}</text>`;
    });
  });
}

function arrowOf({ from, to, points }: Arrow): string {
  const line = points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
  return `<path class="arrow" data-from="${escapeHtml(from)}" data-to="${escapeHtml(to)}" d="${line}" marker-end="url(#head)"/>`;
}

/** `7 resources`, or `188 resources, of which 19 components`. */
function describe(box: Box): string {
  const count = countOf(box);
  const inner = componentsIn(box);
  return `${count} resource${count === 1 ? "" : "s"}${inner === 0 ? "" : `, of which ${inner} component${inner === 1 ? "" : "s"}`}`;
}

function componentsIn({ boxes }: Box): number {
  return boxes.reduce((sum, box) => sum + componentsIn(box) + (box.provider ? 0 : 1), 0);
}

/** What each mark means, side by side. */
function legendItems(): { readonly svg: string; readonly width: number } {
  const { sample } = LEGEND;
  const box = (kind: string) => `<g class="${kind}"><rect x="0" y="-8" width="${sample}" height="16" rx="4"/></g>`;
  const items = [
    { mark: box("component"), room: sample, text: "a component, and what it is made of" },
    { mark: box("provider"), room: sample, text: "a provider" },
    { mark: `<text class="group" x="0" y="4">Kind ×3</text>`, room: 52, text: "three resources of a kind" },
    {
      mark: `<path class="arrow" d="M0 0L${sample} 0" marker-end="url(#head)"/>`,
      room: sample,
      text: "needs; what follows from other arrows is left out",
    },
  ];
  let width = 0;
  const svg = items.map(({ mark, room, text }) => {
    const at = round(width);
    width += room + 8 + widthOf(text, TEXT.size) + 28;
    return `<g transform="translate(${at} 0)">${mark}<text class="name" x="${room + 8}" y="4">${text}</text></g>`;
  });
  return { svg: svg.join("\n"), width };
}

/** Tenths of a pixel are enough. */
function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}

const STYLE = `
text{font:${TEXT.size}px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:var(--text)}
.title{font-size:${TITLE.size}px;font-weight:600}.kind{font-size:${TEXT.head}px;font-weight:600}.name{fill:var(--muted)}
.back{fill:var(--back)}rect{fill:var(--box);stroke:var(--muted);stroke-opacity:.5}.back{stroke:none}
.component>.component>rect{fill:var(--back)}.provider rect{stroke-opacity:1;stroke-dasharray:5 4}
.arrow{fill:none;stroke:var(--muted);stroke-width:1.4}.head{fill:var(--muted)}
`;
