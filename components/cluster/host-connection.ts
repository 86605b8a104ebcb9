import type * as command from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";
import type { K3sClusterConfig } from "../../infra/config";

export type Host = K3sClusterConfig["servers"][number];

/** The private keys that hosts are entered by, by the name that the config calls them by. */
export type SshKeys = Readonly<Record<string, pulumi.Output<string>>>;

type Login = Pick<Host, "host" | "port" | "user" | "key" | "hostKey">;

/** How a host is entered, through its bastion where it has one. */
export function connectionTo(host: Host, sshKeys: SshKeys): command.types.input.remote.ConnectionArgs {
  const login = ({ host, port, user, key, hostKey }: Login) => ({
    host,
    port,
    user,
    ...(sshKeys[key] !== undefined && { privateKey: sshKeys[key] }),
    ...(hostKey !== undefined && { hostKey }),
  });
  return { ...login(host), ...(host.bastion && { proxy: login(host.bastion) }) };
}
