import {
  CustomVariableBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
  type VariableModel,
} from "@grafana/grafana-foundation-sdk/dashboard";
import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import { formatDuration, type Millis } from "../../../infra/units";
import { DATA_SOURCES, type DataSourceKind, type PlacedPanel } from "./panels";

/** Columns of Grafana's grid. */
export const GRID_COLUMNS = 24;
/** All of the stack's dashboards have it, and are linked by it. */
const TAG = "wasm-functions";
/** Values of a variable that stands for all: any value at all. */
export const ANY = ".+";

/** Panels side by side, each as wide as the others: 1, 2, 3, 4 or 6 of them. */
export type Line = readonly PlacedPanel[];

export interface Section {
  readonly title: string;
  readonly lines: readonly Line[];
}

export interface Board {
  /** Stays for good: links and bookmarks go by it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables?: readonly Builder<VariableModel>[];
  readonly sections: readonly Section[];
}

/** A dashboard as Grafana reads it from a file. */
export type DashboardModel = ReturnType<ReturnType<typeof classic>["build"]>;

/** The SDK would rather have version 2, which Grafana takes by its API and from no file; the classic model it takes from both. */
function classic(title: string) {
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return new DashboardBuilder(title);
}

/**
 * A dashboard of these sections, one below the other. Ids of panels come by their order, so that the same config makes the
 * same text; it is read-only, since what is changed in Grafana alone would be gone with its pod.
 */
export function render(board: Board, scrapeInterval: Millis): DashboardModel {
  const dashboard = classic(board.title)
    .uid(board.uid)
    .description(board.description)
    .tags([TAG])
    .timezone("browser")
    .time({ from: "now-1h", to: "now" })
    .refresh(formatDuration(scrapeInterval))
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .variables([...(board.variables ?? [])])
    .link(
      new DashboardLinkBuilder("Dashboards")
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(false)
        .keepTime(true)
        .includeVars(false),
    );
  let id = 1;
  for (const { title, lines } of board.sections) {
    dashboard.withRow(new RowBuilder(title).id(id++));
    for (const line of lines) {
      for (const panel of line) dashboard.withPanel(numbered(panel(widthOf(line)), id++));
    }
  }
  return dashboard.build();
}

function numbered(panel: ReturnType<PlacedPanel>, id: number): ReturnType<PlacedPanel> {
  return { build: () => ({ ...panel.build(), id }) };
}

function widthOf(line: Line): number {
  const width = GRID_COLUMNS / line.length;
  if (!Number.isInteger(width)) throw new Error(`${line.length} panels do not fill a line of ${GRID_COLUMNS} columns`);
  return width;
}

/** One of these; the first, until another is chosen. */
export function choice(name: string, label: string, values: readonly string[]): Builder<VariableModel> {
  const first = values[0];
  const variable = new CustomVariableBuilder(name)
    .label(label)
    .values(values.join(","))
    .options(values.map((value) => ({ text: value, value, selected: value === first })));
  return first === undefined ? variable : variable.current({ text: first, value: first, selected: true });
}

export interface LabelQuery {
  readonly source: DataSourceKind;
  readonly series: string;
  readonly label: string;
}

/**
 * Values of a label, as they are now; all of them, until some are chosen.
 *
 * @param all - what then matches: any value by default, `.*` where series without the label belong to it
 */
export function labelValues(name: string, label: string, query: LabelQuery, all: string = ANY): Builder<VariableModel> {
  return valuesOf(name, query).label(label).multi(true).includeAll(true).allValue(all).current({
    text: "All",
    value: "$__all",
    selected: true,
  });
}

/** The one value of a label that follows from other variables; nobody chooses it. */
export function derived(name: string, query: LabelQuery): Builder<VariableModel> {
  return valuesOf(name, query).hide(VariableHide.HideVariable);
}

function valuesOf(name: string, { source, series, label }: LabelQuery): QueryVariableBuilder {
  const definition = `label_values(${series}, ${label})`;
  return new QueryVariableBuilder(name)
    .datasource(DATA_SOURCES[source])
    .query(
      source === "prometheus"
        ? { query: definition, refId: name, qryType: 1 }
        : { type: 1, label, stream: series, refId: name },
    )
    .definition(definition)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
}

/** Text that is typed in. */
export function typed(name: string, label: string, value: string): Builder<VariableModel> {
  return new TextBoxVariableBuilder(name).label(label).defaultValue(value).current({ text: value, value });
}
