import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parseManifest } from "../../../components/manifest";
import { admissionFacts } from "../../../infra/admission-facts";
import { parseConfig } from "../../../infra/config";
import { webhookAccess } from "../../../infra/guarding";
import { readManifest } from "../../../infra/manifests";
import { MANIFESTS } from "../../../infra/versions";
import { ADMISSION_POLICIES } from "../../../policies/admission";
import { find, type Registered } from "../../support/mocks";
import { objectsOf, registerStack, stackConfig, STACKS } from "../../support/rendered";
import { rawConfig, type Raw } from "./support";

const ROOT = join(__dirname, "../../..");

beforeAll(() => {
  vi.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
  vi.spyOn(pulumi.log, "info").mockResolvedValue(undefined);
});
afterAll(() => vi.restoreAllMocks());

/** A stack's file as a config; secrets aside. */
const configOf = (stack: string, overrides: Raw = {}) =>
  parseConfig({ ...stackConfig(stack, overrides), kubeconfig: undefined });

describe("the facts of a stack", () => {
  it("are its tenants with their functions' bounds, and where things may come from", () => {
    const facts = admissionFacts(configOf("prod"));
    expect(facts).toMatchObject({
      environment: "prod",
      tenants: [
        {
          namespace: "shop",
          functions: [{ name: "serverless-function", limits: { cpu: 0.1, memory: 64 * 2 ** 20 }, maxReplicas: 5000 }],
        },
      ],
      gateway: { namespace: "gateway", service: "api-gateway" },
      networks: ["10.42.0.0/16", "10.43.0.0/16"],
      digests: true,
      runtimeClassName: "wasmedge",
    });
    expect(facts.platform).toEqual([
      { role: "gateway", namespace: "gateway" },
      { role: "admission", namespace: "gatekeeper-system" },
      { role: "metallb", namespace: "metallb-system" },
      { role: "monitoring", namespace: "monitoring" },
      { role: "monitoring-hosts", namespace: "monitoring-hosts" },
    ]);
    expect(facts.registries.tenants).toEqual(["registry.example.com/"]);
    expect(facts.registries.platform).toContain("docker.io/library/traefik");
  });

  it("leave out what the stack does not have", () => {
    const { platform, registries } = admissionFacts(configOf("dev", { observability: { enabled: false } }));
    expect(platform.map(({ role }) => role)).toEqual(["gateway", "admission"]);
    expect(registries.platform).toEqual([
      "docker.io/library/node",
      "docker.io/library/traefik",
      "docker.io/openpolicyagent/gatekeeper",
    ]);
  });

  it("name an image's repository alone, of an own registry with its port too", () => {
    const image = `registry.example.com:5000/mirror/gatekeeper:v3@sha256:${"a".repeat(64)}`;
    const { registries } = admissionFacts(parseConfig(rawConfig({ admission: { image } })));
    expect(registries.platform).toContain("registry.example.com:5000/mirror/gatekeeper");
  });

  it.each(STACKS)("know every namespace and Service of %s, and where each of its images comes from", async (stack) => {
    const { resources } = await registerStack(stack);
    const facts = admissionFacts(configOf(stack));
    const namespaces = objectsOf(resources).filter(({ kind }) => kind === "Namespace");
    expect([...facts.platform, ...facts.tenants].map(({ namespace }) => namespace).sort()).toEqual(
      namespaces.map(({ metadata }) => metadata.name).sort(),
    );
    const { gateway } = facts;
    find(resources, "kubernetes:core/v1:Service", "gateway-service");
    expect(
      objectsOf(resources)
        .filter(({ kind }) => kind === "Service")
        .map(({ metadata }) => metadata),
    ).toContainEqual(expect.objectContaining({ name: gateway.service, namespace: gateway.namespace }));
  });

  it("know where MetalLB's images come from", () => {
    const images = JSON.stringify(parseManifest(readManifest(MANIFESTS.metallb, ROOT))).match(/"image":"[^"]+"/g) ?? [];
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toContain('"quay.io/metallb/');
    expect(admissionFacts(configOf("prod")).registries.platform).toContain("quay.io/metallb/");
  });
});

