import { PODS_AND_MAKERS } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { STRINGS } from "../schema";

export const allowedRegistries: AdmissionPolicy = {
  name: "allowed-registries",
  kind: "WasmAllowedRegistries",
  title: "Images come from the stack's registries",
  why: "Whoever can push to a registry decides what runs: functions come from the tenants' own, the platform's parts from its list.",
  matches: PODS_AND_MAKERS,
  rules: ["registry"],
  schema: { tenants: STRINGS, tenantRegistries: STRINGS, platformRegistries: STRINGS },
  parameters: ({ tenants, registries }) => ({
    tenants: tenants.map(({ namespace }) => namespace),
    tenantRegistries: registries.tenants,
    platformRegistries: registries.platform,
  }),
  exemptions: [],
};
