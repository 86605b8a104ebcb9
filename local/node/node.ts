import {
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Kubectl } from "../control-plane/kubectl";
import type { Ports } from "../control-plane/ports";
import { startDaemon, stopDaemon } from "../control-plane/processes";
import { readIfExists, writeIfChanged } from "../files";
import { LAYOUT_TAG, type ReadyImage } from "../images/assemble";
import { issue, kubeconfig, type Authority } from "./credentials";
import { forwarderDaemons, forwarderPidFiles, forwarderStatus } from "./forwarders";
import {
  cniConfig,
  containerdConfig,
  hostsToml,
  K3S,
  kubeletFlags,
  kubeProxyFlags,
  kubeRouterFlags,
  parseAgentConfig,
  parseClusterNetwork,
  registriesYaml,
  type AgentConfig,
  type ClusterNetwork,
} from "./k3s-agent";
import { removeMachine, runInside, runningMachine, startMachine, type Machine } from "./machine";
import type { Link } from "./network";
import { mayLowerOomScores } from "./preflight";
import { SHIM } from "./shim";
import { REGISTRY, REGISTRY_CONFIG, services, writeServices } from "./services";

/** Everything that a node is made of. What K3s would be told comes as K3s takes it: as its `config.yaml`. */
export interface NodeArgs {
  /** The node's own folder. */
  readonly folder: string;
  readonly cgroup: string;
  readonly link: Link;
  readonly rootFs: string;
  /** Absolute paths of kubelet, kube-proxy and kube-router: they become /usr/local/bin. */
  readonly programs: readonly string[];
  /** The shim's folder. */
  readonly shim: string;
  readonly serverConfig: string;
  readonly agentConfig: string;
  readonly authority: Authority;
  /** Where the control plane listens on this machine's loopback. */
  readonly ports: Ports;
  readonly sandboxImage: string;
}

/** Names of what must run for the node to work, with their logs. */
export const SERVICE_NAMES = ["registry", "containerd", "kubelet", "kube-proxy", "kube-router"] as const;

/** Debian's folder of CNI plugins. */
const CNI_BIN = "/usr/lib/cni";

/** Starts the node, or whatever of it does not run; what has changed in its configuration is restarted. */
export async function startNode(args: NodeArgs): Promise<Machine> {
  const agent = parseAgentConfig(args.agentConfig);
  const network = parseClusterNetwork(args.serverConfig);
  layOutFolders(args.folder);
  installPrograms(args);
  await writeCredentials(args, agent);
  const changed = writeConfiguration(args, agent, network);
  const wasRunning = runningMachine(args.folder) !== undefined;
  const { folder, cgroup, link, rootFs } = args;
  const machine = await startMachine({ folder, root: rootFs, hostname: agent.nodeName, cgroup, link });
  for (const forwarder of forwarderDaemons(args)) startDaemon(forwarder);
  if (wasRunning && changed.length > 0)
    await runInside(machine, ["sv", "restart", ...changed.map((name) => `/var/service/${name}`)]);
  await hideFromOutside(machine, network);
  return machine;
}

/** Ends it: processes, mounts, link, routes and group of the node are gone afterwards; its folder is the caller's. */
export async function stopNode(folder: string, cgroup: string): Promise<void> {
  for (const pidFile of forwarderPidFiles(folder)) await stopDaemon(pidFile);
  await removeMachine(folder, cgroup);
}

export interface NodeProcess {
  readonly name: string;
  readonly running: boolean;
  readonly log: string;
}

/** What of the node runs. runit keeps each service's process id beside it. */
export function nodeStatus(folder: string): NodeProcess[] {
  const machine = runningMachine(folder);
  const supervised = SERVICE_NAMES.map((name) => {
    const state = readIfExists(join(folder, "var/service", name, "supervise/stat"))?.trim();
    return { name, running: machine !== undefined && state === "run", log: join(folder, "var/log", name, "current") };
  });
  return [
    { name: "node", running: machine !== undefined, log: join(folder, "init.log") },
    ...forwarderStatus(folder),
    ...supervised,
  ];
}

