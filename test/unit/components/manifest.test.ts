import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { changePods, parseManifest, registerManifest, type ManifestObject } from "../../../components/manifest";
import { find, names, register } from "../../support/mocks";

const COMMON = { environment: "test", "app.kubernetes.io/name": "ours" };

/** In the order in which no API server would take them. */
const MANIFEST = `# A comment before the first document.
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: pool, namespace: system }
spec: { addresses: [192.0.2.0/28] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { creationTimestamp: null, name: controller, namespace: system }
spec:
  selector: { matchLabels: { app.kubernetes.io/name: theirs } }
  template:
    metadata: { creationTimestamp: null, labels: { app.kubernetes.io/name: theirs } }
    spec: { containers: [{ name: controller, image: registry.example.com/controller:1.0.0 }] }
---
---
apiVersion: v1
kind: Service
metadata: { name: webhook, namespace: system, labels: { app.kubernetes.io/name: theirs }, annotations: { their: own } }
spec: { ports: [{ port: 443 }] }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: pools.metallb.io }
spec: { group: metallb.io, versions: [{ schema: { openAPIV3Schema: { default: null } } }] }
---
apiVersion: v1
kind: Namespace
metadata: { name: system }
`;

const parsed = parseManifest(MANIFEST);

function registered(objects: readonly ManifestObject[] = parsed, opts: pulumi.CustomResourceOptions = {}) {
  return register(() => registerManifest("it", objects, COMMON, opts));
}

const NAMESPACE = ["kubernetes:core/v1:Namespace", "it-system"] as const;
const CRD = ["kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "it-pools.metallb.io"] as const;
const SERVICE = ["kubernetes:core/v1:Service", "it-webhook"] as const;
const DEPLOYMENT = ["kubernetes:apps/v1:Deployment", "it-controller"] as const;
const POOL = ["kubernetes:metallb.io/v1beta1:IPAddressPool", "it-pool"] as const;

describe("parseManifest", () => {
  it("gives each document's object in order, without empty ones and the nulls of generators", () => {
    expect(parsed.map(({ kind, metadata: { name } }) => `${kind} ${name}`)).toEqual([
      "IPAddressPool pool",
      "Deployment controller",
      "Service webhook",
      "CustomResourceDefinition pools.metallb.io",
      "Namespace system",
    ]);
    expect(JSON.stringify(parsed)).not.toContain("creationTimestamp");
    expect(parsed[3]).toMatchObject({ spec: { versions: [{ schema: { openAPIV3Schema: { default: null } } }] } });
  });

  it.each([
    ["kind: Secret\nmetadata: { name: a }", "document 1 of the manifest has no apiVersion, kind or name"],
    ["apiVersion: v1\nkind: List\nitems: []", "document 1 of the manifest has no apiVersion, kind or name"],
    [
      "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: a }",
      "document 1 of the manifest, batch/v1 CronJob: add it to CLASSES in components/manifest.ts",
    ],
    [
      "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: { name: a }",
      "document 1 of the manifest, scheduling.k8s.io/v1 PriorityClass: add it to CLASSES in components/manifest.ts",
    ],
    ["a: [", "Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ])("refuses %j", (text, message) => {
    expect(() => parseManifest(text)).toThrow(message);
  });
});

describe("registerManifest", () => {
  it("registers each object by its kind's class, one of a CRD as custom resource", async () => {
    const { resources, result } = await registered();
    expect(names(resources)).toEqual([NAMESPACE, CRD, SERVICE, DEPLOYMENT, POOL].map((r) => r.join(" ")).sort());
    expect(find(resources, ...POOL).inputs).toEqual({
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: { name: "pool", namespace: "system", labels: COMMON },
      spec: { addresses: ["192.0.2.0/28"] },
    });
    expect(result.foundations).toHaveLength(2);
    expect(() => result.find("Deployment", "other")).toThrow("it: the manifest has no Deployment other");
  });

  it("has each stage wait for the one before, the last for workloads that are ready", async () => {
    const { resources } = await registered();
    const dependencies = (resource: readonly [string, string]) => find(resources, ...resource).dependencies;
    const urns = (...of: (readonly [string, string])[]) => of.map((resource) => resource.join("::"));
    expect(dependencies(NAMESPACE)).toEqual([]);
    expect(dependencies(CRD)).toEqual([]);
    expect(dependencies(SERVICE)).toEqual(urns(CRD, NAMESPACE));
    expect(dependencies(DEPLOYMENT)).toEqual(urns(SERVICE));
    expect(dependencies(POOL)).toEqual(urns(DEPLOYMENT));
  });

  it("waits for the last stage that has objects", async () => {
    const { resources } = await registered(parsed.filter(({ kind }) => kind === "Namespace" || kind === "Deployment"));
    expect(find(resources, ...DEPLOYMENT).dependencies).toEqual([NAMESPACE.join("::")]);
  });

  it("labels objects, and pods where no label of theirs has that name", async () => {
    const { resources } = await registered();
    expect(find(resources, ...SERVICE).inputs["metadata"]).toEqual({
      name: "webhook",
      namespace: "system",
      labels: COMMON,
      annotations: { their: "own", "pulumi.com/skipAwait": "true" },
    });
    expect(find(resources, ...DEPLOYMENT).inputs).toMatchObject({
      metadata: { labels: COMMON },
      spec: { template: { metadata: { labels: { environment: "test", "app.kubernetes.io/name": "theirs" } } } },
    });
  });

  it("passes options on to each resource, and adds to what they are to wait for", async () => {
    class Parent extends pulumi.ComponentResource {
      constructor(name: string) {
        super("wasm-functions:tenancy:Tenant", name);
      }
    }
    const { resources } = await register(() => {
      const first = new k8s.core.v1.ConfigMap("first");
      registerManifest("it", parsed, COMMON, { parent: new Parent("parent"), protect: true, dependsOn: first });
    });
    const children = resources.filter(({ name }) => name.startsWith("it-"));
    expect(children).toHaveLength(5);
    expect(children.map(({ parent, options }) => ({ parent, options }))).toEqual(
      children.map(() => ({ parent: "parent", options: { protect: true } })),
    );
    const first = "kubernetes:core/v1:ConfigMap::first";
    expect(children.filter(({ dependencies }) => !dependencies.includes(first))).toEqual([]);
    expect(find(resources, ...POOL).dependencies).toHaveLength(2);
  });
});

describe("changePods", () => {
  it("changes the pods' spec and leaves the rest as it is", () => {
    const workload = parsed[1]!;
    const changed = changePods(workload, (pod) => ({ ...pod, priorityClassName: "high" }));
    expect(changed).toEqual({
      ...workload,
      spec: {
        selector: { matchLabels: { "app.kubernetes.io/name": "theirs" } },
        template: {
          metadata: { labels: { "app.kubernetes.io/name": "theirs" } },
          spec: {
            priorityClassName: "high",
            containers: [{ name: "controller", image: "registry.example.com/controller:1.0.0" }],
          },
        },
      },
    });
  });
});
