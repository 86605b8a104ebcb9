import { setTimeout as sleep } from "node:timers/promises";
import type { FunctionConfig } from "../../infra/config";
import { ApiError, type Api } from "./api";
import type { PodLedger, PodRow } from "./pods";

/**
 * Pods as `kubectl get pods -o wide` has them: 300 bytes of a pod that changes, where the whole object has 6,000. So
 * 5,000 pods cost API server and watcher little of the CPU that they share with what is measured.
 */
const AS_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1";

interface Table {
  readonly metadata: { readonly resourceVersion?: string };
  /** Only in the first table of a watch. */
  readonly columnDefinitions?: readonly { readonly name: string }[] | null;
  readonly rows?: readonly { readonly cells: readonly string[] }[] | null;
}

interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: Table;
}

/** Between two attempts to watch, in milliseconds. */
const PAUSE = 500;
/** What the API server answers where it no longer knows a version. */
const GONE = 410;

/** A function's pods, under whichever API is asked about them. */
export function podsOf({ name, tenant }: FunctionConfig): string {
  return `namespaces/${tenant}/pods?labelSelector=${encodeURIComponent(`app.kubernetes.io/name=${name}`)}`;
}

/**
 * Keeps the ledger of a function's pods until `signal`. A watch that ends goes on from where it was: the API server ends
 * one that was slower than a burst of changes, of which else many would be missed. While it does not answer it is tried
 * again.
 *
 * @param onTrouble - told each time that the watch is lost
 */
export async function watchPods(
  api: Api,
  fn: FunctionConfig,
  ledger: PodLedger,
  signal: AbortSignal,
  onTrouble: (reason: string) => void,
): Promise<void> {
  const path = `/api/v1/${podsOf(fn)}&includeObject=None`;
  const listed = async () => {
    const table = await api.get<Table>(path, AS_TABLE);
    const row = rowReader(table);
    ledger.list((table.rows ?? []).map(({ cells }) => row(cells)));
    return { row, version: table.metadata.resourceVersion };
  };
  const stopped = () => signal.aborted;
  let known: Awaited<ReturnType<typeof listed>> | undefined;
  while (!stopped()) {
    const before = known?.version;
    try {
      known ??= await listed();
      const from = `&watch=1&allowWatchBookmarks=true&resourceVersion=${known.version ?? ""}`;
      for await (const line of api.lines(path + from, AS_TABLE, signal)) {
        const event = JSON.parse(line) as WatchEvent;
        take(event, known.row, ledger);
        known.version = event.object.metadata.resourceVersion ?? known.version;
      }
    } catch (error) {
      if (stopped()) return;
      if (error instanceof ApiError && error.status === GONE) known = undefined;
      else onTrouble((error as Error).message);
    }
    // One that is ended at once, time and again, would else be asked for thousands of times in a second.
    if (known?.version === before) await sleep(PAUSE, undefined, { signal }).catch(() => undefined);
  }
}

function take({ type, object }: WatchEvent, row: (cells: readonly string[]) => PodRow, ledger: PodLedger): void {
  if (type === "BOOKMARK") return;
  if (type === "ERROR") throw new ApiError(GONE, "the watch has ended");
  const now = Date.now();
  for (const { cells } of object.rows ?? []) {
    const pod = row(cells);
    if (type === "DELETED") ledger.gone(pod.name);
    else ledger.seen(pod, now);
  }
}

/** Reads a row by the names of its columns, which only the first table has. */
export function rowReader({ columnDefinitions }: Table): (cells: readonly string[]) => PodRow {
  const names = (columnDefinitions ?? []).map(({ name }) => name);
  const column = (name: string) => {
    const index = names.indexOf(name);
    if (index < 0) throw new Error(`pods have no column ${name}: ${names.join(", ")}`);
    return index;
  };
  const [name, ready, status, node] = ["Name", "Ready", "Status", "Node"].map(column) as [
    number,
    number,
    number,
    number,
  ];
  return (cells) => {
    const [up, all] = (cells[ready] ?? "").split("/");
    const where = cells[node];
    return {
      name: cells[name] ?? "",
      ready: up !== undefined && up !== "0" && up === all,
      leaving: cells[status] === "Terminating",
      node: where === undefined || where === "<none>" ? undefined : where,
    };
  };
}
