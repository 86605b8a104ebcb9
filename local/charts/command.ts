import { join } from "node:path";
import type { DashboardsArgs, PlainDashboard } from "../../components/observability/dashboards";
import type { StackConfig } from "../../infra/config";
import { planStack } from "../../infra/plan";
import { ProblemsError, type Problem } from "../../infra/problems";
import { formatDuration } from "../../infra/units";
import { kubectlCommand, kubectlFor, type Kubectl } from "../control-plane/kubectl";
import { kubeconfigOf, type Session } from "../engine/commands";
import { readStackFile, type StackFile } from "../engine/stack-file";
import { writeFileAtomic } from "../files";
import { inParallel } from "../parallel";
import type { Progress } from "../progress";
import { assertUp } from "../reachable";
import { askAt, unanswered, type Ask } from "./ask";
import { withForward } from "./forward";
import type { AnsweredDashboard } from "./page";
import { parseSince, rangeOf, rateInterval, type Range } from "./range";

const SUMMARY = "Nothing can be drawn";
/** Queries at once: Prometheus would take 20, but shares its CPU with what it watches. */
const AT_ONCE = 4;

/**
 * `make charts`: what the stack's dashboards show, drawn of what its Prometheus and Loki have, as one file. It changes
 * nothing on the cluster. SINCE says how far back it looks.
 */
export async function charts(session: Session, stackName: string): Promise<void> {
  const { paths, progress, signal, print } = session;
  const since = parseSince(process.env["SINCE"]);
  const file = readStackFile(paths.root, stackName);
  assertMeasured(file);
  await assertUp(session, file, SUMMARY);

  const { namespace } = file.config.observability;
  const kubeconfig = kubeconfigOf(paths, file);
  const kubectl = kubectlFor(paths, kubeconfig);
  const command = kubectlCommand(paths, kubeconfig);
  const away = await whyNotReady(kubectl, namespace, "prometheus");
  if (away !== undefined) throw refused({ ...away, value: `statefulset/prometheus in ${namespace}` });
  const noLogs = (await whyNotReady(kubectl, namespace, "loki"))?.limit;
  const notes = noLogs === undefined ? [] : [`Loki ${noLogs}: what it would show is left out.`];
  for (const note of notes) progress.note(note);

  const range = rangeOf(Date.now(), since);
  const forwarded = <T>(statefulSet: string, work: (ask: Ask) => Promise<T>) =>
    withForward(command, { namespace, statefulSet }, signal, (url) => work(askAt(url, range, signal)));
  const withLogs = <T>(work: (ask: Ask) => Promise<T>) =>
    noLogs === undefined ? forwarded("loki", work) : work(() => Promise.resolve(unanswered(`Loki ${noLogs}.`)));
  const boards = await boardsOf(file.config, range);
  const dashboards = await forwarded("prometheus", (prometheus) =>
    withLogs((loki) => answer(boards, { prometheus, loki }, progress, signal)),
  );
  // What draws takes more than a second to load, which no other command is to wait for.
  const { renderPage } = await import("./page.js");
  const path = join(paths.home, "charts", `${file.stack}.html`);
  writeFileAtomic(path, renderPage({ stack: file.stack, range, dashboards, notes }));
  print(path);
}

/** All dashboards with their queries; that of a function for each function. */
export async function boardsOf(config: StackConfig, range: Range): Promise<PlainDashboard[]> {
  const { plainDashboards, samplingInterval } = await import("../../components/observability/dashboards/index.js");
  const { functions, tenants, observability, gateway, authorization, cluster } = config;
  const plan = planStack(config);
  const etcd = cluster.kind === "k3s";
  const args: DashboardsArgs = { functions, tenants, observability, gateway, authorization, plan, etcd };
  const interval = formatDuration(rateInterval(range, samplingInterval(observability)));
  const known = { __rate_interval: interval, __auto: interval };
  // Of lines those of all functions, and of what is none.
  return plainDashboards(args, { ...known, function: ".*" }).flatMap((board) => {
    if (board.name !== "function") return [board];
    return functions.flatMap(({ name, tenant }) =>
      plainDashboards(args, { ...known, function: name, tenant })
        .filter((each) => each.name === board.name)
        .map((each) => ({ ...each, title: `${each.title} ${name}` })),
    );
  });
}

/** Asks every query of every panel. */
export async function answer(
  boards: readonly PlainDashboard[],
  sources: Readonly<Record<"prometheus" | "loki", Ask>>,
  progress: Progress,
  signal: AbortSignal,
): Promise<AnsweredDashboard[]> {
  const queries = boards.flatMap(({ sections }) =>
    sections.flatMap(({ panels }) => panels.flatMap((panel) => panel.queries)),
  );
  const task = progress.task("queries", `0 of ${queries.length}`);
  let done = 0;
  try {
    const answers = await inParallel(queries, AT_ONCE, async (query) => {
      signal.throwIfAborted();
      const answered = await sources[query.kind](query);
      task.update(`${++done} of ${queries.length}`);
      return [query, answered] as const;
    });
    const byQuery = new Map(answers);
    task.done(`${queries.length} answered`);
    return boards.map(({ title, description, sections }) => ({
      ...{ title, description },
      sections: sections.map((section) => ({
        title: section.title,
        panels: section.panels.map((panel) => ({ panel, answers: panel.queries.map((query) => byQuery.get(query)!) })),
      })),
    }));
  } catch (error) {
    task.fail(`stopped after ${done} of ${queries.length}`);
    throw error;
  }
}

/** Before the cluster is asked. */
function assertMeasured({ config, stack }: StackFile): void {
  if (!config.observability.enabled) {
    throw refused({
      path: "observability.enabled",
      value: "false",
      limit: `nothing of stack ${stack} is measured`,
      fix: "set it to true, then make up",
    });
  }
  if (config.cluster.kind === "existing" && config.cluster.embedded === "simulated-nodes") {
    throw refused({
      path: "STACK",
      value: stack,
      limit: "its pods are simulated, Prometheus too, so nothing is measured",
      fix: "use a stack whose pods run: make charts STACK=real",
    });
  }
}

interface StatefulSet {
  readonly status?: { readonly readyReplicas?: number };
}

/** Undefined where a pod of it can be asked. */
export async function whyNotReady(
  kubectl: Kubectl,
  namespace: string,
  name: string,
): Promise<Omit<Problem, "value"> | undefined> {
  const found = await kubectl(["get", "statefulset", name, "-n", namespace, "-o", "json", "--ignore-not-found"]);
  const path = "STACK";
  if (found.trim() === "") return { path, limit: "is not there", fix: "make up brings it" };
  if (((JSON.parse(found) as StatefulSet).status?.readyReplicas ?? 0) > 0) return undefined;
  return {
    path,
    limit: "has no pod that is ready",
    fix: `kubectl -n ${namespace} describe pods says why; then try again`,
  };
}

function refused(problem: Problem): ProblemsError {
  return new ProblemsError(SUMMARY, [problem]);
}
