import { join } from "node:path";
import { writeIfChanged } from "../files";
import { K3S } from "./k3s-agent";

/** Where the registry of the node listens, on the node's own loopback. */
export const REGISTRY = "127.0.0.1:5000";

/** A program that runit keeps running in the node. */
export interface Service {
  readonly name: string;
  readonly command: readonly string[];
  /** A file that must be there before it starts. */
  readonly after?: string;
  /** What the shell does before each start. */
  readonly before?: string;
}

export interface ServiceFlags {
  readonly kubelet: readonly string[];
  readonly kubeProxy: readonly string[];
  readonly kubeRouter: readonly string[];
}

/**
 * A containerd that starts asks each shim of its predecessor which processes it has. runwasi's shims do not tell, so it
 * forgets them and their pods are started anew; but the old ones go on, with nobody who would ever end them. They are
 * ended a little later: containerd waits for ever for a shim that died before it started.
 */
const END_ORPHANED_SHIMS = `old=$(pgrep -f [c]ontainerd-shim-wasmedge-v1)
(sleep 8; for pid in $old; do pkill -9 -P "$pid"; kill -9 "$pid"; done) >/dev/null 2>&1 &`;

/** Containerd with what K3s runs within its own process: kubelet, kube-proxy and the NetworkPolicy controller. */
export function services(flags: ServiceFlags): Service[] {
  return [
    { name: "registry", command: ["docker-registry", "serve", "/var/lib/registry.yaml"] },
    {
      name: "containerd",
      command: [
        "containerd",
        `--config=${K3S.agentDir}/etc/containerd/config.toml`,
        `--address=${K3S.containerdSocket}`,
        "--state=/run/k3s/containerd",
        `--root=${K3S.agentDir}/containerd`,
      ],
      before: END_ORPHANED_SHIMS,
    },
    { name: "kubelet", command: ["kubelet", ...flags.kubelet], after: K3S.containerdSocket },
    { name: "kube-proxy", command: ["kube-proxy", ...flags.kubeProxy] },
    { name: "kube-router", command: ["kube-router", ...flags.kubeRouter] },
  ];
}

export const REGISTRY_CONFIG = `version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: /var/lib/registry }, delete: { enabled: true } }
http: { addr: ${REGISTRY} }
`;

/**
 * Lays the services out as runit wants them: one folder each, whose `run` becomes the program.
 *
 * @returns the names of those that have changed
 */
export function writeServices(folder: string, wanted: readonly Service[]): string[] {
  return wanted.flatMap((service) => {
    const log = `/var/log/${service.name}`;
    const wait = service.after === undefined ? "" : `until [ -e ${quote(service.after)} ]; do sleep 0.1; done\n`;
    // The log's first: runit starts what it finds.
    writeScript(join(folder, service.name, "log", "run"), `mkdir -p ${log}\n`, ["svlogd", log]);
    const before = service.before === undefined ? "" : `${service.before}\n`;
    const changed = writeScript(join(folder, service.name, "run"), `exec 2>&1\n${before}${wait}`, service.command);
    return changed ? [service.name] : [];
  });
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function writeScript(file: string, before: string, command: readonly string[]): boolean {
  const quoted = command.map(quote);
  const script = `#!/bin/sh\n${before}exec ${quoted.join(" \\\n  ")}\n`;
  return writeIfChanged(file, script, 0o755);
}
