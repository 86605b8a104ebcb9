import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../infra/config";
import { POLICY_NAMES } from "../../../policies/admission/names";
import { problemsOf, rawConfig, withFunction, type Raw } from "./support";

type Case = readonly [behaviour: string, raw: Raw, problem: string];

const admit = (admission: Raw, more: Raw = {}) => rawConfig({ admission, ...more });
const CA = { kind: "url", url: "https://127.0.0.1:8443/v1/admit", caFile: "ca.crt" };
const REGISTRY =
  'must be a registry, or a part of one, that ends with a slash; for example "registry.example.com/" or "registry.example.com/shop/"';

const CASES: readonly Case[] = [
  [
    "an unknown policy",
    admit({ policies: { "no-latest-tags": "warn" } }),
    `admission.policies.no-latest-tags: unknown key: the keys here are ${POLICY_NAMES.join(", ")}; did you mean no-latest-tag?`,
  ],
  [
    "a policy that is enforced in an unknown way",
    admit({ policies: { rbac: "denny" } }),
    'admission.policies.rbac: "denny": must be one of deny, warn, dryrun, off; did you mean deny?',
  ],
  [
    "everything switched off by enforcement",
    admit({ enforcement: "off" }),
    'admission.enforcement: "off": must be one of deny, warn, dryrun; use one of deny, warn, dryrun',
  ],
  [
    "a registry without its slash, of which another name could go on",
    admit({ registries: ["registry.example.com"] }),
    `admission.registries[0]: "registry.example.com": ${REGISTRY}`,
  ],
  ["no registry", admit({ registries: [] }), "admission.registries: a list of 0: must be at least 1; raise it"],
  [
    "an answer that is waited for longer than the API server can",
    admit({ timeout: "31s" }),
    'admission.timeout: 31s: the API server takes whole seconds from 1s to 30s; for example "10s"',
  ],
  [
    "an answer that is waited for in fractions of a second",
    admit({ timeout: "1500ms" }),
    'admission.timeout: 1500ms: the API server takes whole seconds from 1s to 30s; for example "10s"',
  ],
  ["no replica", admit({ replicas: 0 }), "admission.replicas: 0: must be at least 1; raise it"],
  [
    "audits that follow one another too soon",
    admit({ audit: { interval: "9s" } }),
    'admission.audit.interval: 9s: must be whole seconds from 10s on: each audit reads everything; for example "60s"',
  ],
  [
    "more violations than a constraint's status can hold",
    admit({ audit: { violationsLimit: 501 } }),
    "admission.audit.violationsLimit: 501: must be at most 500; lower it",
  ],
  [
    "chunks without an object",
    admit({ audit: { chunkSize: 0 } }),
    "admission.audit.chunkSize: 0: must be at least 1; raise it",
  ],
  [
    "a request above its limit",
    admit({ requests: { memory: "1Gi" }, limits: { memory: "512Mi" } }),
    "admission.requests.memory: 1Gi: is above its limit 512Mi; lower the request or raise the limit",
  ],
  [
    "a webhook of no kind",
    admit({ webhook: { kind: "pod" } }),
    'admission.webhook.kind: "pod": must say where the API server asks: service (Gatekeeper\'s own) or url (a Gatekeeper outside of the cluster); set kind: service, or kind: url with url and caFile',
  ],
  [
    "a webhook without TLS",
    admit({ webhook: { ...CA, url: "http://127.0.0.1:8443/v1/admit" } }),
    'admission.webhook.url: "http://127.0.0.1:8443/v1/admit": must be an https URL with the path /v1/admit; for example "https://127.0.0.1:8443/v1/admit"',
  ],
  [
    "an exemption that is named twice",
    admit({ exemptNamespaces: ["kube-system", "kube-system"] }),
    "admission.exemptNamespaces: kube-system: is named twice; drop one",
  ],
  [
    "a tenant that nobody would judge",
    admit({ exemptNamespaces: ["shop"] }),
    "admission.exemptNamespaces: shop: is a tenant's namespace: nobody would judge what is in it; drop it, or set admission.policies to warn",
  ],
  [
    "a gateway in Gatekeeper's namespace",
    rawConfig({ gateway: { namespace: "gatekeeper-system" } }),
    "gateway.namespace: gatekeeper-system: is Gatekeeper's namespace; use another name",
  ],
  [
    "a function that its own policies would refuse, by its registry",
    withFunction({ image: "docker.io/shop/checkout:1" }, { admission: { registries: ["registry.example.com/"] } }),
    'functions.checkout.image: docker.io/shop/checkout:1: admission.registries allows registry.example.com/; push it there, or add "docker.io/shop/" to admission.registries',
  ],
  [
    "a function that its own policies would refuse, by its tag",
    withFunction({}, { admission: { requireDigests: true } }),
    "functions.checkout.image: registry.example.com/serverless-function:1.0.0: admission.requireDigests is set; name it by its digest: registry.example.com/serverless-function@sha256:…",
  ],
  [
    "a database whose addresses are pods' too",
    withFunction({ database: { addresses: ["10.0.0.0/8"] } }),
    "functions.checkout.database.addresses: 10.0.0.0/8: overlaps the network of pods (10.42.0.0/16) or of Services (10.43.0.0/16), where other tenants' are too; name the addresses of the database alone, outside of the cluster",
  ],
];

describe("parseConfig rejects", () => {
  it.each(CASES)("%s", (_, raw, problem) => {
    expect(problemsOf(() => parseConfig(raw))).toEqual([problem]);
  });
});

describe("parseConfig accepts", () => {
  const elsewhere = { image: "docker.io/shop/checkout:1" };
  const registries = ["registry.example.com/"];

  it.each([
    ["any image where nothing admits objects", { enabled: false, registries }],
    ["any image where its policy is off", { policies: { "allowed-registries": "off" }, registries }],
    ["an image of a registry that is named", { registries: ["docker.io/shop/"] }],
    ["its own images where none is named", {}],
  ])("%s", (_, admission) => {
    expect(parseConfig(withFunction(elsewhere, { admission })).admission).toMatchObject(admission);
  });

  it("and takes images from where its own functions have theirs, unless it is told", () => {
    const image = (registry: string) => ({ name: `fn-${registry[0]!}`, image: `${registry}/shop/fn:1` });
    const whole = { name: "own", image: "functions.local/own:1" };
    const functions = [image("docker.io"), image("registry.example.com:5000"), image("ghcr.io"), whole];
    expect(parseConfig(rawConfig({ functions })).admission.registries).toEqual([
      "docker.io/shop/",
      "functions.local/",
      "ghcr.io/shop/",
      "registry.example.com:5000/shop/",
    ]);
  });
});
