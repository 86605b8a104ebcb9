import * as pulumi from "@pulumi/pulumi";
import { labels } from "../labels";
import { isWorkload, parseManifest, registerManifest, restricted, type ManifestObject } from "../manifest";
import {
  ALLOW_DNS,
  createPolicies,
  DENY_ALL,
  fromPods,
  podPeer,
  tcp,
  toApiServer,
  type ApiServerPeers,
  type Peer,
} from "../network";
import { KEDA, KEDA_PORTS } from "./names";
import { hardenDeployment, type KedaPodsArgs } from "./pods";
import { ADAPTER_BINDINGS, ADAPTER_SUBJECT, operatorNamespaceRules, operatorRules, readerRules } from "./rights";
import { SCALED_JOB_CRD } from "./scaled-job";

/**
 * Where the API server asks for metrics: KEDA's own Service, or one that leads to a process at a port of its own machine (see
 * `KEDA.outside`), with the certificate of its authority.
 */
export type MetricsTarget =
  { readonly kind: "service" } | { readonly kind: "loopback"; readonly port: number; readonly certificate: string };

export interface KedaArgs extends KedaPodsArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  /** The release manifest, verified: see `readManifest`. */
  readonly manifest: string;
  readonly target: MetricsTarget;
  /** What autoscalers may ask it for: see `triggerMetrics`. */
  readonly metrics: readonly string[];
  readonly apiServer: ApiServerPeers;
  /** Whom it asks for requests. Default: nobody in the cluster. */
  readonly prometheus: (Peer & { readonly port: number }) | undefined;
}

const COMPONENT = { name: "keda", component: "autoscaling" } as const;
const OPERATOR_PODS = { app: KEDA.operator };
const ADAPTER_PODS = { app: KEDA.adapter };

/** The operator's pods, which ask Prometheus. */
export const KEDA_PEER: Peer = { namespace: KEDA.namespace, labels: OPERATOR_PODS };

/**
 * KEDA, which scales functions by their requests: its release manifest, hardened. The operator makes an autoscaler of each
 * ScaledObject, and takes a function from no pods to one and back; the metrics adapter tells autoscalers the requests/s that
 * the operator asks Prometheus for. One for each cluster; nothing else may serve `external.metrics.k8s.io` there.
 */
export class Keda extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;

  constructor(name: string, args: KedaArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:autoscaling:Keda", name, {}, opts);
    const common = labels({ ...COMPONENT, environment: args.environment });
    const metadata = (objectName: string) => ({ name: objectName, namespace: KEDA.namespace, labels: common });

    const objects = [...parseManifest(args.manifest), SCALED_JOB_CRD, adapterAccount()];
    const manifest = registerManifest(
      name,
      objects.map((object) => harden(object, args)),
      common,
      { parent: this },
    );
    createPolicies(name, metadata, networkPolicies(args), { parent: this, dependsOn: [...manifest.foundations] });
    this.namespace = pulumi.output(KEDA.namespace);
    this.registerOutputs({ namespace: this.namespace });
  }
}

function adapterAccount(): ManifestObject {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: KEDA.adapter, namespace: KEDA.namespace } };
}

function harden(object: ManifestObject, args: KedaArgs): ManifestObject {
  if (isWorkload(object)) return hardenDeployment(object, args);
  const { metadata } = object;
  switch (object.kind) {
    case "ClusterRole":
      return { ...object, rules: metadata.name === KEDA.operator ? operatorRules() : readerRules(args.metrics) };
    case "Role":
      return { ...object, rules: operatorNamespaceRules() };
    case "ClusterRoleBinding":
    case "RoleBinding":
      return ADAPTER_BINDINGS.includes(metadata.name) ? { ...object, subjects: [ADAPTER_SUBJECT] } : object;
    case "APIService":
      return verified(object, args.target);
    default:
      return restricted(object);
  }
}

/** It believes the authority of this certificate alone; that of pods the operator makes, and puts in. */
function verified(object: ManifestObject, target: MetricsTarget): ManifestObject {
  if (target.kind === "service") return object;
  const spec = object["spec"] as object;
  const caBundle = Buffer.from(target.certificate).toString("base64");
  const service = { name: KEDA.adapter, namespace: KEDA.outside, port: target.port };
  return { ...object, spec: { ...spec, caBundle, service } };
}

/**
 * The adapter is open to everybody, since the API server is no pod that a policy could name: it asks that one who comes. The
 * operator answers the adapter alone, and asks Prometheus and the API server.
 */
function networkPolicies({ apiServer, prometheus }: KedaArgs) {
  const egress = (podSelector: object, ...rules: object[]) => ({ podSelector, policyTypes: ["Egress"], egress: rules });
  return {
    "default-deny": DENY_ALL,
    "allow-dns": ALLOW_DNS,
    "from-api": {
      podSelector: { matchLabels: ADAPTER_PODS },
      policyTypes: ["Ingress"],
      ingress: [{ ports: tcp(KEDA_PORTS.api) }],
    },
    "from-adapter": fromPods(
      OPERATOR_PODS,
      [{ namespace: KEDA.namespace, labels: ADAPTER_PODS }],
      [KEDA_PORTS.operator],
    ),
    "to-operator": egress(
      { matchLabels: ADAPTER_PODS },
      { to: [{ podSelector: { matchLabels: OPERATOR_PODS } }], ports: tcp(KEDA_PORTS.operator) },
    ),
    "to-api": egress({}, toApiServer(apiServer)),
    ...(prometheus && {
      "to-prometheus": egress(
        { matchLabels: OPERATOR_PODS },
        { to: [podPeer(prometheus)], ports: tcp(prometheus.port) },
      ),
    }),
  };
}
