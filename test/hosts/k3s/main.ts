import { spawnSync } from "node:child_process";
import { join } from "./token";
import { runAgent } from "./agent";
import { end, endParts } from "./children";
import { readConfig, type ServerConfig } from "./config";
import { encryptionCommand } from "./encryption-command";
import type { JoinAnswer } from "./joining";
import { resetCluster } from "./restore";
import { runServer } from "./server";
import { snapshotCommand } from "./snapshots";
import { Fatal, KUBECONFIG, log, PARTS, VERSION } from "./stand-in";
import { K3S } from "../../../local/node/k3s-agent";

/**
 * A stand-in for the `k3s` binary where that cannot be had. What it starts is real: etcd, Kubernetes' programs,
 * kube-router, containerd. What is its own is what K3s adds to them: that they are set up from
 * `/etc/rancher/k3s/config.yaml`, with certificates, tokens and add-ons of its making. What it does not know, it refuses.
 */
async function main([command = "", ...argv]: readonly string[]): Promise<void> {
  switch (command) {
    case "server":
      process.title = "/usr/local/bin/k3s server";
      return serverCommand(readConfig("server", argv));
    case "agent": {
      process.title = "/usr/local/bin/k3s agent";
      const config = readConfig("agent", argv);
      const answer = await join<JoinAnswer>(config, "/v1-k3s/node", "node");
      await runAgent(config, config.server ?? "", answer);
      log("info", "k3s agent is up and running");
      notify();
      return;
    }
    case "kubectl":
      return become(`${PARTS}/kubectl`, argv, { KUBECONFIG: process.env["KUBECONFIG"] ?? KUBECONFIG });
    case "ctr":
      return become("/usr/bin/ctr", ["--address", K3S.containerdSocket, "--namespace", "k8s.io", ...argv], {});
    case "secrets-encrypt":
      return encryptionCommand(argv);
    case "etcd-snapshot":
      return snapshotCommand(argv, readConfig("server", []));
    case "--version":
    case "-v":
      process.stdout.write(`k3s version ${VERSION} (stand-in: starts the real Kubernetes parts)\n`);
      return;
    default:
      throw new Fatal(`k3s ${command}: not known to the stand-in`);
  }
}

/** Runs for good, or makes a new cluster of a snapshot and ends. */
async function serverCommand(config: ServerConfig): Promise<void> {
  if (!config.clusterReset) return runServer(config, notify);
  await resetCluster(config, config.restorePath);
}

/** Ends with what the program ends with. */
function become(program: string, args: readonly string[], env: NodeJS.ProcessEnv): never {
  const { status } = spawnSync(program, args, { stdio: "inherit", env: { ...process.env, ...env } });
  process.exit(status ?? 1);
}

/** Tells systemd that the unit has started, where it waits for that. */
function notify(): void {
  if (!process.env["NOTIFY_SOCKET"]) return;
  const { status, stderr } = spawnSync("systemd-notify", ["--ready", `--pid=${process.pid}`], { encoding: "utf8" });
  if (status !== 0) log("error", `systemd was not told: ${stderr.trim()}`);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    log("info", `Shutting down on ${signal}; containers go on`);
    void endParts().then(() => process.exit(0));
  });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  end(error instanceof Fatal ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error));
});
