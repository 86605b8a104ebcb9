import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";
import { readIfExists, writeIfChanged } from "../../../local/files";
import { kubeconfig } from "../../../local/node/credentials";
import {
  containerdConfig,
  hostsToml,
  K3S,
  kubeletFlags,
  kubeProxyFlags,
  kubeRouterFlags,
  type AgentConfig,
} from "../../../local/node/k3s-agent";
import { mayLowerOomScores } from "../../../local/node/preflight";
import { BIN, startPart } from "./children";
import type { NodeConfig } from "./config";
import type { JoinAnswer } from "./joining";
import { keepPodNetwork } from "./network";
import { Fatal, IMAGES, log, PARTS } from "./stand-in";

const SHIM = "containerd-shim-wasmedge-v1";

/**
 * Runs a node: containerd, kubelet, kube-proxy and the NetworkPolicy controller, as `local/node/k3s-agent.ts` reads K3s's
 * config for the node of a developer's machine.
 *
 * @param server - where the node finds the API server
 */
export async function runAgent(config: NodeConfig, server: string, answer: JoinAnswer): Promise<void> {
  const { network } = answer;
  const agent: AgentConfig = {
    ...config,
    server,
    // K3s takes systemd's where systemd has started it.
    kubeletArgs: [`cgroup-driver=${underSystemd() ? "systemd" : "cgroupfs"}`, ...config.kubeletArgs],
  };
  unpack();
  configureKernel();
  writeCredentials(server, answer);
  writeRegistries();
  writeContainerdConfig();
  startPart(`${BIN}/containerd`, [
    `--config=${K3S.agentDir}/etc/containerd/config.toml`,
    `--address=${K3S.containerdSocket}`,
    "--state=/run/k3s/containerd",
    `--root=${K3S.agentDir}/containerd`,
  ]);
  await until(K3S.containerdSocket);
  importImages();
  startPart(`${PARTS}/kubelet`, kubeletFlags(agent, network));
  startPart(`${PARTS}/kube-proxy`, [
    ...kubeProxyFlags(agent, network),
    ...config.kubeProxyArgs.map((flag) => `--${flag}`),
  ]);
  await keepPodNetwork(agent, server, network);
  if (!answer.networkPolicyDisabled) startPart(`${PARTS}/kube-router`, kubeRouterFlags(agent, network));
}

export function underSystemd(): boolean {
  return process.env["INVOCATION_ID"] !== undefined;
}

/** K3s unpacks its own programs to this folder; here they are the host's and the parts', found under the same names. */
function unpack(): void {
  mkdirSync(BIN, { recursive: true, mode: 0o755 });
  const cni = "/usr/lib/cni";
  const programs = [
    ...["containerd", "containerd-shim-runc-v2", "ctr", "runc"].map((name) => `/usr/bin/${name}`),
    ...readdirSync(cni).map((name) => join(cni, name)),
    ...["kubectl", "kubelet"].map((name) => join(PARTS, name)),
  ];
  for (const program of programs) {
    const link = join(BIN, program.split("/").pop() ?? "");
    const target = existsSync(program) ? program : join("/usr/sbin", program.split("/").pop() ?? "");
    if (lstatSync(link, { throwIfNoEntry: false })) rmSync(link);
    symlinkSync(target, link);
  }
}

/** What a node forwards, and that its bridge shows packets to the firewall. */
function configureKernel(): void {
  for (const setting of ["ipv4/ip_forward", "ipv4/conf/all/forwarding", "bridge/bridge-nf-call-iptables"]) {
    try {
      writeFileSync(`/proc/sys/net/${setting}`, "1");
    } catch (error) {
      log("error", `Failed to set sysctl net/${setting}: ${String(error)}`);
    }
  }
}

function writeCredentials(server: string, { files }: JoinAnswer): void {
  for (const [name, content] of Object.entries(files))
    writeIfChanged(join(K3S.agentDir, name), content, name.endsWith(".key") ? 0o600 : 0o644);
  for (const name of ["kubelet", "kube-proxy", "kube-router"])
    writeIfChanged(join(K3S.agentDir, `${name}.kubeconfig`), kubeconfig(server, name));
}

/** Keys of `registries.yaml` that are honoured: others would be a registry that is asked otherwise than was said. */
interface Registries {
  readonly mirrors?: Readonly<Record<string, { readonly endpoint?: readonly string[] }>>;
}

/** `registries.yaml` as the mirror files that K3s makes of it for containerd. */
function writeRegistries(): void {
  rmSync(K3S.certsDir, { recursive: true, force: true });
  const registries = parse(readIfExists(join(K3S.configDir, "registries.yaml")) ?? "") as Registries | null;
  for (const key of Object.keys(registries ?? {})) {
    if (key !== "mirrors") throw new Fatal(`registries.yaml: ${key} is not known to the stand-in`);
  }
  for (const [registry, mirror] of Object.entries(registries?.mirrors ?? {})) {
    for (const key of Object.keys(mirror)) {
      if (key !== "endpoint")
        throw new Fatal(`registries.yaml: mirrors.${registry}.${key} is not known to the stand-in`);
    }
    const folder = registry === "*" ? "_default" : registry;
    writeIfChanged(join(K3S.certsDir, folder, "hosts.toml"), hostsToml(stringify({ mirrors: { "*": mirror } })), 0o644);
  }
}

/** What lies in K3s's folder for it goes into containerd; a file of another kind is left alone, one that is broken is told. */
function importImages(): void {
  const folder = join(K3S.agentDir, "images");
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names) {
    const unpack = { ".tar": "cat", ".gz": "gzip -dc", ".zst": "zstd -dc" }[extname(name)];
    if (unpack === undefined) continue;
    const ctr = `/usr/bin/ctr --address ${K3S.containerdSocket} --namespace k8s.io images import -`;
    const script = `set -o pipefail; ${unpack} "$0" | ${ctr}`;
    const { status, stderr } = spawnSync("/bin/bash", ["-c", script, join(folder, name)], { encoding: "utf8" });
    if (status === 0) log("info", `Imported images from ${join(folder, name)}`);
    else log("error", `Unable to import ${join(folder, name)}: ${stderr.trim()}`);
  }
}

/** Looked for once, now: a shim that comes later is found at the next start. */
function writeContainerdConfig(): void {
  const wasmedge = ["/usr/local/bin", "/usr/bin"].some((folder) => isProgram(join(folder, SHIM)));
  log("info", wasmedge ? `Found ${SHIM}` : `No ${SHIM} on this host`);
  const config = containerdConfig({
    sandboxImage: IMAGES.pause,
    cniBinDir: BIN,
    restrictOomScoreAdj: !mayLowerOomScores(),
    systemdCgroup: underSystemd(),
    wasmedge,
  });
  writeIfChanged(join(K3S.agentDir, "etc/containerd/config.toml"), config);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function until(file: string): Promise<void> {
  while (!existsSync(file)) await sleep(100);
}
