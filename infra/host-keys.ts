import type { K3sClusterConfig } from "./config";
import type { Problem } from "./problems";

/** The private keys that hosts are entered by and that are not set, each with how to set it. */
export function missingHostKeys(
  cluster: K3sClusterConfig,
  sshKeys: Readonly<Record<string, unknown>>,
  stack?: string,
): Problem[] {
  const hosts = [...cluster.servers, ...cluster.agents];
  const keys = hosts.flatMap(({ key, bastion }) => (bastion ? [key, bastion.key] : [key]));
  const option = stack === undefined ? "" : ` --stack ${stack}`;
  return [...new Set(keys)]
    .filter((key) => sshKeys[key] === undefined)
    .map((key) => ({
      path: `sshKeys.${key}`,
      value: "missing",
      limit: "hosts are entered by it",
      fix: `set it: pulumi config set --secret --path 'sshKeys["${key}"]'${option} < its-file`,
    }));
}
