import type { StackConfig } from "../../infra/config";
import type { Kubectl } from "../control-plane/kubectl";

interface PodObject {
  readonly metadata: { readonly name: string; readonly creationTimestamp: string };
  readonly status: {
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly restartCount: number;
      readonly state?: ContainerState;
      readonly lastState?: ContainerState;
    }[];
  };
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: { readonly reason?: string; readonly exitCode: number };
}

/** Lines of a pod's log that are shown: its last words. */
const LOG_LINES = 5;

/**
 * Why functions are not ready, from their newest pod that is not: what Kubernetes says of it, and its own last words.
 * Nothing where all is well, or the cluster does not answer any more.
 */
export async function describeUnready(kubectl: Kubectl, config: StackConfig): Promise<string[]> {
  const described = await Promise.all(
    config.functions.map((fn) => describeFunction(kubectl, fn.name, fn.tenant).catch(() => [])),
  );
  return described.flat();
}

async function describeFunction(kubectl: Kubectl, name: string, namespace: string): Promise<string[]> {
  const selector = `app.kubernetes.io/name=${name},app.kubernetes.io/component=function`;
  const list = JSON.parse(await kubectl(["get", "pods", "-n", namespace, "-l", selector, "-o", "json"])) as {
    items: PodObject[];
  };
  const unready = list.items.filter(({ status }) => status.containerStatuses?.some(({ ready }) => !ready) ?? true);
  const newest = unready.sort((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp)).pop();
  if (!newest) return [];
  const pod = newest.metadata.name;
  const [container] = newest.status.containerStatuses ?? [];
  // A container that never ran has no log.
  const log = await lastWords(kubectl, namespace, pod, (container?.restartCount ?? 0) > 0).catch(() => []);
  return [`pod ${namespace}/${pod}: ${stateOf(newest)}`, ...log.map((line) => `  its log: ${line}`)];
}

/** What a shell says of a process that was ended by SIGKILL; the WasmEdge shim gives no better reason than `Error`. */
const KILLED = 137;

function reasonOf({ exitCode, reason = "" }: NonNullable<ContainerState["terminated"]>): string {
  if (exitCode === KILLED && (reason === "" || reason === "Error")) {
    return "killed: if by nobody, for memory above its limit";
  }
  return reason || "no reason given";
}

function stateOf({ status }: PodObject): string {
  const [container] = status.containerStatuses ?? [];
  const waiting = container?.state?.waiting;
  const ended = container?.state?.terminated ?? container?.lastState?.terminated;
  const unscheduled = status.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  const parts = [
    waiting?.reason,
    ended && `ended with code ${ended.exitCode} (${reasonOf(ended)})`,
    ended === undefined ? waiting?.message : undefined,
    status.reason,
    status.message,
    unscheduled && `no node takes it: ${unscheduled.message ?? "no reason given"}`,
  ];
  return parts.filter((part) => part !== undefined && part !== "").join(", ") || "is not ready";
}

/** Of the run that ended, where the present one has only begun. */
async function lastWords(kubectl: Kubectl, namespace: string, pod: string, ended: boolean): Promise<string[]> {
  const ask = (...more: string[]) => kubectl(["logs", "-n", namespace, pod, `--tail=${LOG_LINES}`, ...more]);
  const text = ended ? await ask("--previous").catch(() => ask()) : await ask();
  return text.split("\n").filter((line) => line.trim() !== "");
}
