import { escapeHtml } from "../../drawing/page";

export type Mark = "good" | "problem" | "muted";

/** Text; with a mark it is a badge in its colour. */
export type Cell = string | { readonly text: string; readonly mark: Mark };

export interface TableArgs {
  /** For those who do not see what it is about. */
  readonly name: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Of sentences: where there is no room beside each other, each row is a block in which each cell says what it is. */
export function textTable({ name, heads, rows }: TableArgs): string {
  return `<table class="texts" aria-label="${escapeHtml(name)}">${content(heads, rows)}</table>`;
}

/** Of figures, which are to be compared down and across: where it does not fit, it is moved within its own box. */
export function figureTable({ name, heads, rows }: TableArgs): string {
  return `<div class="scroll" role="region" tabindex="0" aria-label="${escapeHtml(name)}"><table class="figures">${content(heads, rows)}</table></div>`;
}

function content(heads: readonly string[], rows: TableArgs["rows"]): string {
  const cell = (value: Cell, index: number) =>
    `<td data-name="${escapeHtml(heads[index] ?? "")}">${typeof value === "string" ? escapeHtml(value) : badge(value)}</td>`;
  return `<thead><tr>${heads.map((head) => `<th scope="col">${escapeHtml(head)}</th>`).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")}</tbody>`;
}

function badge({ text, mark }: Exclude<Cell, string>): string {
  return `<span class="badge ${mark}">${escapeHtml(text)}</span>`;
}
