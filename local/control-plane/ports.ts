import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { ProblemsError } from "../../infra/problems";
import { writeFileAtomic } from "../files";

/** Everything that listens, always on loopback. */
export const PORT_NAMES = [
  "kubeApiserver",
  "etcd",
  "etcdPeer",
  "kubeControllerManager",
  "kubeScheduler",
  "kwokController",
  "metricsServer",
] as const;

export type PortName = (typeof PORT_NAMES)[number];
export type Ports = Readonly<Record<PortName, number>>;

/** Below the range from which the kernel takes ports for outgoing connections, so that a stopped cluster finds its own free again. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/**
 * The ports of this cluster: chosen once from those that are free, then kept, since the kubeconfig and the
 * certificates' address carry them.
 */
export async function choosePorts(file: string): Promise<Ports> {
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Partial<Record<PortName, number>>) : {};
  const ports: Partial<Record<PortName, number>> = {};
  for (const name of PORT_NAMES) {
    ports[name] = kept[name] ?? (await freePort(new Set([...Object.values(kept), ...Object.values(ports)])));
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
      fix: `stop it (ss -ltnp 'sport = :${ports[name]}' names it), or run make down, after which make up chooses new ports`,
    })),
  );
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
