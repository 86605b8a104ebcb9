import * as pulumi from "@pulumi/pulumi";
import type { StackOutputs } from "./outputs";
import { ProblemsError } from "./problems";

/** The stack's own output that tells which K3s the last `up` has left, for the next one to go on from. */
const VERSION_OUTPUT = "k3sVersion" satisfies keyof StackOutputs;

/**
 * Kubernetes goes up one minor version at a time, since servers and kubelets bear no more than that between them, and never
 * back, since etcd's data is written anew.
 *
 * @param from - the version that is installed; undefined where none is
 * @throws ProblemsError when there is no way from one to the other
 */
export function assertUpgradePath(from: string | undefined, to: string): void {
  if (from === undefined) return;
  const step = minorOf(to) - minorOf(from);
  if (step === 0 || step === 1) return;
  const limit =
    step > 1
      ? `${from} is installed, and this skips a minor version`
      : `${from} is installed, and this is an older minor version`;
  const fix =
    step > 1
      ? `go by each version between: a v1.${minorOf(from) + 1} next`
      : "etcd's data cannot go back: restore a snapshot from before the upgrade";
  throw new ProblemsError("K3s cannot be upgraded so", [{ path: "cluster.version", value: to, limit, fix }]);
}

function minorOf(version: string): number {
  return Number(/^v1\.(\d+)\./.exec(version)?.[1]);
}

/** What this stack's last `up` has installed, from its outputs: no host is asked, so that previews know it too. */
export async function installedVersion(): Promise<string | undefined> {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const details = await new pulumi.StackReference("last-up", { name }).getOutputDetails(VERSION_OUTPUT);
  const value: unknown = details.value;
  return typeof value === "string" ? value : undefined;
}
