import { inputsOf, problemAt } from "../kubernetes";
import { ifKnown, type GraphPolicy, type Judged, type ResourcePolicy } from "../policy";

export const sshHostKeys: ResourcePolicy = {
  name: "ssh-host-keys",
  description: "A host is entered only where its key is known beforehand, and so is its bastion.",
  judge: (resource, _facts, report) => {
    const connection = inputsOf(resource, "command:remote:Command")?.connection;
    if (connection === undefined) return;
    for (const [field, login] of Object.entries({ connection, "connection.proxy": connection.proxy })) {
      if (login === undefined || (login.hostKey ?? "") !== "") continue;
      report(
        problemAt(resource, `${field}.hostKey`, {
          value: `missing for ${login.host}`,
          limit: "whoever answers at that address is believed, and given the cluster's tokens",
          fix: "set hostKey of that host in the stack's file: ssh-keyscan -t ed25519, checked on the host itself",
        }),
      );
    }
  },
};

/** Minor versions that a kubelet may be older than the API server: Kubernetes' version skew policy, from 1.28 on. */
const KUBELET_BEHIND = 3;
/** And API servers than each other, while one after the other is upgraded. */
const SERVERS_APART = 1;

interface Installation {
  readonly resource: Judged;
  readonly role: string;
  readonly version: string;
  readonly minor: number;
}

export const k3sVersionSkew: GraphPolicy = {
  name: "k3s-version-skew",
  description: "Servers and agents are of versions that Kubernetes lets stand side by side.",
  judgeAll: (resources, _facts, report) => {
    const all = resources.flatMap((resource) => installationOf(resource) ?? []);
    const servers = all.filter(({ role }) => role === "server");
    const oldest = Math.min(...servers.map(({ minor }) => minor));
    const newest = servers.find(({ minor }) => minor === Math.max(...servers.map((server) => server.minor)));
    if (newest === undefined) return;
    for (const { resource, role, version, minor } of all) {
      const limit =
        role === "server"
          ? newest.minor - minor > SERVERS_APART && `a server of ${newest.version} is in the same cluster`
          : minor > oldest
            ? "an agent may not be newer than a server"
            : newest.minor - minor > KUBELET_BEHIND &&
              `more than ${KUBELET_BEHIND} minor versions behind ${newest.version}`;
      if (limit === false) continue;
      report(
        resource,
        problemAt(resource, "create", { value: version, limit, fix: "install one version on all: cluster.version" }),
      );
    }
  },
};

/** What a command installs, by the settings in front of its script. */
function installationOf(resource: Judged): Installation | undefined {
  const script = ifKnown(() => inputsOf(resource, "command:remote:Command")?.create) ?? "";
  const setting = (name: string) => new RegExp(`^${name}='(?:\\\\'')?([^'\\\\]*)`, "m").exec(script)?.[1];
  const [role, version] = [setting("ROLE"), setting("VERSION")];
  const minor = Number(/^v1\.(\d+)\./.exec(version ?? "")?.[1]);
  return role !== undefined && version !== undefined && minor > 0 ? { resource, role, version, minor } : undefined;
}

export const stackBudget: GraphPolicy = {
  name: "stack-budget",
  description: "The stack's hosts are no more than its environment may cost.",
  judgeAll: (resources, { config, plan, settings }, report) => {
    const [first] = resources;
    const { hosts: most } = settings;
    if (first === undefined || most === undefined) return;
    const servers = config.cluster.kind === "k3s" ? config.cluster.servers.length : 0;
    const { agents } = plan.topology;
    if (servers + agents <= most) return;
    const atPeak = plan.cost.platform.hosts.toFixed(1);
    report(first, {
      path: "cluster.agents",
      value: `${servers + agents} hosts`,
      limit: `the environment's budget is ${most}; functions take ${atPeak} of ${agents} agents at peak`,
      fix: "drop agents, or raise stack-budget.hosts of the environment",
    });
  },
};
