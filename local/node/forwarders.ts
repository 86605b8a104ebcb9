import { dirname, join } from "node:path";
import type { PortName, Ports } from "../control-plane/ports";
import { isAlive, type Daemon } from "../control-plane/processes";
import type { Link } from "./network";

/** Something of the control plane that the node and its pods reach. */
interface Forwarder {
  /** As a status names it. */
  readonly name: string;
  /** Its port on this machine's loopback. */
  readonly to: PortName;
  /** The port at this machine's end of the link, where it is not the same. */
  readonly port?: number;
  /** Sets its files apart from the others'. */
  readonly suffix: string;
}

/**
 * The control plane listens on loopback alone; these listen at this machine's end of the link, which only the node and its
 * pods reach. The node needs the API server, as a K3s agent reaches its servers through a proxy of its own. The others
 * have metrics, on the ports that K3s gives them, and ask the API server who may read them. etcd is not among them: it
 * tells everybody everything.
 */
const FORWARDERS: readonly Forwarder[] = [
  { name: "api-forwarder", to: "kubeApiserver", suffix: "" },
  { name: "controller-manager-forwarder", to: "kubeControllerManager", port: 10_257, suffix: "-controller-manager" },
  { name: "scheduler-forwarder", to: "kubeScheduler", port: 10_259, suffix: "-scheduler" },
];

export interface ForwarderArgs {
  /** The node's own folder. */
  readonly folder: string;
  readonly link: Link;
  /** The root file system that has socat. */
  readonly rootFs: string;
  readonly ports: Ports;
}

export function forwarderDaemons({ folder, link, rootFs, ports }: ForwarderArgs): Daemon[] {
  return FORWARDERS.map((forwarder) => {
    const { pidFile, logFile } = filesOf(forwarder, folder);
    const to = ports[forwarder.to];
    return {
      pidFile,
      logFile,
      command: "chroot",
      args: [
        rootFs,
        "socat",
        // The name that its messages begin with; by it a later command knows the process for this one.
        `-lp${dirname(dirname(pidFile))}`,
        `TCP-LISTEN:${forwarder.port ?? to},bind=${link.host},fork,reuseaddr`,
        `TCP:127.0.0.1:${to}`,
      ],
    };
  });
}

export function forwarderPidFiles(folder: string): string[] {
  return FORWARDERS.map((forwarder) => filesOf(forwarder, folder).pidFile);
}

export function forwarderStatus(folder: string): { name: string; running: boolean; log: string }[] {
  return FORWARDERS.map((forwarder) => {
    const { pidFile, logFile } = filesOf(forwarder, folder);
    return { name: forwarder.name, running: isAlive(pidFile), log: logFile };
  });
}

/** A pid file is named after its program, and two of them lie in folders of their own. */
function filesOf({ suffix }: Forwarder, folder: string): { pidFile: string; logFile: string } {
  return { pidFile: join(folder, `pids${suffix}`, "socat.pid"), logFile: join(folder, `logs/socat${suffix}.log`) };
}
