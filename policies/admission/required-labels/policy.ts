import { NAMESPACE, SERVERS, SERVICE } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { STRINGS, TEXT } from "../schema";

export const requiredLabels: AdmissionPolicy = {
  name: "required-labels",
  kind: "WasmRequiredLabels",
  title: "Objects say what they are, whose, and of which environment",
  why: "Dashboards, alerts and network policies find objects by these labels; one without them is watched by nobody.",
  matches: [NAMESPACE, SERVICE, ...SERVERS],
  rules: ["missing", "environment", "tenant"],
  schema: { environment: TEXT, tenants: STRINGS },
  parameters: ({ environment, tenants }) => ({
    environment,
    tenants: tenants.map(({ namespace }) => namespace),
  }),
  exemptions: [
    {
      of: "kubernetes",
      kind: "Namespace",
      name: "default",
      allows: ["missing", "environment"],
      reason: "The API server makes it when it starts.",
    },
    {
      of: "kubernetes",
      kind: "Namespace",
      name: "kube-*",
      allows: ["missing", "environment"],
      reason: "The API server and K3s make these when they start.",
    },
    {
      of: "kubernetes",
      kind: "Service",
      namespace: "default",
      name: "kubernetes",
      allows: ["missing", "environment"],
      reason: "The API server makes it when it starts.",
    },
  ],
};
