import { setTimeout as sleep } from "node:timers/promises";
import { autoscalerName } from "../../components/functions/names";
import type { FunctionConfig } from "../../infra/config";
import { formatCount } from "../../infra/plan/numbers";
import { ProblemsError, type Problem } from "../../infra/problems";
import type { Millis } from "../../infra/units";
import { MERGE_PATCH, type Api } from "./api";
import { watchAutoscaler } from "./autoscaler";
import type { Driver } from "./drive";
import type { PodLedger } from "./pods";
import { loadHeldByMin, type Scenario } from "./scenario";
import type { View } from "./view";
import { podsOf } from "./watch";

export interface BeginArgs {
  readonly api: Api;
  readonly driver: Driver;
  readonly scenario: Scenario;
  readonly view: Pick<View, "note">;
  readonly signal: AbortSignal;
}

/** Seconds until the function has to be at min. */
const PATIENCE = 300;
/** Between two looks. */
const LOOK: Millis = 1000;
/** Until simulated kubelets have heard what their pods use. */
const HEARD: Millis = 500;

/** What is still in the way. */
type Wrong = Pick<Problem, "value" | "limit">;

/** With the clock's milliseconds at which patience is over. */
type Wait = BeginArgs & { readonly deadline: Millis };

/**
 * To where the curve begins, since the autoscaler would take minutes to go there. What was asked before is first to be read no
 * more: by a reading that is older the autoscaler would at once take back what it is given. (A real pod's is an average, in which some
 * may be left: from there the autoscaler goes back by itself, since real pods that nobody asks use nothing.)
 *
 * @throws ProblemsError where the function is not at min after five minutes
 */
export async function goToMin(begin: BeginArgs, ledger: PodLedger): Promise<void> {
  const args: Wait = { ...begin, deadline: Date.now() + PATIENCE * 1000 };
  const { api, driver, scenario, view, signal } = args;
  const { fn } = scenario;
  const { min } = fn.scaling;
  // At the steady usage it keeps what it is given. At any other it would count the pods that leave, and want most of them back.
  await driver.restore();
  await (fn.scaling.metric === "cpu" ? untilUsageIsRead(args, Date.now()) : untilNobodyAsks(args, ledger));
  if (signal.aborted) return;
  const scale = `/apis/apps/v1/namespaces/${fn.tenant}/deployments/${fn.name}/scale`;
  await api.patch(scale, MERGE_PATCH, { spec: { replicas: min } });
  await waitFor(args, async () => {
    const { desired } = await watchAutoscaler(api, fn);
    const { pods, ready, leaving } = ledger.counts();
    if (desired === min && pods === min && ready === min && leaving === 0) return undefined;
    view.note(`${fn.name} goes to min: ${pods} pods, ${leaving} leave, ${desired} wanted`);
    return {
      value: `${pods} pods, ${ready} ready, ${desired} wanted by its autoscaler`,
      limit: `not at min ${min} after ${PATIENCE} s`,
    };
  });
}

interface PodMetrics {
  /** RFC 3339, in whole seconds; null of a pod that could not be read. */
  readonly timestamp: string | null;
}

/** CPU is read as it was when metrics-server last looked, up to a quarter of a minute ago. */
async function untilUsageIsRead(args: Wait, since: Millis): Promise<void> {
  const { api, scenario, view } = args;
  const { fn } = scenario;
  const path = `/apis/metrics.k8s.io/v1beta1/${podsOf(fn)}`;
  const isOld = ({ timestamp }: PodMetrics) => timestamp === null || Date.parse(timestamp) < since + HEARD;
  const readBefore = async () => {
    const { items } = await api.get<{ readonly items: readonly PodMetrics[] }>(path);
    if (items.length === 0) return "it has read none of its pods yet";
    const old = items.filter(isOld).length;
    return old > 0 && `what ${formatCount(old)} of ${formatCount(items.length)} pods use was read before`;
  };
  await waitFor(args, async () => {
    // One that has just been started is not there yet.
    const value = await readBefore().catch((error: unknown) => (error as Error).message);
    if (value === false) return undefined;
    view.note(`${fn.name}: waiting until metrics-server reads again: ${value}`);
    return { value, limit: `metrics-server did not read it again in ${PATIENCE} s` };
  });
}

/** Requests are read as an average: of an earlier load, some are read long after the last came. */
async function untilNobodyAsks(args: Wait, ledger: PodLedger): Promise<void> {
  const { api, driver, scenario, view } = args;
  const { fn } = scenario;
  if (driver.isSeen === undefined) return;
  const held = loadHeldByMin(fn, fn.workload.cpuPerRequest);
  await waitFor(args, async () => {
    const { reading } = await watchAutoscaler(api, fn);
    // Of a function that has no pods nothing is read.
    const read = reading ?? (fn.scaling.min === 0 ? 0 : undefined);
    const all = read && read * ledger.counts().pods;
    const isSeen = driver.isSeen?.() !== false;
    if (isSeen && all !== undefined && all <= held) return undefined;
    const now = all === undefined ? "nothing" : `${formatCount(all)} requests/s`;
    const value = isSeen ? `its autoscaler reads ${now}` : "its Prometheus has not read what is counted";
    view.note(`${fn.name}: nobody asks; waiting until that is read: ${value}`);
    return { value, limit: `nobody asks, and that was not read for ${PATIENCE} s` };
  });
}

/** Looks each second, until nothing is wrong. @throws ProblemsError with what still is when patience is over */
async function waitFor({ scenario, signal, deadline }: Wait, wrong: () => Promise<Wrong | undefined>): Promise<void> {
  const { fn } = scenario;
  while (!signal.aborted) {
    const found = await wrong();
    if (found === undefined) return;
    if (Date.now() > deadline) throw notAtMin(fn, found);
    await sleep(LOOK, undefined, { signal }).catch(() => undefined);
  }
}

function notAtMin(fn: FunctionConfig, found: Wrong): ProblemsError {
  const fix = `make status shows what runs, and kubectl -n ${fn.tenant} describe hpa ${autoscalerName(fn)} what it waits for`;
  return new ProblemsError("The surge cannot begin", [{ path: fn.name, ...found, fix }]);
}
