import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterConfig, ExistingClusterConfig, K3sClusterConfig } from "./config";
import { missingHostKeys } from "./host-keys";
import { formatProblem } from "./problems";

/** How the Kubernetes provider reaches the cluster. */
export interface ClusterAccess {
  /** What names the cluster for good, whatever its address. */
  readonly identifier: string;
  readonly kubeconfig: pulumi.Output<string>;
  readonly context: string | undefined;
  /** Set in a preview of a cluster that is not there (yet). */
  readonly warning?: string;
}

export interface ClusterAccessArgs {
  readonly cluster: ClusterConfig;
  /** The secret config key, where it is set. */
  readonly kubeconfig: pulumi.Output<string> | undefined;
  /** The private keys that are set, by name. */
  readonly sshKeys: Readonly<Record<string, unknown>>;
  /** Registers the cluster that this stack makes from hosts, and gives its kubeconfig. */
  readonly makeCluster: (cluster: K3sClusterConfig) => pulumi.Output<string>;
  /** The folder that paths in the config start from. */
  readonly projectRoot: string;
  readonly preview: boolean;
}

/** A cluster that this stack makes is named by being the stack's own; another stack has another provider. */
const OWN_CLUSTER = "k3s";

/**
 * Finds the cluster's kubeconfig. A preview goes on without one: every object is then planned from the program alone.
 *
 * @throws RunError when there is none, or a key to its hosts is missing, and this is no preview: before anything is
 *   registered.
 */
export function clusterAccess(args: ClusterAccessArgs): ClusterAccess {
  const { cluster, kubeconfig, projectRoot, preview } = args;
  if (cluster.kind === "k3s") return ownCluster(cluster, args);
  const { identifier, context } = cluster;
  if (kubeconfig !== undefined) return { identifier, kubeconfig, context };

  const file = path.resolve(projectRoot, cluster.kubeconfig ?? "");
  if (existsSync(file)) return { identifier, kubeconfig: pulumi.secret(readFileSync(file, "utf8")), context };
  const missing = missingFile(cluster, file);
  if (!preview) throw new pulumi.RunError(missing);
  return {
    identifier,
    kubeconfig: pulumi.secret(unreachableKubeconfig()),
    context: undefined,
    warning: `${missing}. Previewed without a cluster: nothing is checked against its API`,
  };
}

/** No host is asked in a preview, so that one goes on without the keys that open them. */
function ownCluster(cluster: K3sClusterConfig, { sshKeys, makeCluster, preview }: ClusterAccessArgs): ClusterAccess {
  const missing = missingHostKeys(cluster, sshKeys).map(formatProblem).join("\n");
  if (missing !== "" && !preview) throw new pulumi.RunError(missing);
  return {
    identifier: OWN_CLUSTER,
    kubeconfig: makeCluster(cluster),
    context: undefined,
    ...(missing !== "" && { warning: `${missing}. Previewed without: no host is asked` }),
  };
}

function missingFile({ embedded }: ExistingClusterConfig, file: string): string {
  const fix =
    embedded === undefined
      ? "correct the path, or set the secret key kubeconfig"
      : "`make up` starts the cluster and writes it";
  return `cluster.kubeconfig: ${file}: is not there; ${fix}`;
}

/**
 * A kubeconfig that reaches nothing. An empty one will not do, as the provider would then fall back to the user's
 * own; nor will the address that the cluster is to have, as a stranger may answer there and every preview would wait
 * for its timeout. With no server in it the provider knows at once that there is no cluster, and plans without.
 */
function unreachableKubeconfig(): string {
  const name = "unreachable";
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [{ name, cluster: {} }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    users: [{ name, user: {} }],
  });
}
