import { createServer } from "node:net";
import { ProblemsError } from "../../infra/problems";
import { readIfExists, writeFileAtomic } from "../files";

/** Everything that listens, always on loopback. */
export const PORT_NAMES = [
  "kubeApiserver",
  "etcd",
  "etcdPeer",
  "kubeControllerManager",
  "kubeScheduler",
  "kwokController",
  "metricsServer",
  "gatekeeperWebhook",
  "gatekeeperHealth",
  "kedaAdapter",
  "kedaOperator",
  "kedaHealth",
  "prometheus",
  // Of whoever plays a load: nothing of the control plane's.
  "gatewayMetrics",
] as const;

export type PortName = (typeof PORT_NAMES)[number];
export type Ports = Readonly<Record<PortName, number>>;

/**
 * Taken where they are free when ports are chosen, since Pulumi.local.yaml names them, for who runs the official CLI; `make` goes
 * by the port that was chosen. Not among those that are chosen from, so that they are no other cluster's by chance.
 */
export const NAMED_PORTS: Partial<Ports> = { gatekeeperWebhook: 19_443, kedaAdapter: 19_444, prometheus: 19_445 };

/** Below the range from which the kernel takes ports for outgoing connections, so that a stopped cluster finds its own free again. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/**
 * The ports of this cluster: chosen once from those that are free, then kept, since the kubeconfig and the
 * certificates' address carry them.
 *
 * @throws ProblemsError when the file in which they are kept holds something else
 */
export async function choosePorts(file: string): Promise<Ports> {
  const kept = readPorts(file);
  const ports: Partial<Record<PortName, number>> = {};
  for (const name of PORT_NAMES) {
    const named = NAMED_PORTS[name];
    ports[name] =
      kept[name] ??
      (named !== undefined && (await isFree(named))
        ? named
        : await freePort(new Set([...Object.values(kept), ...Object.values(ports)])));
  }
  writeFileAtomic(file, `${JSON.stringify(ports, null, 2)}\n`);
  return ports as Ports;
}

/** @throws ProblemsError naming each of these ports on which something else listens. */
export async function assertFree(ports: Ports, names: readonly PortName[], file: string): Promise<void> {
  const taken: PortName[] = [];
  for (const name of names) if (!(await isFree(ports[name]))) taken.push(name);
  if (taken.length === 0) return;
  throw new ProblemsError(
    "The control plane cannot start",
    taken.map((name) => ({
      path: `${file}: ${name}`,
      value: String(ports[name]),
      limit: "another program listens on this port",
      fix: `stop it (ss -ltnp 'sport = :${ports[name]}' names it), or delete the file, and make up chooses new ports`,
    })),
  );
}

/** The ports that were chosen before; none where there is no cluster yet. */
export function readPorts(file: string): Partial<Ports> {
  const text = readIfExists(file);
  if (text === undefined) return {};
  const kept = parseJson(text);
  const isPort = (value: unknown) => Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
  if (typeof kept === "object" && kept !== null && !Array.isArray(kept) && Object.values(kept).every(isPort))
    return kept;
  throw new ProblemsError("The control plane cannot start", [
    {
      path: file,
      value: "its content",
      limit: "is not one port number for each process",
      fix: "delete it, and make up chooses new ports",
    },
  ]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function freePort(used: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (!used.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`No free port between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1`);
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