/** Gives the node the addresses for its pods that the controller-manager has set apart for it. */
export async function connectPods(kubectl: Kubectl, folder: string, nodeName: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const cidr = await kubectl(["get", "node", nodeName, "-o", "jsonpath={.spec.podCIDR}", "--ignore-not-found"]);
    if (cidr !== "") {
      writeIfChanged(
        join(folder, `var/${relativeToVar(K3S.agentDir)}/etc/cni/net.d/10-flannel.conflist`),
        cniConfig(cidr),
        0o644,
      );
      return;
    }
    if (Date.now() > deadline) {
      throw new Error(`Node ${nodeName} did not join within 60 s; see ${join(folder, "var/log/kubelet/current")}`);
    }
    await sleep(200);
  }
}

/** Puts images into the node's registry, unless they are there. */
export async function pushImages(machine: Machine, folder: string, images: readonly ReadyImage[]): Promise<void> {
  for (const image of images) {
    const { repository, tag, link } = splitReference(image.reference);
    const known = join(folder, "var/lib/registry/docker/registry/v2/repositories", repository, "_manifests", link);
    if (readIfExists(known) === image.digest) continue;
    const inside = `lib/layouts/${basename(image.folder)}`;
    const copy = join(folder, "var", inside);
    rmSync(copy, { recursive: true, force: true });
    cpSync(image.folder, copy, { recursive: true });
    const target = `docker://${REGISTRY}/${repository}${tag}`;
    const from = `oci:/var/${inside}:${LAYOUT_TAG}`;
    const flags = ["--quiet", "--all", "--preserve-digests", "--insecure-policy", "--dest-tls-verify=false"];
    await retryWhileStarting(() =>
      runInside(machine, ["skopeo", "copy", ...flags, from, target], { timeout: 120_000 }),
    );
    rmSync(copy, { recursive: true, force: true });
  }
}

/**
 * `docker.io/rancher/mirrored-pause:3.6` is asked of a mirror as `rancher/mirrored-pause`, tag `3.6`; `link` is the
 * registry's own file that holds the digest of what it has under this name.
 */
function splitReference(reference: string): { repository: string; tag: string; link: string } {
  const path = reference.slice(reference.indexOf("/") + 1);
  const repository = path.slice(0, path.search(/[:@]/));
  // Where both are named, the digest says what it is.
  const tag = path.slice(path.includes("@") ? path.indexOf("@") : path.indexOf(":"));
  const link = tag.startsWith("@")
    ? `revisions/sha256/${tag.slice("@sha256:".length)}/link`
    : `tags/${tag.slice(1)}/current/link`;
  return { repository, tag, link };
}

async function retryWhileStarting(attempt: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await attempt();
      return;
    } catch (error) {
      // The registry has been started a moment ago.
      if (tries >= 50 || !/connection refused/.test(String(error))) throw error;
      await sleep(200);
    }
  }
}

/** Reads as `/var` in the node. */
function layOutFolders(folder: string): void {
  const folders = ["log", "tmp", "cache", "service", "lib/kubelet", "lib/registry", "lib/layouts"];
  for (const each of folders) mkdirSync(join(folder, "var", each), { recursive: true, mode: 0o755 });
  linkInside("/run", join(folder, "var/run"));
  linkInside("/run/lock", join(folder, "var/lock"));
}

/** Hard links where the cache lies on the same file system, else copies. */
function installPrograms({ folder, programs, shim }: NodeArgs): void {
  const bin = join(folder, "bin");
  for (const each of [bin, join(folder, "wasmedge/bin"), join(folder, "wasmedge/lib")])
    mkdirSync(each, { recursive: true });
  for (const program of programs) install(program, join(bin, basename(program)));
  for (const part of ["bin", "lib"]) {
    for (const file of readdirSync(join(shim, part)))
      install(join(shim, part, file), join(folder, "wasmedge", part, file));
  }
  linkInside(`/opt/wasmedge/bin/${SHIM}`, join(bin, SHIM));
}

