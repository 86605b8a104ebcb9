import type { PlanFigures } from "./figures";

/** A plan as a pull request's comment shows it; beside another one, with what that one had where the two differ. */
export function planMarkdown(plan: PlanFigures, against?: PlanFigures): string {
  const parts = [
    `### Plan of ${plan.stack}`,
    ...(against === undefined ? [figureTable(plan)] : [changesLine(plan, against), comparedTable(plan, against)]),
    ...warningParts(plan, against),
  ];
  return parts.join("\n\n");
}

function figureTable({ figures }: PlanFigures): string {
  return table(["figure", "planned"], Object.entries(figures));
}

/** Figures that the other plan alone has are told too: they are gone. */
function comparedTable(plan: PlanFigures, against: PlanFigures): string {
  const rows = namesOf(plan, against).map((name) => {
    const now = plan.figures[name] ?? "";
    const before = against.figures[name] ?? "";
    return now === before
      ? [name, now, ""]
      : [name, `**${now === "" ? "gone" : now}**`, before === "" ? "new" : before];
  });
  return table(["figure", "planned", "before"], rows);
}

function changesLine(plan: PlanFigures, against: PlanFigures): string {
  const names = namesOf(plan, against);
  const changed = names.filter((name) => plan.figures[name] !== against.figures[name]);
  return changed.length === 0
    ? `All ${names.length} figures are as before.`
    : `${changed.length} of ${names.length} figures changed.`;
}

function namesOf(plan: PlanFigures, against: PlanFigures): string[] {
  return [...new Set([...Object.keys(plan.figures), ...Object.keys(against.figures)])];
}

function warningParts({ warnings }: PlanFigures, against?: PlanFigures): string[] {
  if (warnings.length === 0) return [];
  const known = new Set(against?.warnings ?? []);
  const mark = (warning: string) => (against === undefined || known.has(warning) ? "" : "**new:** ");
  return ["Warnings:", warnings.map((warning) => `- ${mark(warning)}${escaped(warning)}`).join("\n")];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows.map((row) => row.map(escaped))]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** A stack's own names and values must not become markup, nor end a cell. */
function escaped(text: string): string {
  return text.replace(/[|<>`\[\]@]/g, (sign) => `&#${sign.codePointAt(0)};`).replace(/\s+/g, " ");
}
