import type { Stack } from "@pulumi/pulumi/automation";

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** The part of the engine's exported state that is read here. */
interface Deployment {
  readonly resources?: readonly { readonly type: string; readonly inputs?: unknown }[];
}

/** How the engine marks a secret in an export that shows it. */
const SECRET = { signature: "4dabf18193072939515e22adb298388d", value: "1b47061264138c4ac30d75fd1eb44270" };

/**
 * The objects as the engine sent them, from the stack's state. They come in the state's order, in which everything
 * follows what it depends on; namespaces go first.
 */
export async function exportObjects(stack: Stack): Promise<KubernetesObject[]> {
  const exported = (await stack.exportStack()).deployment as Deployment;
  const objects = (exported.resources ?? [])
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs }) => plain(inputs) as KubernetesObject);
  if (!objects.some(isDeployment)) throw new Error("the stack's state holds no Deployment to compare");
  return [...objects.filter(isNamespace), ...objects.filter((object) => !isNamespace(object))];
}

function isNamespace(object: KubernetesObject): boolean {
  return object.kind === "Namespace";
}

function isDeployment(object: KubernetesObject): boolean {
  return object.kind === "Deployment";
}

/** Secrets as what they hold, and without the provider's own notes. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const record = value as Record<string, unknown>;
  if (record[SECRET.signature] === SECRET.value) return plain(JSON.parse(String(record["plaintext"])));
  const entries = Object.entries(record).filter(([key]) => !key.startsWith("__"));
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item)]));
}
