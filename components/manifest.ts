import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { parseAllDocuments } from "yaml";
import { podSecurityLabels } from "./security";

/** An object of a manifest. */
export interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export type PodSpec = pulumi.Unwrap<k8s.types.input.core.v1.PodSpec>;

/** The resources that became of a manifest's objects. */
export interface ManifestResources {
  /** @throws Error where the manifest has no such object */
  readonly find: (kind: string, name: string) => pulumi.CustomResource;
  /** Namespaces and CRDs. */
  readonly foundations: readonly pulumi.CustomResource[];
}

/** A class of the SDK; each takes an object as the API server does. */
type ResourceClass = new (name: string, object: never, opts?: pulumi.CustomResourceOptions) => pulumi.CustomResource;

/** The kinds that controllers' manifests are made of. What is not here has to be of a CRD. */
const CLASSES: Readonly<Record<string, ResourceClass>> = {
  "v1/ConfigMap": k8s.core.v1.ConfigMap,
  "v1/Namespace": k8s.core.v1.Namespace,
  "v1/ResourceQuota": k8s.core.v1.ResourceQuota,
  "v1/Secret": k8s.core.v1.Secret,
  "v1/Service": k8s.core.v1.Service,
  "v1/ServiceAccount": k8s.core.v1.ServiceAccount,
  "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration":
    k8s.admissionregistration.v1.MutatingWebhookConfiguration,
  "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration":
    k8s.admissionregistration.v1.ValidatingWebhookConfiguration,
  "apiextensions.k8s.io/v1/CustomResourceDefinition": k8s.apiextensions.v1.CustomResourceDefinition,
  "apiregistration.k8s.io/v1/APIService": k8s.apiregistration.v1.APIService,
  "apps/v1/DaemonSet": k8s.apps.v1.DaemonSet,
  "apps/v1/Deployment": k8s.apps.v1.Deployment,
  "policy/v1/PodDisruptionBudget": k8s.policy.v1.PodDisruptionBudget,
  "rbac.authorization.k8s.io/v1/ClusterRole": k8s.rbac.v1.ClusterRole,
  "rbac.authorization.k8s.io/v1/ClusterRoleBinding": k8s.rbac.v1.ClusterRoleBinding,
  "rbac.authorization.k8s.io/v1/Role": k8s.rbac.v1.Role,
  "rbac.authorization.k8s.io/v1/RoleBinding": k8s.rbac.v1.RoleBinding,
};

/** What is made before what; see `registerManifest`. */
const STAGES = ["foundations", "needs of workloads", "workloads", "custom resources"] as const;
const FOUNDATIONS = ["Namespace", "CustomResourceDefinition"];
const WORKLOADS = ["Deployment", "DaemonSet"];

/**
 * The objects of a manifest, a YAML document each.
 *
 * @throws Error for a document that is no object with a name, or a kind of Kubernetes' own that `CLASSES` lacks
 */
export function parseManifest(text: string): readonly ManifestObject[] {
  return parseAllDocuments(text).flatMap((document, index) => {
    if (document.errors[0]) throw document.errors[0];
    // Generators leave this null behind, and the API server would take it for a wish.
    const object = document.toJS({
      reviver: (key, value: unknown) => (key === "creationTimestamp" && value === null ? undefined : value),
    }) as Partial<ManifestObject> | null;
    return object === null ? [] : [checked(object, `document ${index + 1} of the manifest`)];
  });
}

function checked(object: Partial<ManifestObject>, where: string): ManifestObject {
  const { apiVersion, kind, metadata } = object;
  if (apiVersion === undefined || kind === undefined || metadata?.name === undefined) {
    throw new Error(`${where} has no apiVersion, kind or name`);
  }
  if (CLASSES[`${apiVersion}/${kind}`] === undefined && isBuiltIn(apiVersion)) {
    throw new Error(`${where}, ${apiVersion} ${kind}: add it to CLASSES in components/manifest.ts`);
  }
  return object as ManifestObject;
}

/** CRDs have groups that are somebody else's domain. */
function isBuiltIn(apiVersion: string): boolean {
  const group = apiVersion.split("/").at(-2) ?? "";
  return !group.includes(".") || group.endsWith(".k8s.io");
}

