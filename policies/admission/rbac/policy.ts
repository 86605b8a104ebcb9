import { BINDINGS, ROLES } from "../kinds";
import type { AdmissionPolicy, Exemption } from "../policy";

export const rbac: AdmissionPolicy = {
  name: "rbac",
  kind: "WasmRbac",
  title: "Rights are named one by one, and nobody without a name has any",
  why: "A `*` also means what is added later; a right for everybody is one for whoever reaches the port.",
  matches: [...ROLES, ...BINDINGS],
  rules: ["wildcard", "escalation", "everybody", "cluster-admin"],
  schema: {},
  parameters: () => ({}),
  exemptions: [
    {
      of: "kubernetes",
      kind: "ClusterRole",
      name: "system:*",
      allows: ["wildcard", "escalation"],
      reason:
        "The API server makes these when it starts; who may not already do it all cannot make another (RBAC's own rule).",
    },
    {
      of: "kubernetes",
      kind: "ClusterRole",
      name: "cluster-admin",
      allows: ["wildcard"],
      reason: "The API server makes it when it starts, for the administrators' certificates.",
    },
    {
      of: "kubernetes",
      kind: "ClusterRole",
      name: "admin",
      allows: ["escalation"],
      reason: "The API server makes it when it starts; nothing here is bound to it.",
    },
    {
      of: "kubernetes",
      kind: "ClusterRole",
      name: "edit",
      allows: ["escalation"],
      reason: "The API server makes it when it starts; nothing here is bound to it.",
    },
    {
      of: "kubernetes",
      kind: "ClusterRole",
      name: "k3s-cloud-controller-manager",
      allows: ["wildcard"],
      reason: "K3s brings it: every verb on nodes for the controller that gives them their addresses.",
    },
    {
      of: "kubernetes",
      kind: "ClusterRole",
      name: "local-path-provisioner-role",
      allows: ["wildcard"],
      reason:
        "K3s brings it: every verb on endpoints, persistent volumes and pods for what makes volumes of a node's disk.",
    },
    ...["basic-user", "discovery", "public-info-viewer", "service-account-issuer-discovery"].map((name): Exemption => ({
      of: "kubernetes",
      kind: "ClusterRoleBinding",
      name: `system:${name}`,
      allows: ["everybody"],
      reason: "The API server makes it when it starts: what it is, what it speaks, and what one may do oneself.",
    })),
    {
      of: "kubernetes",
      kind: "ClusterRoleBinding",
      name: "cluster-admin",
      allows: ["cluster-admin"],
      reason: "The API server makes it when it starts: the administrators' group, system:masters.",
    },
    {
      of: "metallb",
      kind: "ClusterRole",
      name: "metallb-system:speaker",
      allows: ["wildcard"],
      reason: "Its manifest has every verb on MetalLB's own status objects, and on no other.",
    },
    {
      of: "metallb",
      kind: "Role",
      name: "pod-lister",
      allows: ["wildcard"],
      reason: "Its manifest has every verb on MetalLB's own status objects in its own namespace, and on no other.",
    },
  ],
};
