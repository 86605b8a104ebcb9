import type { AdmissionFacts } from "./policy";

/**
 * A production stack, small enough to read: what the constraints in the repository are made of, and the samples of the
 * suites beside them are judged by. A stack's own constraints are made of its own facts.
 */
export const EXAMPLE_FACTS: AdmissionFacts = {
  environment: "prod",
  tenants: [
    {
      namespace: "shop",
      functions: [{ name: "checkout", limits: { cpu: 0.1, memory: 64 * 1024 ** 2 }, maxReplicas: 5000 }],
    },
    {
      namespace: "billing",
      functions: [{ name: "invoice", limits: { cpu: 0.5, memory: 128 * 1024 ** 2 }, maxReplicas: 20 }],
    },
    { namespace: "returns", functions: [] },
  ],
  gateway: { namespace: "gateway", service: "api-gateway" },
  networks: ["10.42.0.0/16", "10.43.0.0/16"],
  platform: [
    { role: "gateway", namespace: "gateway" },
    { role: "admission", namespace: "gatekeeper-system" },
    { role: "metallb", namespace: "metallb-system" },
    { role: "monitoring", namespace: "monitoring" },
    { role: "monitoring-hosts", namespace: "monitoring-hosts" },
  ],
  registries: {
    tenants: ["registry.example.com/"],
    platform: ["docker.io/library/traefik", "docker.io/library/node", "quay.io/metallb/"],
  },
  digests: true,
  runtimeClassName: "wasmedge",
};
