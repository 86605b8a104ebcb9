import type { StackConfig } from "../../infra/config";
import type { Kubectl } from "../control-plane/kubectl";

interface PodObject {
  readonly metadata: { readonly name: string; readonly creationTimestamp: string };
  readonly status: {
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    /** Also of what runs on beside the pod's containers, as the gateway's helper does. */
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: { readonly reason?: string; readonly exitCode: number };
}

/** Lines of a pod's log that are shown: its last words. */
const LOG_LINES = 5;

/**
 * Why functions, gateway or authorizer are not ready, each from their newest pod that is not: what Kubernetes says of it,
 * and its own last words. Nothing where all is well, or the cluster does not answer any more.
 */
export async function describeUnready(kubectl: Kubectl, config: StackConfig): Promise<string[]> {
  const described = await Promise.all(
    [
      ...config.functions.map((fn) => ({ name: fn.name, component: "function", namespace: fn.tenant })),
      { name: config.gateway.kind, component: "gateway", namespace: config.gateway.namespace },
      { name: "authorizer", component: "authorizer", namespace: config.gateway.namespace },
    ].map((part) => describePart(kubectl, part).catch(() => [])),
  );
  return described.flat();
}

interface Part {
  readonly name: string;
  readonly component: string;
  readonly namespace: string;
}

async function describePart(kubectl: Kubectl, { name, component, namespace }: Part): Promise<string[]> {
  const selector = `app.kubernetes.io/name=${name},app.kubernetes.io/component=${component}`;
  const list = JSON.parse(await kubectl(["get", "pods", "-n", namespace, "-l", selector, "-o", "json"])) as {
    items: PodObject[];
  };
  const unready = list.items.filter((item) => containersOf(item).length === 0 || unreadyContainer(item) !== undefined);
  const newest = unready.sort((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp)).pop();
  if (!newest) return [];
  const pod = newest.metadata.name;
  const container = unreadyContainer(newest);
  // A container that never ran has no log.
  const log = container ? await lastWords(kubectl, namespace, pod, container).catch(() => []) : [];
  return [`pod ${namespace}/${pod}: ${stateOf(newest)}`, ...log.map((line) => `  its log: ${line}`)];
}

/** In the order in which they start: each waits for those before it. */
function containersOf({ status }: PodObject): readonly ContainerStatus[] {
  return [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
}

/** The one that the pod's readiness fails by. */
function unreadyContainer(pod: PodObject): ContainerStatus | undefined {
  return containersOf(pod).find(({ ready }) => !ready);
}

/** What a shell says of a process that was ended by SIGKILL; the WasmEdge shim gives no better reason than `Error`. */
const KILLED = 137;

function reasonOf({ exitCode, reason = "" }: NonNullable<ContainerState["terminated"]>): string {
  if (exitCode === KILLED && (reason === "" || reason === "Error")) {
    return "killed: if by nobody, for memory above its limit";
  }
  return reason || "no reason given";
}

function stateOf(pod: PodObject): string {
  const { status } = pod;
  const container = unreadyContainer(pod);
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
async function lastWords(
  kubectl: Kubectl,
  namespace: string,
  pod: string,
  { name, restartCount }: ContainerStatus,
): Promise<string[]> {
  const ask = (...more: string[]) =>
    kubectl(["logs", "-n", namespace, pod, "-c", name, `--tail=${LOG_LINES}`, ...more]);
  const text = restartCount > 0 ? await ask("--previous").catch(() => ask()) : await ask();
  return text.split("\n").filter((line) => line.trim() !== "");
}
