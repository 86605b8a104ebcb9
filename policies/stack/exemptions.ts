import { UNKNOWN_NAMESPACE } from "./kubernetes";
import type { StackPolicyName } from "./names";

/** What one policy lets pass of one object, and why nothing else will do. */
export interface Exemption {
  readonly policy: StackPolicyName;
  /** Kind, namespace and name, as messages have them. */
  readonly object: string;
  /** The very fields: another of the same object is no exemption. */
  readonly fields: readonly string[];
  readonly reason: string;
}

const POD = "spec.template.spec";

/** All that the platform's own objects may do and others may not. A test refuses what no stack has need of. */
export const EXEMPTIONS: readonly Exemption[] = [
  {
    policy: "pod-security",
    object: "DaemonSet monitoring-hosts/node-exporter",
    fields: [`${POD}.hostNetwork`, `${POD}.hostPID`, `${POD}.volumes.root`],
    reason:
      "it measures the host: its network, its processes and its file systems, of which it reads all and writes none",
  },
  {
    policy: "pod-security",
    object: "DaemonSet monitoring-hosts/collector",
    fields: [
      `${POD}.containers.collector.securityContext.runAsNonRoot`,
      `${POD}.volumes.logs`,
      `${POD}.volumes.storage`,
    ],
    reason: "it reads pods' logs, which on the host are root's alone, and keeps there how far it has read",
  },
  {
    policy: "pod-security",
    object: "DaemonSet metallb-system/speaker",
    fields: [
      `${POD}.hostNetwork`,
      `${POD}.containers.speaker.securityContext.runAsNonRoot`,
      `${POD}.containers.speaker.securityContext.capabilities.add`,
    ],
    reason: "it answers ARP for the gateway's address on the host's own network, which takes raw sockets",
  },
  ...["DaemonSet metallb-system/speaker", "Deployment metallb-system/controller"].map((object) => ({
    policy: "container-resources" as const,
    object,
    fields: ["requests", "limits"].map(
      (kind) => `${POD}.containers.${object.split("/")[1]}.resources.${kind}.ephemeral-storage`,
    ),
    reason: "its release manifest mounts no volume that can be written, and its root is read only: it can fill no disk",
  })),
  ...["DaemonSet metallb-system/speaker", "Deployment metallb-system/controller"].map((object) => ({
    policy: "probes" as const,
    object,
    fields: [`${POD}.containers.${object.split("/")[1]}.livenessProbe`],
    reason: "its release manifest asks /metrics for both, with the same bounds; no requests are sent to it",
  })),
  ...["ServiceAccount metallb-system/controller", "ServiceAccount metallb-system/speaker"].map((object) => ({
    policy: "service-account-tokens" as const,
    object,
    fields: ["automountServiceAccountToken"],
    reason: "its release manifest has it find its token where it is mounted by default",
  })),
  {
    policy: "service-account-tokens",
    object: "DaemonSet metallb-system/speaker",
    fields: [`${POD}.automountServiceAccountToken`],
    reason:
      "its release manifest has it find its token where it is mounted by default; it announces what the API tells it",
  },
  {
    policy: "service-account-tokens",
    object: "Deployment metallb-system/controller",
    fields: [`${POD}.automountServiceAccountToken`],
    reason:
      "its release manifest has it find its token where it is mounted by default; it gives out addresses by the API",
  },
  {
    policy: "rbac",
    object: "ClusterRole metallb-system:speaker",
    fields: ["rules[0].verbs"],
    reason: "its release manifest: over the statuses of MetalLB's own that it alone writes",
  },
  {
    policy: "rbac",
    object: "Role metallb-system/pod-lister",
    fields: ["rules[9].verbs"],
    reason: "its release manifest: over the statuses of MetalLB's own that it alone writes",
  },
  {
    policy: "network-policies",
    object: "Namespace metallb-system",
    fields: ["metadata.name"],
    reason: "its speakers are in the hosts' network, which no policy reaches; its controller has a policy of its own",
  },
];

/** Whether one of the exemptions lets this pass. In a namespace that a preview does not know, any will do: the `up` knows it. */
export function isExempt(policy: StackPolicyName, path: string): boolean {
  return EXEMPTIONS.some(({ policy: of, object, fields }) => {
    const unplaced = object.replace(/ [^/ ]+\//, ` ${UNKNOWN_NAMESPACE}/`);
    return of === policy && fields.some((field) => path === `${object} ${field}` || path === `${unplaced} ${field}`);
  });
}
