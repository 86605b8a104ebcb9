import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterConfig, ExistingClusterConfig } from "./config";

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
  /** The folder that paths in the config start from. */
  readonly projectRoot: string;
  readonly preview: boolean;
}

/** A cluster that this stack makes is named by being the stack's own; another stack has another provider. */
const OWN_CLUSTER = "k3s";

/**
 * Finds the cluster's kubeconfig. A preview goes on without one: every object is then planned from the program alone.
 *
 * @throws RunError when there is none and this is no preview, before anything is registered.
 */
export function clusterAccess({ cluster, kubeconfig, projectRoot, preview }: ClusterAccessArgs): ClusterAccess {
  const identifier = cluster.kind === "existing" ? cluster.identifier : OWN_CLUSTER;
  const context = cluster.kind === "existing" ? cluster.context : undefined;
  if (kubeconfig !== undefined) return { identifier, kubeconfig, context };

  const file = cluster.kind === "existing" ? path.resolve(projectRoot, cluster.kubeconfig ?? "") : undefined;
  if (file !== undefined && existsSync(file)) {
    return { identifier, kubeconfig: pulumi.secret(readFileSync(file, "utf8")), context };
  }
  const missing = cluster.kind === "existing" ? missingFile(cluster, file ?? "") : MISSING_K3S;
  if (!preview) throw new pulumi.RunError(missing);
  return {
    identifier,
    kubeconfig: pulumi.secret(unreachableKubeconfig()),
    context: undefined,
    warning: `${missing}. Previewed without a cluster: nothing is checked against its API`,
  };
}

const MISSING_K3S =
  "kubeconfig: missing: K3s is not installed from hosts yet; install it on them, then set its kubeconfig with " +
  "`pulumi config set --secret kubeconfig`";

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
