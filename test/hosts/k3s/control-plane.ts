import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { startPart } from "./children";
import { ENCRYPTION_CONFIG } from "./certificates";
import { callEtcd, callKubernetes } from "./client";
import type { ServerConfig } from "./config";
import { API_PORT, Fatal, log, PARTS, SERVER_DIR, TLS } from "./stand-in";

type Flags = Readonly<Record<string, string | number | boolean>>;

/** A new member of etcd, and those that it finds. */
export interface EtcdCluster {
  readonly initial: readonly string[];
  readonly state: "new" | "existing";
}

/** etcd, with the flags that K3s gives it. */
export async function startEtcd(config: ServerConfig, { initial, state }: EtcdCluster): Promise<void> {
  const { nodeIp } = config;
  const dataDir = `${SERVER_DIR}/db/etcd`;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const flags: Flags = {
    name: config.nodeName,
    "data-dir": dataDir,
    "listen-client-urls": `https://127.0.0.1:2379,https://${nodeIp}:2379`,
    "advertise-client-urls": `https://${nodeIp}:2379`,
    "listen-peer-urls": `https://127.0.0.1:2380,https://${nodeIp}:2380`,
    "initial-advertise-peer-urls": peerUrl(nodeIp),
    "initial-cluster": initial.join(","),
    "initial-cluster-state": state,
    "listen-metrics-urls": "http://127.0.0.1:2381",
    "client-cert-auth": true,
    "trusted-ca-file": `${TLS}/server-ca.crt`,
    "cert-file": `${TLS}/etcd-server.crt`,
    "key-file": `${TLS}/etcd-server.key`,
    // By which its own JSON gateway asks it.
    "client-cert-file": `${TLS}/etcd-client.crt`,
    "client-key-file": `${TLS}/etcd-client.key`,
    "peer-client-cert-auth": true,
    "peer-trusted-ca-file": `${TLS}/server-ca.crt`,
    "peer-cert-file": `${TLS}/etcd-peer-server.crt`,
    "peer-key-file": `${TLS}/etcd-peer-server.key`,
    "peer-client-cert-file": `${TLS}/etcd-peer-client.crt`,
    "peer-client-key-file": `${TLS}/etcd-peer-client.key`,
    "log-level": "warn",
    "heartbeat-interval": 500,
    "election-timeout": 5000,
  };
  startPart(`${PARTS}/etcd`, withArguments(flags, config.etcdArgs));
  // A learner answers no question about keys.
  await ready("etcd", () => callEtcd("/v3/kv/range", { key: Buffer.from("/").toString("base64") }));
}

export function peerUrl(address: string): string {
  return `https://${address}:2380`;
}

/** API server, controller-manager and scheduler, with the flags that K3s gives them and then those of the config. */
export async function startControlPlane(config: ServerConfig): Promise<void> {
  const { network } = config;
  const issuer = "https://kubernetes.default.svc.cluster.local";
  const apiServer: Flags = {
    "advertise-address": config.nodeIp,
    "allow-privileged": true,
    "anonymous-auth": false,
    "api-audiences": `${issuer},k3s`,
    "authorization-mode": "Node,RBAC",
    "bind-address": "0.0.0.0",
    "cert-dir": `${TLS}/temporary-certs`,
    "client-ca-file": `${TLS}/client-ca.crt`,
    "enable-admission-plugins": "NodeRestriction",
    "enable-aggregator-routing": true,
    "enable-bootstrap-token-auth": true,
    ...(config.secretsEncryption && {
      "encryption-provider-config": ENCRYPTION_CONFIG,
      "encryption-provider-config-automatic-reload": true,
    }),
    "etcd-cafile": `${TLS}/server-ca.crt`,
    "etcd-certfile": `${TLS}/etcd-client.crt`,
    "etcd-keyfile": `${TLS}/etcd-client.key`,
    "etcd-servers": "https://127.0.0.1:2379",
    "kubelet-certificate-authority": `${TLS}/server-ca.crt`,
    "kubelet-client-certificate": `${TLS}/client-kube-apiserver.crt`,
    "kubelet-client-key": `${TLS}/client-kube-apiserver.key`,
    "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
    profiling: false,
    "proxy-client-cert-file": `${TLS}/client-auth-proxy.crt`,
    "proxy-client-key-file": `${TLS}/client-auth-proxy.key`,
    "requestheader-allowed-names": "system:auth-proxy",
    "requestheader-client-ca-file": `${TLS}/client-ca.crt`,
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-username-headers": "X-Remote-User",
    "secure-port": API_PORT,
    "service-account-issuer": issuer,
    "service-account-key-file": `${TLS}/service.key`,
    "service-account-signing-key-file": `${TLS}/service.key`,
    "service-cluster-ip-range": network.serviceCidr,
    "service-node-port-range": "30000-32767",
    "storage-backend": "etcd3",
    "tls-cert-file": `${TLS}/serving-kube-apiserver.crt`,
    "tls-private-key-file": `${TLS}/serving-kube-apiserver.key`,
  };
  mkdirSync(`${SERVER_DIR}/logs`, { recursive: true, mode: 0o700 });
  startPart(`${PARTS}/kube-apiserver`, withArguments(apiServer, config.apiServerArgs));
  await ready("the API server", () => callKubernetes("GET", "/readyz"));

  const kubeconfigs = (name: string): Flags => ({
    "authentication-kubeconfig": `${TLS}/client-${name}.kubeconfig`,
    "authorization-kubeconfig": `${TLS}/client-${name}.kubeconfig`,
    "bind-address": "127.0.0.1",
    kubeconfig: `${TLS}/client-${name}.kubeconfig`,
    profiling: false,
  });
  const controllerManager: Flags = {
    ...kubeconfigs("controller"),
    "allocate-node-cidrs": true,
    "cluster-cidr": network.clusterCidr,
    "cluster-signing-cert-file": `${TLS}/client-ca.crt`,
    "cluster-signing-key-file": `${TLS}/server-ca.key`,
    "configure-cloud-routes": false,
    controllers: "*,tokencleaner",
    "root-ca-file": `${TLS}/server-ca.crt`,
    "secure-port": 10257,
    "service-account-private-key-file": `${TLS}/service.key`,
    "service-cluster-ip-range": network.serviceCidr,
    "use-service-account-credentials": true,
  };
  startPart(`${PARTS}/kube-controller-manager`, withArguments(controllerManager, config.controllerManagerArgs));
  const scheduler: Flags = { ...kubeconfigs("scheduler"), "secure-port": 10259 };
  startPart(`${PARTS}/kube-scheduler`, withArguments(scheduler, config.schedulerArgs));
}

/** As K3s does it: an argument of the config takes the place of K3s's own of that name. */
function withArguments(flags: Flags, args: readonly string[]): string[] {
  const given = new Set(args.map((arg) => arg.split("=", 1)[0]));
  const own = Object.entries(flags).filter(([name]) => !given.has(name));
  return [...own.map(([name, value]) => `${name}=${value}`), ...args].map((flag) => `--${flag}`);
}

/** K3s waits for as long as it takes, and says so; what dies meanwhile ends it. */
async function ready(what: string, ask: () => Promise<unknown>): Promise<void> {
  for (let waited = 0; waited < 300_000; waited += 250) {
    try {
      await ask();
      return;
    } catch (error) {
      if (waited > 0 && waited % 10_000 === 0) log("info", `Waiting for ${what} to become available: ${String(error)}`);
    }
    await sleep(250);
  }
  throw new Fatal(`${what} did not get ready`);
}
