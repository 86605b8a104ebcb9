import { parseConfig, type K3sClusterConfig } from "../../../../infra/config";
import { questionsFor, type Facts } from "../../../../local/hosts/facts";
import type { Expected } from "../../../../local/hosts/judge";

export const HOST_KEY = `ssh-ed25519 ${"A".repeat(68)}`;

/** A cluster of three servers and one agent. */
export function cluster(changes: object = {}): K3sClusterConfig {
  const host = (name: string, last: number) => ({ name, host: `192.0.2.${last}`, hostKey: HOST_KEY });
  const { cluster } = parseConfig({
    cluster: {
      kind: "k3s",
      servers: [host("server-1", 11), host("server-2", 12), host("server-3", 13)],
      agents: [host("agent-1", 21)],
      ...changes,
    },
  });
  if (cluster.kind !== "k3s") throw new Error("not a K3s cluster");
  return cluster;
}

const NOW = 1_800_000_000_000;

/** What one of its hosts is held against; it was asked at NOW, and answered 400 ms later. */
export function expected(of: K3sClusterConfig, name = "agent-1"): Expected {
  const host = [...of.servers, ...of.agents].find((one) => one.name === name);
  if (!host) throw new Error(`no host ${name}`);
  return { cluster: of, host, questions: questionsFor(of, host, ["vm.panic_on_oom"]), asked: NOW, answered: NOW + 400 };
}

/** What a host says with which nothing is wrong, but for the changes. */
export function facts({ questions }: Expected, changes: Readonly<Record<string, string>> = {}): Facts {
  const all = (prefix: string, names: readonly string[], value: string) =>
    names.map((name): [string, string] => [`${prefix}.${name}`, value]);
  return new Map([
    ...Object.entries({
      "clock.begin": String(NOW / 1000 + 0.2),
      "clock.end": String(NOW / 1000 + 0.3),
      os: "Debian GNU/Linux 12 (bookworm)",
      init: "systemd",
      machine: "x86_64",
      kernel: "6.1.0-25-amd64",
      "cgroup.version": "2",
      "cgroup.controllers": "cpuset cpu io memory hugetlb pids",
      cpus: "32",
      memory: String(126 * 1024 ** 3),
      swap: "0",
      "free./var/lib/rancher": String(100 * 1024 ** 3),
      "free./usr/local/bin": String(100 * 1024 ** 3),
      k3s: "none",
    }),
    ...all("module", questions.modules, "there"),
    ...all("program", questions.programs, "there"),
    ...all("port", questions.ports, "free"),
    ...all(
      "peer",
      questions.peers.map((peer) => peer.replace(" ", ":")),
      "Connection refused",
    ),
    ...all("url", questions.urls, "206"),
    ...Object.entries(changes),
  ]);
}
