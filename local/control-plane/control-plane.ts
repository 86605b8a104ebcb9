import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { StackConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan";
import { readIfExists, writeFileAtomic } from "../files";
import type { Paths } from "../paths";
import { run } from "../run";
import { gatekeeperWebhook } from "./gatekeeper";
import { kedaAccess } from "./keda";
import { kubectlFor, type Kubectl } from "./kubectl";
import { renderKwokctlConfig, type NodesSide } from "./kwokctl-config";
import { assertFree, choosePorts, readPorts, type PortName, type Ports } from "./ports";
import {
  dropStalePidFiles,
  isAlive,
  killDaemon,
  listPidFiles,
  startDaemon,
  stopDaemon,
  type Daemon,
} from "./processes";
import { until } from "./until";

/** kwokctl names contexts and folders after it. */
const CLUSTER = "wasm-functions";

/** Which processes listen on which of our ports: those that run already may hold theirs. */
const LISTENERS: Readonly<Record<string, readonly PortName[]>> = {
  etcd: ["etcd", "etcdPeer"],
  "kube-apiserver": ["kubeApiserver"],
  "kube-controller-manager": ["kubeControllerManager"],
  "kube-scheduler": ["kubeScheduler"],
  "kwok-controller": ["kwokController"],
  "metrics-server": ["metricsServer"],
  gatekeeper: ["gatekeeperWebhook", "gatekeeperHealth"],
  prometheus: ["prometheus"],
  "keda-operator": ["kedaOperator", "kedaHealth"],
  "keda-adapter": ["kedaAdapter"],
};

const CONTROL_PLANE = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

export interface ControlPlaneOptions {
  readonly paths: Paths;
  readonly config: StackConfig;
  readonly plan: Plan;
  /** What the control plane must be told of its nodes. */
  readonly nodes: NodesSide;
  /** Programs of the nodes' kind that run beside its components. */
  readonly daemons: (clusterFolder: string, ports: Ports) => Promise<readonly Daemon[]>;
  /** Told what is being done, for a progress line. */
  readonly onStep: (step: string) => void;
}

/** A control plane that answers. */
export interface ControlPlane {
  readonly kubectl: Kubectl;
  /** Its folder. */
  readonly cluster: string;
  readonly ports: Ports;
}

/**
 * Starts the embedded control plane, or whatever of it does not run, with the plan's tuning. Safe to call at any time:
 * after a kill, in the middle of an earlier start, with all running.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { paths, config, plan, nodes, daemons, onStep } = options;
  const folders = foldersOf(paths);
  const ports = await choosePorts(folders.portsFile);
  const rendered = renderKwokctlConfig(plan.controlPlane, ports, binariesIn(paths), kubeVersion(config), nodes);
  await prepareCluster(folders, rendered);

  const processes = processNames(nodes);
  const idle = processes.filter((name) => !isAlive(join(folders.pids, `${name}.pid`)));
  await assertFree(
    ports,
    idle.flatMap((name) => LISTENERS[name] ?? []),
    folders.portsFile,
  );

  onStep(idle.length === processes.length ? "starting" : idle.length > 0 ? `restarting ${idle.join(", ")}` : "running");
  await createOrStart(paths, folders, rendered);
  for (const daemon of await daemons(folders.cluster, ports)) startDaemon(daemon);

  onStep("waiting for the API server");
  const kubectl = kubectlFor(paths);
  await waitReady(kubectl);
  return { kubectl, cluster: folders.cluster, ports };
}

/** Those of every control plane, and those of these nodes. */
function processNames({ processes }: Pick<NodesSide, "processes">): string[] {
  return Object.keys(LISTENERS).filter((name) => CONTROL_PLANE.includes(name) || processes.includes(name));
}

/** Ends every process of the control plane. What it stored stays until its folder is removed. */
export async function stopControlPlane(paths: Paths): Promise<void> {
  const { pids } = foldersOf(paths);
  dropStalePidFiles(pids);
  // Clients first, etcd last, so that nobody logs a storm of lost connections.
  const order = Object.keys(LISTENERS).reverse();
  for (const name of order) await stopDaemon(join(pids, `${name}.pid`));
}

/** Kills one process of the control plane, which the next start brings back. */
export async function killProcess(paths: Paths, name: string): Promise<void> {
  await killDaemon(join(foldersOf(paths).pids, `${name}.pid`));
}

export interface ProcessStatus {
  readonly name: string;
  readonly running: boolean;
  readonly log: string;
}

export function controlPlaneStatus(paths: Paths, nodes: Pick<NodesSide, "processes">): ProcessStatus[] {
  const { pids, logs } = foldersOf(paths);
  return processNames(nodes).map((name) => ({
    name,
    running: isAlive(join(pids, `${name}.pid`)),
    log: join(logs, `${name}.log`),
  }));
}

/** Asks again until every function's autoscaler has a reading, or `seconds` are over; gives the last answer. */
export async function waitForReading<T extends { readonly reading: string | undefined }>(
  ask: () => Promise<readonly T[]>,
  seconds: number,
  signal?: AbortSignal,
): Promise<readonly T[]> {
  let last: readonly T[] = [];
  const allRead = async () => {
    last = await ask();
    return last.every((fn) => fn.reading !== undefined);
  };
  await until(seconds, allRead, signal);
  return last;
}

/** The folder with the control plane's authority (`ca`) and the administrator's certificate (`admin`). */
export function pkiFolder(paths: Paths): string {
  return join(foldersOf(paths).cluster, "pki");
}

/** What the stack is told of the process that admits its objects; undefined where there is no control plane yet. */
export function admissionWebhook(paths: Paths): ReturnType<typeof gatekeeperWebhook> | undefined {
  const { cluster, portsFile } = foldersOf(paths);
  const { gatekeeperWebhook: port } = readPorts(portsFile);
  return port === undefined ? undefined : gatekeeperWebhook(cluster, { gatekeeperWebhook: port });
}

/** What the stack is told of the processes that scale by requests; undefined where there is no control plane yet. */
export function scalingProcesses(paths: Paths): ReturnType<typeof kedaAccess> | undefined {
  const { cluster, portsFile } = foldersOf(paths);
  const { kedaAdapter, prometheus } = readPorts(portsFile);
  if (kedaAdapter === undefined || prometheus === undefined) return undefined;
  return kedaAccess(cluster, { kedaAdapter, prometheus });
}

/**
 * Where Prometheus reads what a gateway counts, on the loopback of this machine; whoever plays a load listens there.
 *
 * @throws Error where there is no control plane yet
 */
export function gatewayMetricsPort(paths: Paths): number {
  const { portsFile } = foldersOf(paths);
  const { gatewayMetrics } = readPorts(portsFile);
  if (gatewayMetrics === undefined) throw new Error(`${portsFile} has no port gatewayMetrics`);
  return gatewayMetrics;
}

/** kwokctl's own kubeconfig of the administrator, by which its components reach the API server. */
export function componentKubeconfig(paths: Paths): string {
  return join(foldersOf(paths).cluster, "kubeconfig.yaml");
}

interface Folders {
  readonly kwok: string;
  readonly cluster: string;
  readonly pids: string;
  readonly logs: string;
  readonly portsFile: string;
  /** Holds the hash of the configuration with which the cluster was completely created. */
  readonly createdFile: string;
}

function foldersOf(paths: Paths): Folders {
  const kwok = join(paths.state, "control-plane");
  const cluster = join(kwok, "clusters", CLUSTER);
  return {
    kwok,
    cluster,
    pids: join(cluster, "pids"),
    logs: join(cluster, "logs"),
    portsFile: join(kwok, "ports.json"),
    createdFile: join(kwok, "created"),
  };
}

/**
 * Makes way for a new configuration, and for a creation that was broken off: kwokctl is made to write its files
 * anew, while certificates, stored objects and ports stay.
 */
async function prepareCluster(folders: Folders, rendered: string): Promise<void> {
  dropStalePidFiles(folders.pids);
  if (readIfExists(folders.createdFile) === hash(rendered)) return;
  for (const file of listPidFiles(folders.pids).reverse()) await stopDaemon(file);
  rmSync(folders.createdFile, { force: true });
  rmSync(join(folders.cluster, "kwok.yaml"), { force: true });
}

async function createOrStart(paths: Paths, folders: Folders, rendered: string): Promise<void> {
  const created = readIfExists(folders.createdFile) !== undefined;
  if (created) return kwokctl(paths, folders, ["start", "cluster"]);
  const configFile = join(folders.kwok, "kwokctl.yaml");
  writeFileAtomic(configFile, rendered);
  const again = existsSync(join(folders.cluster, "etcd", "member"));
  try {
    await kwokctl(paths, folders, ["create", "cluster", "--config", configFile, "--kubeconfig", paths.kubeconfig]);
  } catch (error) {
    // Its last step creates KWOK's own resource types, and fails where an earlier cluster has left them.
    if (!again || !(await hasKwokTypes(kubectlFor(paths)))) throw error;
  }
  writeFileAtomic(folders.createdFile, hash(rendered));
}

async function kwokctl(paths: Paths, folders: Folders, args: readonly string[]): Promise<void> {
  await run(join(paths.bin, "kwokctl"), [...args, "--name", CLUSTER], {
    // Its own folder and a home that is not the user's: kwokctl and the kubectl it calls keep caches there.
    env: { ...process.env, KWOK_WORKDIR: folders.kwok, HOME: folders.kwok },
    timeout: 180_000,
  });
}

async function hasKwokTypes(kubectl: Kubectl): Promise<boolean> {
  const types = ["clusterresourceusages.kwok.x-k8s.io", "metrics.kwok.x-k8s.io"];
  return kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", ...types]).then(
    () => true,
    () => false,
  );
}

async function waitReady(kubectl: Kubectl): Promise<void> {
  let last = "";
  const ready = await until(120, async () => {
    try {
      await kubectl(["get", "--raw", "/readyz"], { timeout: 5000 });
      return true;
    } catch (error) {
      last = (error as Error).message;
      return false;
    }
  });
  if (!ready) throw new Error(`The API server was not ready within 120 s. ${last}`);
}

function binariesIn(paths: Paths) {
  const at = (name: string) => join(paths.bin, name);
  return {
    etcd: at("etcd"),
    "kube-apiserver": at("kube-apiserver"),
    "kube-controller-manager": at("kube-controller-manager"),
    "kube-scheduler": at("kube-scheduler"),
    kubectl: at("kubectl"),
    kwok: at("kwok"),
  };
}

/** `v1.30.4` of `v1.30.4+k3s1`. */
function kubeVersion(config: StackConfig): string {
  return config.cluster.version.split("+")[0] ?? config.cluster.version;
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
