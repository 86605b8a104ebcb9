import type { Session } from "../engine/commands";
import type { OpenHosts } from "./open";
import type { Host } from "./ssh";
import { step } from "./step";

/** The first server, which made the cluster and which the others have joined, and those others. */
export function serversOf({ cluster }: Pick<OpenHosts, "cluster">): readonly [Host, readonly Host[]] {
  const [first, ...others] = cluster.servers;
  if (!first) throw new Error("a cluster has at least one server");
  return [first, others];
}

/** Starts K3s on a server, also where it runs if told so; ends when its API server and its node are ready. */
export async function startServer(
  session: Session,
  { shell }: Pick<OpenHosts, "shell">,
  host: Host,
  how: "start" | "restart",
): Promise<void> {
  const settings = { NODE: host.name, RESTART: how === "restart" ? "yes" : "no" };
  const doing = `${how}ing K3s, until its API server and its node are ready`;
  await step(
    session,
    host.name,
    doing,
    () => shell.run(host, "start-server", settings),
    () => "ready",
  );
}

/**
 * Takes a snapshot of etcd on the first server, and gives its file there.
 *
 * @param name - what the file's name begins with
 */
export async function takeSnapshot(
  session: Session,
  open: Pick<OpenHosts, "cluster" | "shell">,
  name: string,
): Promise<string> {
  const [first] = serversOf(open);
  const work = async () => (await open.shell.run(first, "take-snapshot", { NAME: name })).trim();
  return step(session, "snapshot", `taking it on ${first.name}`, work, (file) => file.split("/").pop() ?? file);
}
