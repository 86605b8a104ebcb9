import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { takeBootstrap } from "./bootstrap";
import { clusterAuthority, serverCertificates } from "./certificates";
import { endParts } from "./children";
import type { ServerConfig } from "./config";
import { peerUrl, startEtcd } from "./control-plane";
import { keepTokens } from "./joining";
import { Fatal, log, PARTS, SERVER_DIR } from "./stand-in";

const ETCD = `${SERVER_DIR}/db/etcd`;

/** Keeps one reset from following another by mistake; a normal start removes it. */
const RESET_FLAG = `${SERVER_DIR}/db/reset-flag`;

/**
 * `k3s server --cluster-reset --cluster-reset-restore-path=FILE`: etcd becomes a cluster of this server alone with what is
 * in the snapshot, and the command ends (https://docs.k3s.io/cli/etcd-snapshot).
 */
export async function resetCluster(config: ServerConfig, snapshot: string | undefined): Promise<void> {
  await refuseReset(config, snapshot);
  if (snapshot === undefined) return;
  const authority = await clusterAuthority();
  const tokens = keepTokens(config, authority);
  await serverCertificates(config, authority);
  // A snapshot that is cut off or changed is refused before what is there is put aside.
  const restored = `${ETCD}-restored`;
  rmSync(restored, { recursive: true, force: true });
  restore(config, snapshot, restored);
  if (existsSync(ETCD)) renameSync(ETCD, `${ETCD}-old-${Math.floor(Date.now() / 1000)}`);
  renameSync(restored, ETCD);
  await startEtcd(config, { initial: [member(config)], state: "new" });
  if (!(await takeBootstrap(tokens.server)))
    throw new Fatal("the snapshot holds no bootstrap data for this server's token");
  await endParts();
  writeFileSync(RESET_FLAG, "", { mode: 0o600 });
  log(
    "info",
    "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. " +
      `Backup and delete ${SERVER_DIR}/db on each peer etcd server and rejoin the nodes`,
  );
}

export function clearResetFlag(): void {
  rmSync(RESET_FLAG, { force: true });
}

async function refuseReset({ server }: ServerConfig, snapshot: string | undefined): Promise<void> {
  if (server !== undefined)
    throw new Fatal(
      "cannot perform cluster-reset while server URL is set - remove server from configuration before resetting",
    );
  if (existsSync(RESET_FLAG))
    throw new Fatal(
      "Managed etcd cluster membership was already reset, please remove the cluster-reset flag and start k3s normally. " +
        `If you need to perform another cluster reset, you must first manually delete the file at ${RESET_FLAG}`,
    );
  if (snapshot === undefined)
    throw new Fatal("cluster-reset: without cluster-reset-restore-path it is not known to the stand-in");
  if (!existsSync(snapshot)) throw new Fatal(`start managed database: etcd: snapshot path does not exist: ${snapshot}`);
  if (await listens(2379)) throw new Fatal("listen tcp 127.0.0.1:2379: bind: address already in use");
}

function restore(config: ServerConfig, snapshot: string, folder: string): void {
  mkdirSync(`${SERVER_DIR}/db`, { recursive: true, mode: 0o700 });
  const { status, stderr } = spawnSync(
    `${PARTS}/etcdutl`,
    [
      ...["snapshot", "restore", snapshot, `--data-dir=${folder}`, `--name=${config.nodeName}`],
      ...[`--initial-cluster=${member(config)}`, `--initial-advertise-peer-urls=${peerUrl(config.nodeIp)}`],
    ],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Fatal(`start managed database: etcd: ${stderr.trim().split("\n").pop() ?? ""}`);
}

function member({ nodeName, nodeIp }: ServerConfig): string {
  return `${nodeName}=${peerUrl(nodeIp)}`;
}

function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => done((socket.destroy(), true)));
    socket.once("error", () => done(false));
  });
}
