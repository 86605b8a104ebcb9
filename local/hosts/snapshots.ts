import { ProblemsError } from "../../infra/problems";
import { humanBytes } from "../../infra/units";
import { confirmByName } from "../confirm";
import type { Session } from "../engine/commands";
import { table } from "../table";
import { withHostsLocked } from "./open";
import { serversOf, startServer, takeSnapshot } from "./servers";
import type { Host } from "./ssh";
import { step } from "./step";

/** One of etcd's snapshots, a file on a server. */
export interface Snapshot {
  readonly name: string;
  readonly bytes: number;
  /** As the server's clock had it. */
  readonly taken: string;
}

/** Takes a snapshot of etcd on the first server, and tells its name and where it is. */
export async function snapshot(session: Session, stackName: string): Promise<void> {
  await withHostsLocked(session, stackName, async (open) => {
    const [first] = serversOf(open);
    const file = await takeSnapshot(session, open, "on-demand");
    const name = file.split("/").pop() ?? file;
    session.print(`Snapshot ${name}`);
    session.print(`  is on ${first.name}: ${file}`);
    session.print(`  restore it by: make restore STACK=${stackName} SNAPSHOT=${name}`);
  });
}

/**
 * Takes the cluster's state back to a snapshot of the first server: K3s stops on all servers, the first one makes a new
 * etcd of the snapshot, and the others join it one after the other (https://docs.k3s.io/cli/etcd-snapshot). Agents and their
 * pods go on. Run again after an interruption, it starts over from the same snapshot.
 *
 * @throws ProblemsError for a name that is none of the first server's snapshots
 */
export async function restore(session: Session, stackName: string): Promise<void> {
  const name = process.env["SNAPSHOT"] ?? "";
  await withHostsLocked(session, stackName, async (open) => {
    const { shell } = open;
    const [first, others] = serversOf(open);
    // All of them are asked, so that no server is stopped while another cannot be entered.
    const lists = await Promise.all(
      [first, ...others].map((server) => shell.run(server, "list-snapshots", {}, session.signal)),
    );
    const snapshots = parseSnapshots(lists[0] ?? "");
    assertKnown(name, snapshots, first, session.print);
    const warning = `The state of ${stackName}'s cluster goes back to ${name}. What was changed after that is lost.`;
    await confirmByName(session.print, stackName, warning, "Nothing was restored");

    const all = [first, ...others];
    await step(session, "servers", "stopping K3s on all of them", () =>
      Promise.all(all.map((server) => shell.run(server, "stop-server"))),
    );
    await step(session, first.name, `restoring ${name}`, () =>
      shell.run(first, "restore-snapshot", { SNAPSHOT: name }),
    );
    await startServer(session, open, first, "start");
    for (const server of others) {
      await step(session, server.name, "removing its copy of the former state", () =>
        shell.run(server, "forget-database"),
      );
      await startServer(session, open, server, "start");
    }
    session.print(
      `The cluster's state is that of ${name}. make preview STACK=${stackName} tells what differs from the config.`,
    );
  });
}

/** As `list-snapshots.sh` tells them. */
export function parseSnapshots(text: string): Snapshot[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [name = "", bytes = "", taken = ""] = line.split("\t");
    return { name, bytes: Number(bytes), taken };
  });
}

function assertKnown(name: string, snapshots: readonly Snapshot[], server: Host, print: (text: string) => void): void {
  if (snapshots.some((one) => one.name === name)) return;
  const rows = snapshots.map((one) => [one.name, humanBytes(one.bytes), one.taken]);
  if (snapshots.length > 0) print(table([["SNAPSHOT", "SIZE", "TAKEN"], ...rows]));
  const newest = snapshots[0];
  throw new ProblemsError("Nothing was restored", [
    {
      path: "SNAPSHOT",
      value: name || "not set",
      limit: `is none of the ${snapshots.length} snapshots of ${server.name}`,
      fix: newest
        ? `use a name of the list above, for example SNAPSHOT=${newest.name}; one of another server has to be copied to ${server.name} first`
        : "copy one to /var/lib/rancher/k3s/server/db/snapshots there first",
    },
  ]);
}
