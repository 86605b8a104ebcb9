import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join as path } from "node:path";
import { writeFileAtomic } from "../../../local/files";
import { applyAddOns, labelServer } from "./add-ons";
import { runAgent } from "./agent";
import { keepBootstrap, takeBootstrap } from "./bootstrap";
import { clusterAuthority, serverCertificates } from "./certificates";
import type { ServerConfig } from "./config";
import { peerUrl, startControlPlane, startEtcd, type EtcdCluster } from "./control-plane";
import { announceEncryption } from "./encryption";
import { admit, agentAnswer, answerJoins, keepTokens, promoteLearners, type ServerAnswer } from "./joining";
import { clearResetFlag } from "./restore";
import { keepSnapshots } from "./snapshots";
import { API_PORT, log, SERVER_DIR } from "./stand-in";
import { join, nodePassword } from "./token";

/** Runs a server: the control plane, who answers joining nodes and, unless that is disabled, a node. */
export async function runServer(config: ServerConfig, notify: () => void): Promise<void> {
  for (const folder of [SERVER_DIR, `${SERVER_DIR}/manifests`]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  clearResetFlag();
  const members = await enter(config);
  const authority = await clusterAuthority();
  const tokens = keepTokens(config, authority);
  await serverCertificates(config, authority);
  await startEtcd(config, members);
  // What another server has changed while this one was not there.
  if (!(await takeBootstrap(tokens.server))) await keepBootstrap(tokens.server);
  await startControlPlane(config);
  await answerJoins(config, authority, tokens);
  applyAddOns(config);
  void keepSnapshots(config);
  void promoteLearners();
  log("info", "k3s is up and running");
  notify();
  if (config.agentDisabled) return;
  await admit({ name: config.nodeName, address: config.nodeIp, password: nodePassword() });
  const answer = await agentAnswer({ name: config.nodeName, address: config.nodeIp, password: "" }, config, authority);
  await runAgent(config, `https://127.0.0.1:${API_PORT}`, answer);
  await labelServer(config.nodeName);
  await announceEncryption(config);
}

/** Whose etcd this server's is one of: a new cluster's, or that of the server that it joins, which gives it the keys. */
async function enter(config: ServerConfig): Promise<EtcdCluster> {
  const own = [`${config.nodeName}=${peerUrl(config.nodeIp)}`];
  // A member that has been started knows the others by itself.
  if (existsSync(`${SERVER_DIR}/db/etcd/member`) || config.server === undefined) return { initial: own, state: "new" };
  const { files, members } = await join<ServerAnswer>(config, "/v1-k3s/server", "server");
  for (const [name, content] of Object.entries(files)) {
    writeFileAtomic(path(SERVER_DIR, name), content);
    if (name.endsWith(".crt")) chmodSync(path(SERVER_DIR, name), 0o644);
  }
  return { initial: members, state: "existing" };
}
