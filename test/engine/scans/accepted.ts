/** A finding that stays, of one check, on these objects (as `Deployment gateway/authorizer`), and why. */
export interface Accepted {
  readonly scanner: "kube-score" | "checkov" | "kubeconform";
  readonly check: string;
  /** `everything` where we hold another view than the check itself. */
  readonly on: readonly string[] | "everything";
  readonly because: string;
}

const PULLED_ONCE =
  "an image is named by digest, or by a version that is never pushed again, so a node pulls it once; asked at each start, the registry would be a part that no pod starts without";

const METALLB_USER =
  "its release manifest sets it: the controller is `nobody` (65534), the speaker root, which answers ARP on the nodes' network";

const PROBES =
  "it has one way to tell that it works, for which it asks nobody else: what does not answer there is neither ready nor alive";

const SEES_THE_HOST =
  "it measures the host itself, in a namespace of its own that is kept for that, and can write nothing";

const COLLECTOR_ROOT = "pods' logs on a node are root's alone to read; it has no capability and a read-only root";

const GRAFANA_USER = "472 is the official image's own user, whom its files belong to; no host of ours has it";

const GATEKEEPER = [
  "Deployment gatekeeper-system/gatekeeper-audit",
  "Deployment gatekeeper-system/gatekeeper-controller-manager",
];

const GATEKEEPER_USER =
  "1000 and 999 are the official image's own user and group, of its release manifest; no host of ours has them";

const SPEAKER_NETWORK = "it answers ARP for the gateway's address, which can be done on the nodes' own network alone";

