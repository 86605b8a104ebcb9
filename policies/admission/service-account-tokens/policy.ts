import { PODS_AND_MAKERS, SERVICE_ACCOUNT } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { STRINGS } from "../schema";

const CALLS_THE_API =
  "It calls the API, and its manifest reads the token from where it is mounted on its own; its namespace has nothing else in it.";

export const serviceAccountTokens: AdmissionPolicy = {
  name: "service-account-tokens",
  kind: "WasmServiceAccountTokens",
  title: "No pod gets a token that it did not ask for, a function none at all",
  why: "A token is what somebody who breaks in asks the API with. What calls the API mounts one by name, with its lifetime.",
  matches: [...PODS_AND_MAKERS, SERVICE_ACCOUNT],
  rules: ["pod", "account", "volume"],
  schema: { tenants: STRINGS },
  parameters: ({ tenants }) => ({ tenants: tenants.map(({ namespace }) => namespace) }),
  exemptions: [
    { of: "metallb", kind: "DaemonSet", name: "speaker", allows: ["pod"], reason: CALLS_THE_API },
    { of: "metallb", kind: "Deployment", name: "controller", allows: ["pod"], reason: CALLS_THE_API },
    { of: "metallb", kind: "ServiceAccount", name: "speaker", allows: ["account"], reason: CALLS_THE_API },
    { of: "metallb", kind: "ServiceAccount", name: "controller", allows: ["account"], reason: CALLS_THE_API },
  ],
};
