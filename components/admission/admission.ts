import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { AdmissionConfig } from "../../infra/config";
import { labels, selectorLabels } from "../labels";
import {
  isWorkload,
  parseManifest,
  registerManifest,
  restricted,
  type ManifestObject,
  type ManifestResources,
} from "../manifest";
import { createPolicies, DENY_ALL, podPeer, tcp, toApiServer, type ApiServerPeers, type Peer } from "../network";
import { disruptionBudget } from "../workload";
import { GATEKEEPER, GATEKEEPER_PORTS, OPERATION_LABEL } from "./names";
import { hardenDeployment, type GatekeeperPodsArgs } from "./pods";
import { clusterRules, namespaceRules } from "./rights";
import { validatingWebhooks, type WebhookCondition, type WebhookRule, type WebhookTarget } from "./webhook";

/** A policy as Gatekeeper takes it: what it says, and where it holds with what parameters. */
export interface GatekeeperPolicy {
  readonly name: string;
  readonly template: ManifestObject;
  readonly constraint: ManifestObject;
}

export interface AdmissionArgs extends GatekeeperPodsArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly admission: AdmissionConfig;
  /** The release manifest `gatekeeper.yaml`, verified: see `readManifest`. */
  readonly manifest: string;
  readonly policies: readonly GatekeeperPolicy[];
  /** What these policies are about. */
  readonly rules: readonly WebhookRule[];
  /** Of what of it the API server has to ask: the rest is left to the audit. */
  readonly conditions: readonly WebhookCondition[];
  readonly target: WebhookTarget;
  readonly apiServer: ApiServerPeers;
  /** Who reads its metrics. */
  readonly prometheus: Peer | undefined;
}

/** The `app.kubernetes.io/component` of its pods, and its job in Prometheus. */
const COMPONENT = { name: "gatekeeper", component: "admission" } as const;
const WAIT = "pulumi.com/waitFor";

/** What of the release manifest has no place here: mutation is not used, and the rest has an object of its own. */
const LEFT_OUT: readonly string[] = [
  "MutatingWebhookConfiguration",
  "ValidatingWebhookConfiguration",
  "PodDisruptionBudget",
];

/**
 * Gatekeeper, which judges objects at the API server: its release manifest, hardened, then templates, then constraints, and
 * only then the webhook by which the API server asks. So nobody waits for a webhook that is not there, and when what depends on
 * this component is made, one of the pods that answer holds every policy; the others follow within seconds. One for each cluster.
 */
export class Admission extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;

  constructor(name: string, args: AdmissionArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:admission:Admission", name, {}, opts);
    const common = labels({ ...COMPONENT, environment: args.environment });
    const metadata = (objectName: string) => ({ name: objectName, namespace: GATEKEEPER.namespace, labels: common });
    const exempt = [...new Set([GATEKEEPER.namespace, ...args.admission.exemptNamespaces])];

    const objects = parseManifest(args.manifest)
      .filter(({ kind }) => !LEFT_OUT.includes(kind))
      .map((object) => harden(object, args));
    const manifest = registerManifest(name, objects, common, { parent: this });
    const founded = { parent: this, dependsOn: [...manifest.foundations] };
    createPolicies(name, metadata, networkPolicies(args), founded);
    protectFromDrains(name, metadata, founded);

    const running = { parent: this, dependsOn: ready(manifest) };
    const exemptions = exemptNamespaces(name, exempt, metadata, running);
    const constraints = args.policies.map((policy) =>
      hold(name, policy, common, { ...running, dependsOn: exemptions }),
    );
    ask(name, args, exempt, common, { parent: this, dependsOn: [...ready(manifest), exemptions, ...constraints] });
    this.namespace = pulumi.output(GATEKEEPER.namespace);
    this.registerOutputs({ namespace: this.namespace });
  }
}

/** Its pods, and where they tell their metrics. */
export const GATEKEEPER_PEER = {
  namespace: GATEKEEPER.namespace,
  component: COMPONENT.component,
  labels: selectorLabels(COMPONENT),
  ports: [GATEKEEPER_PORTS.metrics],
};

function harden(object: ManifestObject, args: AdmissionArgs): ManifestObject {
  if (isWorkload(object)) return hardenDeployment(object, args);
  switch (object.kind) {
    case "ClusterRole":
      return {
        ...object,
        rules: clusterRules(
          args.rules,
          args.policies.map(({ constraint }) => constraint.kind),
        ),
      };
    case "Role":
      return { ...object, rules: namespaceRules() };
    default:
      return restricted(object);
  }
}

/** Both say they are ready once all policies are theirs, and the one that answers once it has its certificate. */
function ready(manifest: ManifestResources): pulumi.Resource[] {
  return [GATEKEEPER.webhook, GATEKEEPER.audit].map((workload) => manifest.find("Deployment", workload));
}

