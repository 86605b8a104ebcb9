import { z } from "zod";
import { POLICY_NAMES } from "../policies/admission/names";
import * as field from "./config-fields";
import { check, section } from "./config-fields";
import { formatDuration } from "./units";

/** What is done with an object that a policy does not allow: refused, let in with a warning, or only counted by the audit. */
const enforcement = z.enum(["deny", "warn", "dryrun"]);

/** Policies that differ from `enforcement`; `off` leaves one out altogether. */
const policies = section(
  Object.fromEntries(POLICY_NAMES.map((name) => [name, z.enum(["deny", "warn", "dryrun", "off"]).optional()])),
);

/** Kubernetes' own, so that a cluster without an answering Gatekeeper can come up again. */
export const KUBERNETES_NAMESPACES: readonly string[] = ["kube-system", "kube-public", "kube-node-lease"];

/** The beginning of image references, up to a `/`. */
const registry = field.pattern(/^[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d{1,5})?\/(?:[a-z0-9._-]+\/)*$/, {
  limit: "must be a registry, or a part of one, that ends with a slash",
  fix: 'for example "registry.example.com/" or "registry.example.com/shop/"',
});

const audit = section({
  /** Between two audits, which ask the API server for all objects that a policy is about. */
  interval: field.duration.prefault("60s"),
  /** Violations that a constraint's status tells one by one; it counts them all. */
  violationsLimit: field.positiveCount.max(500).default(20),
  /** Objects that are asked for, and are in memory, at once. */
  chunkSize: field.positiveCount.max(5000).default(500),
});

/** Where the API server asks. */
const webhook = z.discriminatedUnion("kind", [
  /** Gatekeeper's own Service, with a certificate that it makes and renews by itself. */
  section({ kind: z.literal("service") }),
  /** A Gatekeeper outside of the cluster, which has no pods that run: where nodes are simulated. */
  section({
    kind: z.literal("url"),
    url: field.pattern(/^https:\/\/[^\s/?#@]+\/v1\/admit$/, {
      limit: "must be an https URL with the path /v1/admit",
      fix: 'for example "https://127.0.0.1:8443/v1/admit"',
    }),
    /** Its authority's certificate, as PEM; from the project's root. */
    caFile: z.string().min(1),
  }),
]);

const amount = section({ cpu: field.cpu.optional(), memory: field.bytes.optional() });

export const admissionSchema = section({
  /** false where something else admits objects: nothing of this is made then. */
  enabled: z.boolean().default(true),
  /** Default: the official one of the release manifest. */
  image: field.image.optional(),
  enforcement: enforcement.default("deny"),
  policies: policies.prefault({}),
  /** Where functions' images may come from. Default: the folders in their registries that the stack's own functions come from. */
  registries: z.array(registry).min(1).optional(),
  /** Whether functions' images must be named by their digest. */
  requireDigests: z.boolean().default(false),
  /** What becomes of objects while Gatekeeper cannot be asked: `fail` refuses them, `ignore` lets them in unseen. */
  failurePolicy: z.enum(["ignore", "fail"]).default("fail"),
  /** Namespaces that no policy is about; Gatekeeper's own is always one. */
  exemptNamespaces: z.array(field.dnsLabel).prefault([...KUBERNETES_NAMESPACES]),
  /** How long the API server waits for an answer; Kubernetes' own default. */
  timeout: field.duration.prefault("10s"),
  /** Of those that answer; one more audits. */
  replicas: field.positiveCount.default(3),
  /** Of each pod. Default: the plan's, by the cluster's size. */
  requests: amount.prefault({}),
  limits: amount.prefault({}),
  audit: audit.prefault({}),
  webhook: webhook.prefault({ kind: "service" }),
}).superRefine(
  check((a) => [
    (a.timeout < 1000 || a.timeout > 30_000 || a.timeout % 1000 !== 0) && {
      path: ["timeout"],
      value: formatDuration(a.timeout),
      limit: "the API server takes whole seconds from 1s to 30s",
      fix: 'for example "10s"',
    },
    (a.audit.interval < 10_000 || a.audit.interval % 1000 !== 0) && {
      path: ["audit", "interval"],
      value: formatDuration(a.audit.interval),
      limit: "must be whole seconds from 10s on: each audit reads everything",
      fix: 'for example "60s"',
    },
    ...field
      .duplicates(a.exemptNamespaces, (name) => name)
      .map((name) => ({
        path: ["exemptNamespaces"],
        value: name,
        limit: "is named twice",
        fix: "drop one",
      })),
    ...field.requestsAboveLimits(a),
  ]),
);