/** A link to where its target is in the node; seen from here it leads nowhere. */
function linkInside(target: string, link: string): void {
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(target, link);
}

function install(program: string, target: string): void {
  const source = realpathSync(program);
  const present = statSync(target, { throwIfNoEntry: false });
  const wanted = statSync(source);
  if (present?.size === wanted.size && present.mtimeMs === wanted.mtimeMs) return;
  rmSync(target, { force: true });
  try {
    linkSync(source, target);
  } catch {
    cpSync(source, target, { preserveTimestamps: true });
  }
}

/** Each component has credentials of its own: a kubelet may touch what is on its node, and nothing else. */
async function writeCredentials({ folder, authority, link, ports }: NodeArgs, agent: AgentConfig): Promise<void> {
  const pki = join(folder, "var", relativeToVar(K3S.agentDir));
  writeIfChanged(join(pki, "ca.crt"), authority.certificate, 0o644);
  const node = { user: `system:node:${agent.nodeName}`, group: "system:nodes" };
  await issue(pki, "kubelet", node, authority);
  await issue(pki, "serving-kubelet", { ...node, serves: [agent.nodeName, link.node] }, authority);
  await issue(pki, "kube-proxy", { user: "system:kube-proxy" }, authority);
  await issue(pki, "kube-router", { user: "system:kube-router" }, authority);
  for (const name of ["kubelet", "kube-proxy", "kube-router"]) {
    writeIfChanged(join(pki, `${name}.kubeconfig`), kubeconfig(`https://${link.host}:${ports.kubeApiserver}`, name));
  }
}

/** @returns the services whose configuration has changed */
function writeConfiguration(args: NodeArgs, agent: AgentConfig, network: ClusterNetwork): string[] {
  const { folder } = args;
  const inVar = (path: string) => join(folder, "var", relativeToVar(path));
  const registries = registriesYaml(`http://${REGISTRY}`);
  writeIfChanged(join(folder, "rancher/k3s/config.yaml"), args.agentConfig);
  writeIfChanged(join(folder, "rancher/k3s/registries.yaml"), registries);
  writeIfChanged(inVar("/var/lib/registry.yaml"), REGISTRY_CONFIG);
  writeIfChanged(inVar(`${K3S.certsDir}/_default/hosts.toml`), hostsToml(registries), 0o644);
  const containerd = containerdConfig({
    sandboxImage: args.sandboxImage,
    cniBinDir: CNI_BIN,
    restrictOomScoreAdj: !mayLowerOomScores(),
  });
  const containerdChanged = writeIfChanged(inVar(`${K3S.agentDir}/etc/containerd/config.toml`), containerd);
  const changed = writeServices(
    join(folder, "var/service"),
    services({
      kubelet: kubeletFlags(agent, network),
      kubeProxy: kubeProxyFlags(agent, network),
      kubeRouter: kubeRouterFlags(agent, network),
    }),
  );
  return containerdChanged && !changed.includes("containerd") ? [...changed, "containerd"] : changed;
}

/** Outside the pod network a pod shows the node's address, as flannel sets it up. */
async function hideFromOutside(machine: Machine, { clusterCidr }: ClusterNetwork): Promise<void> {
  const rules = [
    ["-s", clusterCidr, "-d", clusterCidr, "-j", "RETURN"],
    ["-s", clusterCidr, "!", "-d", "224.0.0.0/4", "-j", "MASQUERADE"],
  ];
  for (const rule of rules) {
    const command = (action: string) => ["iptables", "-w", "-t", "nat", action, "POSTROUTING", ...rule];
    await runInside(machine, command("-C")).catch(() => runInside(machine, command("-A")));
  }
}

function relativeToVar(path: string): string {
  return path.slice("/var/".length);
}
