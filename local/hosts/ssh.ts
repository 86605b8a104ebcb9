import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostCommand, type HostScript } from "../../components/cluster/host-script";
import type { K3sClusterConfig } from "../../infra/config";
import { ProblemsError, type Problem } from "../../infra/problems";
import { CommandError, run } from "../run";

export type Host = K3sClusterConfig["servers"][number];

/** A step on a host that went wrong, or the way to it. */
export class HostError extends CommandError {}

/** OpenSSH's own exit code for all that goes wrong with the connection. */
const SSH_FAILED = "failed with code 255";

/**
 * The system's OpenSSH with a config, keys and known hosts of its own: nothing of the user's `~/.ssh` and no agent is asked,
 * and whoever answers with another key than the config's is refused.
 */
export class HostShell {
  private constructor(private readonly folder: string) {}

  /**
   * Writes what OpenSSH needs to a new folder. Private keys are in there, so whoever opens it has to close it.
   *
   * @param keys - private keys by the name that hosts call them by
   */
  static open(folder: string, hosts: readonly Host[], keys: Readonly<Record<string, string>>): HostShell {
    const logins = hosts.flatMap((host) => [
      host,
      ...(host.bastion ? [{ ...host.bastion, name: bastionOf(host) }] : []),
    ]);
    const problems = logins.flatMap(unfit);
    if (problems.length > 0) throw new ProblemsError("The hosts cannot be entered", problems);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const write = (name: string, content: string) => writeFileSync(join(folder, name), content, { mode: 0o600 });
    for (const name of new Set(logins.map(({ key }) => key))) write(`key-${name}`, `${(keys[name] ?? "").trim()}\n`);
    write("known_hosts", logins.flatMap(({ name, hostKey }) => (hostKey ? [`${name} ${hostKey}\n`] : [])).join(""));
    const jumps = new Map(hosts.flatMap((host) => (host.bastion ? [[host.name, bastionOf(host)]] : [])));
    write("config", [...logins.map((login) => entry(login, folder, jumps.get(login.name))), COMMON].join("\n"));
    return new HostShell(folder);
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /**
   * Runs a script as root on a host, and gives what it printed.
   *
   * @param signal - ends it at once; without one, it is finished whatever the user asks meanwhile
   * @throws HostError
   */
  async run(
    host: Pick<Host, "name" | "user">,
    script: HostScript,
    settings: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
  ): Promise<string> {
    const args = ["-F", join(this.folder, "config"), host.name, hostCommand(script, settings, host.user)];
    try {
      return await run("ssh", args, { env: ENVIRONMENT, ...(signal ? { signal } : { ownGroup: true }) });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new HostError(`${script} on ${host.name}`, error.output, error.how);
    }
  }
}

/** Nothing else of this process's: the engine's passphrase is in there. */
const ENVIRONMENT = { PATH: process.env["PATH"], HOME: process.env["HOME"], SHELL: "/bin/sh", LC_ALL: "C" };

/** A name that no host can have, since theirs are without dots. */
function bastionOf({ name }: Pick<Host, "name">): string {
  return `bastion.${name}`;
}

type Login = Pick<Host, "name" | "host" | "port" | "user" | "key" | "hostKey">;

/** OpenSSH's config is lines of words, in which a few characters are more than themselves. */
function unfit({ name, host }: Login): Problem[] {
  if (/^[A-Za-z0-9.:_-]+$/.test(host)) return [];
  const fix = 'for example "192.0.2.11" or "server-1.example.com"';
  return [{ path: `${name}.host`, value: host, limit: "must be an address or a host name", fix }];
}

function entry({ name, host, port, user, key, hostKey }: Login, folder: string, jump: string | undefined): string {
  return [
    `Host ${name}`,
    `  HostName ${host}`,
    `  Port ${port}`,
    `  User ${user}`,
    `  IdentityFile "${join(folder, `key-${key}`)}"`,
    `  HostKeyAlias ${name}`,
    `  UserKnownHostsFile "${hostKey === undefined ? "/dev/null" : join(folder, "known_hosts")}"`,
    `  StrictHostKeyChecking ${hostKey === undefined ? "no" : "yes"}`,
    ...(jump === undefined ? [] : [`  ProxyJump ${jump}`]),
    "",
  ].join("\n");
}

const COMMON = `Host *
  BatchMode yes
  PreferredAuthentications publickey
  IdentitiesOnly yes
  IdentityAgent none
  ForwardAgent no
  GlobalKnownHostsFile /dev/null
  UpdateHostKeys no
  LogLevel ERROR
  ConnectTimeout 10
  ServerAliveInterval 15
  ServerAliveCountMax 4
`;

/** What keeps a host from being entered, in the order in which it is looked for. */
const OBSTACLES: readonly (readonly [RegExp, string, string])[] = [
  [
    /host key verification failed|host identification has changed|no .* host key is known/i,
    "does not prove itself by the config's hostKey",
    "compare it with the host's own /etc/ssh/ssh_host_ed25519_key.pub, and correct hostKey only if they differ for a reason that you know",
  ],
  [
    /load key|error in libcrypto|invalid format/i,
    "its private key cannot be used",
    "set the secret sshKeys to a private key in OpenSSH's form, without a passphrase",
  ],
  [
    /permission denied|too many authentication failures/i,
    "does not let this user in by this key",
    "add the key's public part to the user's ~/.ssh/authorized_keys there",
  ],
  [
    /sudo: .*(?:password|terminal)|not in the sudoers|not allowed to (?:run|execute)/i,
    "sudo asks this user for a password",
    "give it a line in /etc/sudoers.d there: USER ALL=(ALL) NOPASSWD:ALL",
  ],
  [/sudo: (?:command )?not found/i, "has no sudo", "install it there, or enter as root"],
  [/bash: (?:command )?not found/i, "has no bash", "install it there"],
];

/** Why a host could not be entered, in words that help; undefined where it was, and what was run there failed. */
export function obstacle({ output, how }: HostError): { readonly limit: string; readonly fix: string } | undefined {
  const known = OBSTACLES.find(([sign]) => sign.test(output));
  if (known) return { limit: known[1], fix: known[2] };
  if (how !== SSH_FAILED) return undefined;
  const said = output.trim().split("\n").pop() ?? "";
  return {
    limit: `cannot be reached: ${said || "ssh did not say why"}`,
    fix: "check its host, port and bastion, and firewalls between",
  };
}
