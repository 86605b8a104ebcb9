import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { addOns } from "../../../local/node/add-ons";
import { callKubernetes } from "./client";
import type { ServerConfig } from "./config";
import { Fatal, IMAGES, KUBECONFIG, log, PARTS, SERVER_DIR } from "./stand-in";

/** The runtimes for which K3s v1.30 has a RuntimeClass. */
const RUNTIMES = [
  "crun",
  "lunatic",
  "nvidia",
  "nvidia-experimental",
  "slight",
  "spin",
  "wasmedge",
  "wasmer",
  "wasmtime",
  "wws",
];

/** What K3s writes into a cluster at each start, over whatever somebody has made of it. */
export function applyAddOns({ network, disabled }: ServerConfig): void {
  const off = (name: string) => disabled.includes(name) || existsSync(`${SERVER_DIR}/manifests/${name}.yaml.skip`);
  const all = addOns({ coredns: IMAGES.coredns, metricsServer: IMAGES.metricsServer }, network);
  const wanted = all.filter(
    (object) => !["coredns", "metrics-server"].some((name) => off(name) && belongsTo(object, name)),
  );
  const runtimes = off("runtimes") ? [] : RUNTIMES.map(runtimeClass);
  for (const name of ["traefik", "servicelb", "local-storage"].filter((one) => !off(one)))
    log("warning", `The stand-in brings no ${name}; K3s would`);
  apply([...wanted, ...runtimes]);
}

/** Labels by which people and tools tell servers; a kubelet may not give them to its own node. */
export async function labelServer(nodeName: string): Promise<void> {
  const roles = ["control-plane", "etcd", "master"].map((role) => [`node-role.kubernetes.io/${role}`, "true"]);
  const patch = { metadata: { labels: Object.fromEntries(roles) } };
  await callKubernetes("PATCH", `/api/v1/nodes/${nodeName}`, patch, "application/merge-patch+json");
}

function belongsTo(object: object, name: string): boolean {
  const { kind, metadata } = object as { kind: string; metadata: { name: string } };
  const others: Readonly<Record<string, readonly string[]>> = {
    coredns: ["kube-dns", "system:coredns"],
    "metrics-server": ["v1beta1.metrics.k8s.io", "system:metrics-server", "system:aggregated-metrics-reader"],
  };
  return kind !== "Namespace" && (metadata.name.startsWith(name) || (others[name]?.includes(metadata.name) ?? false));
}

function runtimeClass(name: string): object {
  return { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", metadata: { name }, handler: name };
}

function apply(objects: readonly object[]): void {
  const args = ["apply", "--server-side", "--force-conflicts", "--field-manager=deploy@k3s", "-f", "-"];
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const { status, stderr } = spawnSync(`${PARTS}/kubectl`, ["--kubeconfig", KUBECONFIG, ...args], {
    input,
    encoding: "utf8",
  });
  if (status !== 0) throw new Fatal(`add-ons: ${stderr.trim()}`);
}
