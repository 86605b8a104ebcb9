import { stringify } from "yaml";
import type { K3sClusterConfig } from "../../infra/config";

/** Where K3s's own files lie on a host. */
export const K3S_FOLDER = "/etc/rancher/k3s";

/**
 * What the API server admits by default, after K3s's hardening guide: pods by the restricted standard, but for the system's
 * own namespaces, and events at a bounded rate. A namespace's own label wins over the default.
 */
export function admissionConfig(): string {
  return stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AdmissionConfiguration",
    plugins: [
      {
        name: "PodSecurity",
        configuration: {
          apiVersion: "pod-security.admission.config.k8s.io/v1",
          kind: "PodSecurityConfiguration",
          defaults: {
            enforce: "restricted",
            "enforce-version": "latest",
            audit: "restricted",
            "audit-version": "latest",
            warn: "restricted",
            "warn-version": "latest",
          },
          exemptions: { usernames: [], runtimeClasses: [], namespaces: ["kube-system"] },
        },
      },
      {
        name: "EventRateLimit",
        configuration: {
          apiVersion: "eventratelimit.admission.k8s.io/v1alpha1",
          kind: "Configuration",
          // A scale-out to 5,000 pods writes a handful of events for each: a thousand a second is beyond any start rate.
          limits: [{ type: "Server", qps: 1000, burst: 5000 }],
        },
      },
    ],
  });
}

/** Who did what: all that changes something, and every look at a secret, without any content. */
export function auditPolicy(): string {
  const metadata = (rule: object) => ({ level: "Metadata", ...rule });
  return stringify({
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [
      // Leases and events are the cluster's pulse: thousands of lines that tell nothing of anyone.
      { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }] },
      { level: "None", resources: [{ group: "", resources: ["events"] }] },
      metadata({ resources: [{ group: "", resources: ["secrets", "configmaps", "serviceaccounts/token"] }] }),
      metadata({ verbs: ["create", "update", "patch", "delete", "deletecollection"] }),
      { level: "None" },
    ],
  });
}

/** Empty where every registry is asked itself. */
export function registriesConfig({ mirrors }: Pick<K3sClusterConfig, "mirrors">): string {
  const entries = Object.entries(mirrors);
  if (entries.length === 0) return "";
  return stringify({ mirrors: Object.fromEntries(entries.map(([name, endpoint]) => [name, { endpoint }])) });
}

/** The systemd unit; like the one of K3s's own installer, but for where flags come from: all are in config.yaml. */
export function k3sUnit(role: "server" | "agent"): string {
  return `[Unit]
Description=Lightweight Kubernetes (${role})
Documentation=https://docs.k3s.io
Wants=network-online.target
After=network-online.target

[Service]
# A server says when it is ready; an agent may wait long for a server that is not there yet.
Type=${role === "server" ? "notify" : "exec"}
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s ${role}
# Pods go on while K3s starts again.
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
`;
}