describe("a stack's policies", () => {
  const actions = (resources: readonly Registered[]) =>
    Object.fromEntries(
      resources
        .filter(({ type }) => type.startsWith("kubernetes:constraints.gatekeeper.sh/"))
        .map(({ inputs }) => {
          const { metadata, spec } = inputs as {
            metadata: { name: string };
            spec: { enforcementAction: string };
          };
          return [metadata.name, spec.enforcementAction];
        }),
    );

  it("are all enforced as the config says, but those that it names, and one that is off is not there", async () => {
    const admission = { enforcement: "dryrun", policies: { rbac: "warn", probes: "off", "pod-security": "deny" } };
    const { resources } = await registerStack("local", { admission });
    expect(actions(resources)).toEqual({
      ...Object.fromEntries(ADMISSION_POLICIES.map(({ name }) => [name, "dryrun"])),
      ...{ rbac: "warn", "pod-security": "deny", probes: undefined },
    });
    expect(resources.map(({ name }) => name)).not.toContain("admission-probes-template");
  });

  it("are not there where something else admits objects", async () => {
    const { resources } = await registerStack("local", { admission: { enabled: false } });
    expect(resources.filter(({ name }) => /admission|gatekeeper/.test(name))).toEqual([]);
  });

  it("hold before anything else of the stack is made, in every part of it", async () => {
    const { resources } = await registerStack("prod");
    const named = (type: string, name: string) => resources.filter((one) => one.type === type && one.name === name);
    const guarded = (resource: Registered): boolean => {
      const { parent = "", dependencies } = resource;
      if (dependencies.some((urn) => urn.endsWith("::admission-webhook"))) return true;
      const before = dependencies.flatMap((urn) => {
        const [types = "", name = ""] = urn.split("::");
        return named(types.split("$").at(-1) ?? "", name);
      });
      const component = resources.filter(({ type, name }) => type.startsWith("wasm-functions:") && name === parent);
      return [...before, ...component].some(guarded);
    };
    const unguarded = resources
      .filter(({ type, parent }) => type.startsWith("kubernetes:") && parent !== "admission")
      .filter((resource) => !guarded(resource));
    expect(unguarded.map(({ type, name }) => `${type} ${name}`)).toEqual([]);
  });
});

describe("a Gatekeeper outside of the cluster", () => {
  const folder = mkdtempSync(join(tmpdir(), "webhook-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const url = "https://127.0.0.1:8443/v1/admit";
  const config = (caFile: string) => parseConfig(rawConfig({ admission: { webhook: { kind: "url", url, caFile } } }));

  it("is known by the certificate in its file", () => {
    const certificate = "-----BEGIN CERTIFICATE-----\n";
    writeFileSync(join(folder, "ca.crt"), certificate);
    expect(webhookAccess(config("ca.crt"), folder, false)).toEqual({ target: { kind: "url", url, certificate } });
  });

  it("whose certificate is not there stops an up, and leaves a preview without it, which says so", () => {
    const missing = `admission.webhook.caFile: ${folder}/absent.crt: is not there`;
    expect(() => webhookAccess(config("absent.crt"), folder, false)).toThrow(missing);
    const { target, warning } = webhookAccess(config("absent.crt"), folder, true);
    expect(target).toEqual({ kind: "url", url, certificate: "" });
    expect(warning).toMatch(/is not there.*Previewed without it$/);
  });

  it("is not believed by what is no certificate", () => {
    writeFileSync(join(folder, "key.pem"), "-----BEGIN PRIVATE KEY-----\n");
    expect(() => webhookAccess(config("key.pem"), folder, true)).toThrow("must be a certificate as PEM");
  });

  it("is not asked for where the Service is, or nothing admits objects", () => {
    for (const admission of [{}, { enabled: false, webhook: { kind: "url", url, caFile: "absent" } }]) {
      expect(webhookAccess(parseConfig(rawConfig({ admission })), folder, false)).toEqual({
        target: { kind: "service" },
      });
    }
  });
});
