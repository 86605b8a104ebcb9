import { join } from "node:path";
import type { K3sClusterConfig } from "../../infra/config";
import { missingHostKeys } from "../../infra/host-keys";
import { planStack, type Plan } from "../../infra/plan";
import { ProblemsError } from "../../infra/problems";
import type { Session } from "../engine/commands";
import { PROJECT, readStackFile, type StackFile } from "../engine/stack-file";
import { openStackForPreview } from "../engine/workspace";
import { withLock } from "../lock";
import { ensureTools } from "../tools/resolve";
import { HostShell } from "./ssh";

/** The hosts of a stack, ready to be entered. */
export interface OpenHosts {
  readonly file: StackFile;
  readonly cluster: K3sClusterConfig;
  readonly plan: Plan;
  readonly shell: HostShell;
}

/** Opens a stack's hosts for as long as the work takes; no key is left behind, however it ends. */
export async function withHosts<T>(
  session: Session,
  stackName: string,
  work: (hosts: OpenHosts) => Promise<T>,
): Promise<T> {
  const { paths, progress, signal } = session;
  const file = readStackFile(paths.root, stackName);
  const cluster = k3sCluster(file);
  const plan = planStack(file.config);
  await ensureTools(["pulumi"], { paths, progress, signal });
  const keys = await sshKeys(session, file, cluster);
  const hosts = [...cluster.servers, ...cluster.agents];
  const shell = HostShell.open(join(paths.scratch, "ssh"), hosts, keys);
  try {
    return await work({ file, cluster, plan, shell });
  } finally {
    shell.close();
  }
}

/** As `withHosts`, for what changes hosts: one such command at a time on this machine. */
export function withHostsLocked<T>(
  session: Session,
  stackName: string,
  work: (hosts: OpenHosts) => Promise<T>,
): Promise<T> {
  const { paths, progress, signal } = session;
  const waitingMessage = "Waiting for another command on these hosts";
  const options = { waitingMessage, onWait: (text: string) => progress.note(text), signal };
  return withLock(join(paths.home, `hosts-${stackName}.lock`), options, () => withHosts(session, stackName, work));
}

function k3sCluster({ config, stack }: StackFile): K3sClusterConfig {
  if (config.cluster.kind === "k3s") return config.cluster;
  throw new ProblemsError(`Stack ${stack} has no hosts`, [
    {
      path: "cluster.kind",
      value: config.cluster.kind,
      limit: "only a cluster of kind k3s is made of hosts that can be entered",
      fix: "name another stack by STACK=",
    },
  ]);
}

/** Decrypted by the engine, as the stack's own secrets provider wants it. */
async function sshKeys(
  { paths, progress, signal }: Session,
  file: StackFile,
  cluster: K3sClusterConfig,
): Promise<Readonly<Record<string, string>>> {
  let keys: Readonly<Record<string, string>> = {};
  if (file.settings.config?.[`${PROJECT}:sshKeys`] !== undefined) {
    const task = progress.task("keys", "decrypting the hosts' SSH keys");
    try {
      const nothing = () => Promise.resolve();
      const { stack } = await openStackForPreview(file, paths, nothing, join(paths.scratch, "keys"));
      keys = textMap((await stack.getConfig("sshKeys")).value);
      task.done("decrypted");
    } catch (error) {
      task.fail("cannot be decrypted");
      throw error;
    }
    signal.throwIfAborted();
  }
  const problems = missingHostKeys(cluster, keys, file.stack);
  if (problems.length > 0) throw new ProblemsError("The hosts cannot be entered", problems);
  return keys;
}

/** What JSON cannot read is not told: it may be a key. */
function textMap(json: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "string"))
      return value as Record<string, string>;
  } catch {
    // Told below.
  }
  throw new ProblemsError("The hosts cannot be entered", [
    {
      path: "sshKeys",
      value: "a secret",
      limit: "must be private keys by name",
      fix: `set each by: pulumi config set --secret --path 'sshKeys["default"]' < its-file`,
    },
  ]);
}
