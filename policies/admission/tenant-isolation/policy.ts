import { BINDINGS, NETWORK_POLICY, PODS_AND_MAKERS, SERVICE } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { STRINGS, TEXT } from "../schema";

export const tenantIsolation: AdmissionPolicy = {
  name: "tenant-isolation",
  kind: "WasmTenantIsolation",
  title: "What a tenant has refers to nothing of another",
  why: "Traffic, names and rights across namespaces are a way from one tenant into the next; the gateway alone is between them.",
  matches: [NETWORK_POLICY, SERVICE, ...BINDINGS, ...PODS_AND_MAKERS],
  rules: ["peer", "open", "external-name", "subject", "account-elsewhere", "affinity"],
  schema: { tenants: STRINGS, gateway: TEXT, networks: STRINGS },
  parameters: ({ tenants, gateway, networks }) => ({
    tenants: tenants.map(({ namespace }) => namespace),
    gateway: gateway.namespace,
    networks,
  }),
  exemptions: [],
};
