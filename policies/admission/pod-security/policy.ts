import { PODS_AND_MAKERS } from "../kinds";
import type { AdmissionPolicy } from "../policy";

export const podSecurity: AdmissionPolicy = {
  name: "pod-security",
  kind: "WasmPodSecurity",
  title: "Pods have no rights on their node",
  why: "Pod Security's level `restricted`, told when a Deployment is applied and with what to change, in every namespace; and root file systems that cannot be written.",
  matches: PODS_AND_MAKERS,
  rules: [
    "host-namespaces",
    "host-path",
    "host-port",
    "volume-type",
    "privileged",
    "privilege-escalation",
    "capabilities",
    "non-root",
    "seccomp",
    "proc-mount",
    "sysctls",
    "selinux",
    "apparmor",
    "host-process",
    "root-file-system",
  ],
  schema: {},
  parameters: () => ({}),
  exemptions: [
    {
      of: "monitoring-hosts",
      kind: "DaemonSet",
      name: "node-exporter",
      allows: ["host-namespaces", "host-path"],
      reason: "It measures the node: its network, its processes and its file systems, which it mounts read-only.",
    },
    {
      of: "monitoring-hosts",
      kind: "DaemonSet",
      name: "collector",
      allows: ["host-path", "non-root"],
      reason:
        "It reads the pods' log files, which belong to root, and keeps how far it has read on the node; it has no capability.",
    },
    {
      of: "metallb",
      kind: "DaemonSet",
      name: "speaker",
      allows: ["host-namespaces", "capabilities", "non-root"],
      reason:
        "It answers ARP for the gateway's address: on the node's network, with NET_RAW, which only root's processes get.",
    },
  ],
};
