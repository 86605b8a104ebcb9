import type { Kubectl } from "../control-plane/kubectl";
import type { NodeObject } from "./nodes";

/** Brings the cluster's nodes to exactly these, and says what it did, for example "10 added". */
export async function reconcileNodes(kubectl: Kubectl, desired: readonly NodeObject[]): Promise<string> {
  const found = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])) as { items: NodeObject[] };
  const current = new Map(found.items.map((node) => [node.metadata.name, node]));
  const moved = desired.filter((node) => isMoved(node, current.get(node.metadata.name)));
  const gone = found.items.filter((node) => !desired.some((wanted) => wanted.metadata.name === node.metadata.name));
  const added = desired.filter((node) => !current.has(node.metadata.name));
  const resized = desired.filter((node) => !moved.includes(node) && isResized(node, current.get(node.metadata.name)));

  const leaving = [...gone, ...moved].map((node) => node.metadata.name);
  if (leaving.length > 0) await kubectl(["delete", "nodes", ...leaving]);
  const coming = [...added, ...moved];
  if (coming.length > 0) {
    await kubectl(["create", "-f", "-"], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items: coming }) });
  }
  for (const node of resized) await resize(kubectl, node);

  const counts = { added: added.length, resized: resized.length, moved: moved.length, removed: gone.length };
  const changes = Object.entries(counts).filter(([, count]) => count > 0);
  return changes.length === 0 ? "unchanged" : changes.map(([what, count]) => `${count} ${what}`).join(", ");
}

/** A node's pod network is fixed when it joins: another one needs another node. */
function isMoved(wanted: NodeObject, found: NodeObject | undefined): boolean {
  return found !== undefined && found.spec.podCIDR !== wanted.spec.podCIDR;
}

function isResized(wanted: NodeObject, found: NodeObject | undefined): boolean {
  if (!found) return false;
  const { labels, annotations } = wanted.metadata;
  return (
    Object.entries(labels).some(([key, value]) => found.metadata.labels[key] !== value) ||
    // A surge that was killed has left them changed.
    Object.entries(annotations).some(([key, value]) => found.metadata.annotations[key] !== value) ||
    wanted.status.addresses.length !== (found.status.addresses as typeof wanted.status.addresses | undefined)?.length ||
    !sameResources(wanted.status.capacity, found.status.capacity) ||
    !sameResources(wanted.status.allocatable, found.status.allocatable)
  );
}

/** The API server rewrites quantities (1000 pods to 1k), so they are compared by what they mean. */
function sameResources(wanted: NodeObject["status"]["capacity"], found: NodeObject["status"]["capacity"]): boolean {
  return (Object.keys(wanted) as (keyof typeof wanted)[]).every(
    (key) => toNumber(wanted[key]) === toNumber(found[key]),
  );
}

function toNumber(quantity: string | undefined): number {
  const match = /^(\d+(?:\.\d+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?$/.exec(quantity ?? "");
  const factors = { m: 1e-3, k: 1e3, Ki: 2 ** 10, M: 1e6, Mi: 2 ** 20, G: 1e9, Gi: 2 ** 30, T: 1e12, Ti: 2 ** 40 };
  return match
    ? Number(match[1]) * (match[2] === undefined ? 1 : factors[match[2] as keyof typeof factors])
    : Number.NaN;
}

async function resize(kubectl: Kubectl, node: NodeObject): Promise<void> {
  const { name, labels, annotations } = node.metadata;
  await kubectl(["patch", "node", name, "--type=merge", "-p", JSON.stringify({ metadata: { labels, annotations } })]);
  await kubectl([
    "patch",
    "node",
    name,
    "--subresource=status",
    "--type=merge",
    "-p",
    JSON.stringify({ status: node.status }),
  ]);
}
