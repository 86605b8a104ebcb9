import ELK, { type ElkNode } from "elkjs";
import type { Box, Group } from "./model";

/** A box with its place in the picture, and the arrows between the boxes in it. All numbers are pixels. */
export interface Placed extends Place {
  readonly box: Box;
  readonly boxes: readonly Placed[];
  readonly arrows: readonly Arrow[];
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly points: readonly Point[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** What a box's text takes: its kind and its name above, then a line for each group, in columns. */
export const TEXT = { head: 14, size: 12, line: 17, padding: 12, header: 46, gap: 18, rows: 18 };

/** ELK's options: https://eclipse.dev/elk/reference/options.html. What others need is below them. */
const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.randomSeed": "1",
  "elk.spacing.nodeNode": "20",
  "elk.spacing.edgeNode": "16",
  "elk.spacing.edgeEdge": "12",
  "elk.layered.spacing.nodeNodeBetweenLayers": "44",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
};

/** Where everything is drawn: boxes in layers, each above those that it needs. */
export async function layOut(stack: Box): Promise<Placed> {
  const laid = await new ELK().layout(nodeOf(stack));
  return placed(stack, laid, { x: 0, y: 0 });
}

function nodeOf(box: Box): ElkNode {
  const { width, height } = textSize(box);
  const { padding } = TEXT;
  if (box.boxes.length === 0) return { id: box.id, width, height };
  return {
    id: box.id,
    layoutOptions: {
      ...OPTIONS,
      "elk.padding": `[top=${height},left=${padding},bottom=${padding},right=${padding}]`,
      "elk.nodeSize.constraints": "MINIMUM_SIZE",
      "elk.nodeSize.minimum": `(${width},${height})`,
    },
    children: box.boxes.map(nodeOf),
    edges: box.edges.map(({ from, to }) => ({ id: `${from} ${to}`, sources: [from], targets: [to] })),
  };
}

/** ELK tells places relative to the box around. */
function placed(box: Box, node: ElkNode, around: Point): Placed {
  const { x = 0, y = 0, width = 0, height = 0, children = [], edges = [] } = node;
  const at = { x: around.x + x, y: around.y + y };
  const nodes = new Map(children.map((child) => [child.id, child]));
  return {
    ...{ box, ...at, width, height },
    boxes: box.boxes.map((inner) => placed(inner, nodes.get(inner.id)!, at)),
    arrows: edges.map(({ sources, targets, sections = [] }) => ({
      from: sources[0]!,
      to: targets[0]!,
      points: sections.flatMap(({ startPoint, bendPoints = [], endPoint }) =>
        [startPoint, ...bendPoints, endPoint].map((point) => ({ x: at.x + point.x, y: at.y + point.y })),
      ),
    })),
  };
}

export function labelOf({ kind, count }: Group): string {
  return count === 1 ? kind : `${kind} ×${count}`;
}

/** The groups in columns as high as each other, and how wide each is. */
export function columnsOf(groups: readonly Group[]): { readonly labels: readonly string[]; readonly width: number }[] {
  const labels = groups.map(labelOf);
  const columns = Math.ceil(labels.length / TEXT.rows);
  const rows = Math.ceil(labels.length / columns);
  return Array.from({ length: columns }, (_, column) => {
    const own = labels.slice(column * rows, (column + 1) * rows);
    return { labels: own, width: Math.max(...own.map((label) => widthOf(label, TEXT.size))) };
  });
}

/** Pixels above a box's groups. The stack's own name is the picture's title. */
export function headerOf({ id }: Box): number {
  return id === "" ? 0 : TEXT.header;
}

function textSize(box: Box): { readonly width: number; readonly height: number } {
  const { kind, name, groups } = box;
  const columns = columnsOf(groups);
  const rows = Math.max(0, ...columns.map(({ labels }) => labels.length));
  const header = Math.max(widthOf(kind, TEXT.head) * BOLD, widthOf(name, TEXT.size));
  const body = columns.reduce((sum, { width }) => sum + width + TEXT.gap, -TEXT.gap);
  return {
    width: Math.ceil(Math.max(header, body)) + 2 * TEXT.padding,
    height: headerOf(box) + (rows === 0 ? 0 : rows * TEXT.line + TEXT.padding),
  };
}

/** How much wider bold letters are. */
const BOLD = 1.15;

/**
 * About what a text takes in the reader's own sans-serif font, rather too much: in hundredths of its size, letters of
 * DejaVu Sans, the widest of the usual ones.
 */
export function widthOf(text: string, size: number): number {
  const hundredths = Array.from(text, (letter) => {
    if (/[fijlrtI.,:;'|!()[\] -]/.test(letter)) return 38;
    if (/[mwMW@%]/.test(letter)) return 92;
    return /[A-Z0-9×]/.test(letter) ? 72 : 60;
  });
  return (hundredths.reduce((sum, one) => sum + one, 0) * size) / 100;
}