/**
 * The webhook is open to everybody, since the API server is no pod that a policy could name, and comes by an address of the
 * nodes' or, through their bridge, of the pods' network. Tenants' pods cannot reach it: they may go nowhere that is not named.
 */
function networkPolicies({ apiServer, prometheus }: AdmissionArgs) {
  return {
    "default-deny": DENY_ALL,
    "from-api": {
      podSelector: { matchLabels: { [OPERATION_LABEL]: "webhook" } },
      policyTypes: ["Ingress"],
      ingress: [{ ports: tcp(GATEKEEPER_PORTS.webhook) }],
    },
    "to-api": { podSelector: {}, policyTypes: ["Egress"], egress: [toApiServer(apiServer)] },
    ...(prometheus && {
      "from-prometheus": {
        podSelector: {},
        policyTypes: ["Ingress"],
        ingress: [{ from: [podPeer(prometheus)], ports: tcp(GATEKEEPER_PORTS.metrics) }],
      },
    }),
  };
}

/** The manifest's asks for one that is left: of one alone, a drain would wait for ever. */
function protectFromDrains(
  name: string,
  metadata: (name: string) => k8s.types.input.meta.v1.ObjectMeta,
  opts: pulumi.CustomResourceOptions,
): void {
  for (const [operation, workload] of [
    ["webhook", GATEKEEPER.webhook],
    ["audit", GATEKEEPER.audit],
  ] as const) {
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-${workload}-budget`,
      { metadata: metadata(workload), spec: disruptionBudget({ [OPERATION_LABEL]: operation }) },
      opts,
    );
  }
}

/** For the audit; the API server does not even ask about them. */
function exemptNamespaces(
  name: string,
  namespaces: readonly string[],
  metadata: (name: string) => k8s.types.input.meta.v1.ObjectMeta,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  return new k8s.apiextensions.CustomResource(
    `${name}-config`,
    {
      apiVersion: "config.gatekeeper.sh/v1alpha1",
      kind: "Config",
      // The only name that Gatekeeper reads.
      metadata: metadata("config"),
      spec: { match: [{ excludedNamespaces: [...namespaces], processes: ["*"] }] },
    },
    opts,
  );
}

/**
 * A pod that answers the API server has this very version. The parser of the provider joins two conditions at most, hence the
 * parentheses.
 */
const ANSWERING = "(@.operations[?@ == 'webhook'])";
const OBSERVED = "@.observedGeneration == $.metadata.generation";

/** A template, and its constraint once there is a kind for it; both are there when Gatekeeper says that it goes by them. */
function hold(
  name: string,
  { name: policy, template, constraint }: GatekeeperPolicy,
  common: Readonly<Record<string, string>>,
  opts: pulumi.CustomResourceOptions & { dependsOn: pulumi.Resource },
): pulumi.Resource {
  const kind = new k8s.apiextensions.CustomResource(
    `${name}-${policy}-template`,
    awaited(template, common, [
      "jsonpath={.status.created}=true",
      `jsonpath={.status.byPod[?${ANSWERING} && ${OBSERVED}]}`,
    ]),
    opts,
  );
  return new k8s.apiextensions.CustomResource(
    `${name}-${policy}`,
    awaited(constraint, common, [`jsonpath={.status.byPod[?${ANSWERING} && (@.enforced == true && ${OBSERVED})]}`]),
    { ...opts, dependsOn: [opts.dependsOn, kind] },
  );
}

function awaited(
  object: ManifestObject,
  common: Readonly<Record<string, string>>,
  conditions: readonly string[],
): k8s.apiextensions.CustomResourceArgs {
  const { metadata, ...rest } = object;
  return {
    ...rest,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...common },
      annotations: { ...metadata.annotations, [WAIT]: JSON.stringify(conditions) },
    },
  };
}

/** The last: from now on the API server asks. Of a Service it can only once Gatekeeper has put its authority in. */
function ask(
  name: string,
  { admission, rules, conditions, target }: AdmissionArgs,
  exempt: readonly string[],
  common: Record<string, string>,
  opts: pulumi.CustomResourceOptions,
): void {
  new k8s.admissionregistration.v1.ValidatingWebhookConfiguration(
    `${name}-webhook`,
    {
      metadata: {
        name: GATEKEEPER.webhookConfiguration,
        labels: common,
        ...(target.kind === "service" && {
          annotations: { [WAIT]: "jsonpath={.webhooks[0].clientConfig.caBundle}" },
        }),
      },
      webhooks: validatingWebhooks({
        ...{ target, rules, conditions, failurePolicy: admission.failurePolicy },
        timeoutSeconds: admission.timeout / 1000,
        exemptNamespaces: exempt,
      }),
    },
    opts,
  );
}
