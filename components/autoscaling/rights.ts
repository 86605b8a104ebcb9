import type { types } from "@pulumi/kubernetes";
import { KEDA } from "./names";

type Rule = types.input.rbac.v1.PolicyRule;

const READ = ["get", "list", "watch"];

/**
 * What the operator may do in the whole cluster. The release manifest lets it read everything, Secrets too, and scale whatever
 * can be scaled; here it reads its own kinds and Deployments, scales those, and keeps the autoscalers that it makes for them.
 */
export function operatorRules(): Rule[] {
  return [
    { apiGroups: ["keda.sh"], resources: ["scaledobjects"], verbs: [...READ, "update", "patch"] },
    { apiGroups: ["keda.sh"], resources: ["scaledobjects/status"], verbs: ["get", "update", "patch"] },
    // What it makes belongs to them.
    { apiGroups: ["keda.sh"], resources: ["scaledobjects/finalizers"], verbs: ["update"] },
    // Kinds that nobody uses here; without them in sight it ends.
    {
      apiGroups: ["keda.sh"],
      resources: ["scaledjobs", "triggerauthentications", "clustertriggerauthentications"],
      verbs: READ,
    },
    { apiGroups: ["eventing.keda.sh"], resources: ["cloudeventsources"], verbs: READ },
    { apiGroups: ["apps"], resources: ["deployments"], verbs: READ },
    { apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["get", "update", "patch"] },
    {
      apiGroups: ["autoscaling"],
      resources: ["horizontalpodautoscalers"],
      verbs: [...READ, "create", "update", "patch", "delete"],
    },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
    // Its own certificate's authority goes in there; of webhooks, which it has none of here, it wants to know so.
    { apiGroups: ["admissionregistration.k8s.io"], resources: ["validatingwebhookconfigurations"], verbs: READ },
    { apiGroups: ["apiregistration.k8s.io"], resources: ["apiservices"], verbs: READ },
    {
      apiGroups: ["apiregistration.k8s.io"],
      resources: ["apiservices"],
      resourceNames: [KEDA.apiService],
      verbs: ["update", "patch"],
    },
  ];
}

/** What it may do in its own namespace: make and keep its certificate, and say which of two operators works. */
export function operatorNamespaceRules(): Rule[] {
  return [
    { apiGroups: [""], resources: ["secrets"], verbs: ["list", "watch", "create"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames: [KEDA.secret], verbs: ["get", "update", "patch"] },
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      resourceNames: ["operator.keda.sh"],
      verbs: ["get", "update", "patch"],
    },
  ];
}

/** What autoscalers may ask: the metrics that functions have. In the manifest it is everything. */
export function readerRules(metrics: readonly string[]): Rule[] {
  return [{ apiGroups: ["external.metrics.k8s.io"], resources: [...metrics], verbs: ["get", "list"] }];
}

/** Bindings of the manifest that are about who asks for metrics: to the adapter's own account, not the operator's. */
export const ADAPTER_BINDINGS: readonly string[] = ["keda-system-auth-delegator", "keda-auth-reader"];

/** The manifest's account for both is the operator's alone; whom the API server passes requests to has one that may do nothing else. */
export const ADAPTER_SUBJECT = { kind: "ServiceAccount", name: KEDA.adapter, namespace: KEDA.namespace } as const;
