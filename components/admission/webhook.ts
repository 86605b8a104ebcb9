import type { types } from "@pulumi/kubernetes";
import { GATEKEEPER } from "./names";

/** What the API server asks about. */
export interface WebhookRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
}

/** A condition in CEL, without which the API server does not ask. */
export interface WebhookCondition {
  readonly name: string;
  readonly expression: string;
}

/** Where the API server asks: Gatekeeper's own Service, or one outside of the cluster with the certificate of its authority. */
export type WebhookTarget =
  { readonly kind: "service" } | { readonly kind: "url"; readonly url: string; readonly certificate: string };

export interface WebhookArgs {
  readonly target: WebhookTarget;
  readonly rules: readonly WebhookRule[];
  readonly conditions: readonly WebhookCondition[];
  readonly failurePolicy: "ignore" | "fail";
  readonly timeoutSeconds: number;
  readonly exemptNamespaces: readonly string[];
}

/** Policies themselves. */
const POLICIES: WebhookRule = {
  apiGroups: ["templates.gatekeeper.sh", "constraints.gatekeeper.sh"],
  apiVersions: ["*"],
  operations: ["CREATE", "UPDATE"],
  resources: ["*"],
};

/**
 * What is asked of Gatekeeper, in place of the release manifest's, which is about everything: events, leases and endpoint
 * slices as well, whoever makes them. Nor is there a label by which a namespace leaves: which ones
 * do, the config says.
 */
export function validatingWebhooks(args: WebhookArgs): types.input.admissionregistration.v1.ValidatingWebhook[] {
  const common = {
    clientConfig: clientConfig(args.target),
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    timeoutSeconds: args.timeoutSeconds,
    // By whichever API version an object comes, it is judged.
    matchPolicy: "Equivalent",
  };
  return [
    {
      ...common,
      name: "validation.gatekeeper.sh",
      failurePolicy: args.failurePolicy === "fail" ? "Fail" : "Ignore",
      namespaceSelector: {
        matchExpressions: [
          { key: "kubernetes.io/metadata.name", operator: "NotIn", values: [...args.exemptNamespaces] },
        ],
      },
      rules: args.rules.map(mutable),
      matchConditions: args.conditions.map((condition) => ({ ...condition })),
    },
    // Apart, so that a policy that does harm can be taken back while Gatekeeper is down.
    { ...common, name: "policies.gatekeeper.sh", failurePolicy: "Ignore", rules: [mutable(POLICIES)] },
  ];
}

function clientConfig(target: WebhookTarget): types.input.admissionregistration.v1.WebhookClientConfig {
  if (target.kind === "url") {
    return { url: target.url, caBundle: Buffer.from(target.certificate).toString("base64") };
  }
  return { service: { name: GATEKEEPER.service, namespace: GATEKEEPER.namespace, path: "/v1/admit", port: 443 } };
}

function mutable({ apiGroups, apiVersions, operations, resources }: WebhookRule) {
  return {
    apiGroups: [...apiGroups],
    apiVersions: [...apiVersions],
    operations: [...operations],
    resources: [...resources],
  };
}