/** Of all stacks together: what is listed and found in none is refused, so that the list stays as short as it can be. */
export const ACCEPTED: readonly Accepted[] = [
  { scanner: "kube-score", check: "container-image-pull-policy", on: "everything", because: PULLED_ONCE },
  { scanner: "checkov", check: "CKV_K8S_15", on: "everything", because: PULLED_ONCE },
  {
    scanner: "checkov",
    check: "CKV_K8S_43",
    on: "everything",
    because:
      "functions are held to digests by our own policies, in the environments that say so; official images are named by version, since no digest of theirs could be verified here",
  },
  {
    scanner: "kube-score",
    check: "deployment-has-host-podantiaffinity",
    on: "everything",
    because:
      "replicas are spread over nodes by topologySpreadConstraints; an anti-affinity would allow one on each node, and there are more of them than nodes",
  },
  {
    scanner: "kube-score",
    check: "deployment-targeted-by-hpa-does-not-have-replicas-configured",
    on: "everything",
    because:
      "`replicas` is the count to begin with, and is ignored from then on (ignoreChanges): the autoscaler owns it; a stack policy refuses any other way",
  },
  {
    scanner: "kube-score",
    check: "horizontalpodautoscaler-replicas",
    on: ["HorizontalPodAutoscaler gateway/gateway", "HorizontalPodAutoscaler gateway/authorizer"],
    because: "of stack dev: there is one agent, so a second replica would be lost with the first",
  },
  {
    scanner: "kube-score",
    check: "deployment-replicas",
    on: ["Deployment monitoring/grafana", "Deployment metallb-system/controller"],
    because:
      "one by design: Grafana keeps its database in a file, and of MetalLB's controller one alone gives addresses out",
  },
  {
    scanner: "kube-score",
    check: "deployment-replicas",
    on: ["Deployment keda/keda-operator", "Deployment keda/keda-metrics-apiserver"],
    because:
      "of its release manifest: of two operators one works, and asks for all; until another pod is there, seconds later, each function keeps the pods that it has",
  },
  {
    scanner: "kube-score",
    check: "deployment-has-poddisruptionbudget",
    on: ["Deployment metallb-system/controller"],
    because:
      "there is one, so a budget would block each drain; while it moves, addresses that are given stay announced",
  },
  {
    scanner: "kube-score",
    check: "service-type",
    on: ["Service gateway/api-gateway"],
    because:
      "the way in of stacks local and real, which have no load balancer; our policies refuse it to every other Service",
  },
  {
    scanner: "kube-score",
    check: "pod-networkpolicy",
    on: ["Deployment metallb-system/controller", "DaemonSet metallb-system/speaker"],
    because:
      "no policy holds for speakers, on the nodes' network; the controller, whose webhooks alone are open, has to reach an API server whose port differs between clusters",
  },
  {
    scanner: "kube-score",
    check: "container-ephemeral-storage-request-and-limit",
    on: ["Deployment metallb-system/controller", "DaemonSet metallb-system/speaker"],
    because:
      "they write nothing but logs, which the kubelet rotates, and a limit would have them evicted, the gateway's address with them",
  },
  {
    scanner: "kube-score",
    check: "pod-probes-identical",
    on: [
      "DaemonSet monitoring-hosts/collector",
      "DaemonSet monitoring-hosts/node-exporter",
      "DaemonSet metallb-system/speaker",
      "Deployment metallb-system/controller",
    ],
    because: PROBES,
  },
  {
    scanner: "kube-score",
    check: "container-security-context-user-group-id",
    on: ["Deployment monitoring/grafana"],
    because: GRAFANA_USER,
  },
  { scanner: "checkov", check: "CKV_K8S_40", on: ["Deployment monitoring/grafana"], because: GRAFANA_USER },
  {
    scanner: "kube-score",
    check: "container-security-context-user-group-id",
    on: ["DaemonSet monitoring-hosts/collector"],
    because: COLLECTOR_ROOT,
  },
  { scanner: "checkov", check: "CKV_K8S_23", on: ["DaemonSet monitoring-hosts/collector"], because: COLLECTOR_ROOT },
  { scanner: "checkov", check: "CKV_K8S_40", on: ["DaemonSet monitoring-hosts/collector"], because: COLLECTOR_ROOT },
  {
    scanner: "kube-score",
    check: "container-security-context-user-group-id",
    on: ["DaemonSet metallb-system/speaker", "Deployment metallb-system/controller"],
    because: METALLB_USER,
  },
  { scanner: "checkov", check: "CKV_K8S_23", on: ["DaemonSet metallb-system/speaker"], because: METALLB_USER },
  { scanner: "checkov", check: "CKV_K8S_40", on: ["DaemonSet metallb-system/speaker"], because: METALLB_USER },
  {
    scanner: "kube-score",
    check: "container-security-context-user-group-id",
    on: GATEKEEPER,
    because: GATEKEEPER_USER,
  },
  { scanner: "checkov", check: "CKV_K8S_40", on: GATEKEEPER, because: GATEKEEPER_USER },
  {
    scanner: "checkov",
    check: "CKV_K8S_155",
    on: ["ClusterRole gatekeeper-manager-role"],
    because: "of its release manifest: it writes its own certificate's authority into its webhook",
  },
  {
    scanner: "kube-score",
    check: "deployment-replicas",
    on: ["Deployment gatekeeper-system/gatekeeper-controller-manager"],
    because: "of stacks dev and real: there is one agent, so a second replica would be lost with the first",
  },
  { scanner: "checkov", check: "CKV_K8S_19", on: ["DaemonSet metallb-system/speaker"], because: SPEAKER_NETWORK },
  { scanner: "checkov", check: "CKV_K8S_25", on: ["DaemonSet metallb-system/speaker"], because: SPEAKER_NETWORK },
  { scanner: "checkov", check: "CKV_K8S_17", on: ["DaemonSet monitoring-hosts/node-exporter"], because: SEES_THE_HOST },
  { scanner: "checkov", check: "CKV_K8S_19", on: ["DaemonSet monitoring-hosts/node-exporter"], because: SEES_THE_HOST },
  { scanner: "checkov", check: "CKV_K8S_26", on: ["DaemonSet monitoring-hosts/node-exporter"], because: SEES_THE_HOST },
  {
    scanner: "checkov",
    check: "CKV_K8S_21",
    on: ["Role default/prometheus-targets", "RoleBinding default/prometheus-targets"],
    because: "the addresses of the API servers are those of the Service `kubernetes`, which is in this namespace",
  },
  {
    scanner: "checkov",
    check: "CKV_K8S_38",
    on: ["DaemonSet metallb-system/speaker", "Deployment metallb-system/controller"],
    because: "both ask the API server all the time, for Services and for their own settings",
  },
  {
    scanner: "checkov",
    check: "CKV_K8S_49",
    on: ["ClusterRole metallb-system:speaker"],
    because: "of its release manifest: every verb, but only on what it writes of its own state",
  },
  {
    scanner: "checkov",
    check: "CKV_K8S_155",
    on: ["ClusterRole metallb-system:controller"],
    because:
      "of its release manifest: it writes its own certificate's authority into its webhooks, each named in the role",
  },
];