/** Whether the object makes pods. */
export function isWorkload(object: ManifestObject): boolean {
  return WORKLOADS.includes(object.kind);
}

/** A namespace for restricted pods alone, an account whose token no pod gets unasked; other objects as they are. */
export function restricted(object: ManifestObject): ManifestObject {
  const { kind, metadata } = object;
  if (kind === "Namespace") {
    return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, ...podSecurityLabels("restricted") } } };
  }
  return kind === "ServiceAccount" ? { ...object, automountServiceAccountToken: false } : object;
}

/** The workload with another spec of its pods. */
export function changePods(workload: ManifestObject, change: (pod: PodSpec) => PodSpec): ManifestObject {
  return changeTemplate(workload, (template) => ({ ...template, spec: change(template.spec) }));
}

/**
 * Registers each object as a resource of its own, so that previews show it and policies judge it: namespaces and CRDs
 * first, then what workloads need (accounts, roles, configuration, webhooks), then workloads, then objects of CRDs, each
 * once all before are ready.
 *
 * The SDK's own `yaml.ConfigGroup` does not serve. The children of version 2 are registered by the provider, in a preview only
 * with a cluster. Version 1 registers them in a callback, and what depends on a component that has one does not wait for
 * them. What is registered here is there when the component's constructor ends.
 *
 * @param name - begins each resource's name, which goes on with the object's
 * @param common - labels of all objects, and of pods where they have none of that name: they may be selected by it
 */
export function registerManifest(
  name: string,
  objects: readonly ManifestObject[],
  common: Readonly<Record<string, string>>,
  opts: pulumi.CustomResourceOptions,
): ManifestResources {
  const resources = new Map<string, pulumi.CustomResource>();
  const foundations: pulumi.CustomResource[] = [];
  let before: readonly pulumi.CustomResource[] = [];
  for (const stage of STAGES) {
    const options = pulumi.mergeOptions(opts, { dependsOn: [...before] });
    const made = objects
      .filter((object) => stageOf(object) === stage)
      .map((object) => {
        const resource = register(`${name}-${object.metadata.name}`, prepare(object, common), options);
        resources.set(`${object.kind}/${object.metadata.name}`, resource);
        return resource;
      });
    if (stage === "foundations") foundations.push(...made);
    if (made.length > 0) before = made;
  }
  const find = (kind: string, objectName: string) => {
    const resource = resources.get(`${kind}/${objectName}`);
    if (resource === undefined) throw new Error(`${name}: the manifest has no ${kind} ${objectName}`);
    return resource;
  };
  return { find, foundations };
}

function stageOf(object: ManifestObject): (typeof STAGES)[number] {
  if (FOUNDATIONS.includes(object.kind)) return "foundations";
  if (isWorkload(object)) return "workloads";
  return isBuiltIn(object.apiVersion) ? "needs of workloads" : "custom resources";
}

function register(name: string, object: ManifestObject, opts: pulumi.CustomResourceOptions): pulumi.CustomResource {
  const Class = CLASSES[`${object.apiVersion}/${object.kind}`];
  return Class === undefined
    ? new k8s.apiextensions.CustomResource(name, object, opts)
    : new Class(name, object as never, opts);
}

function prepare(object: ManifestObject, common: Readonly<Record<string, string>>): ManifestObject {
  const { metadata } = object;
  const labelled = {
    ...object,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...common },
      // The provider would wait for its endpoints, and so for pods that come after it.
      ...(object.kind === "Service" && { annotations: { ...metadata.annotations, "pulumi.com/skipAwait": "true" } }),
    },
  };
  if (!isWorkload(object)) return labelled;
  return changeTemplate(labelled, (template) => ({
    ...template,
    metadata: { ...template.metadata, labels: { ...common, ...template.metadata?.labels } },
  }));
}

interface PodTemplate {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: PodSpec;
}

function changeTemplate(workload: ManifestObject, change: (template: PodTemplate) => PodTemplate): ManifestObject {
  const spec = workload["spec"] as { readonly template: PodTemplate };
  return { ...workload, spec: { ...spec, template: change(spec.template) } };
}
