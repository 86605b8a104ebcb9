import { POD, SERVERS } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { STRINGS, TEXT } from "../schema";

export const probes: AdmissionPolicy = {
  name: "probes",
  kind: "WasmProbes",
  title: "What serves is probed, and functions by HTTP or TCP alone",
  why: "Without readiness a rollout sends requests to pods that do not answer yet; a wasm pod has no program that a probe could start, so an exec probe fails for ever.",
  matches: [POD, ...SERVERS],
  rules: ["readiness", "liveness", "same", "exec"],
  schema: { runtimeClassName: TEXT, tenants: STRINGS },
  parameters: ({ runtimeClassName, tenants }) => ({
    runtimeClassName,
    tenants: tenants.map(({ namespace }) => namespace),
  }),
  exemptions: [
    {
      of: "metallb",
      kind: "DaemonSet",
      name: "speaker",
      allows: ["same"],
      reason: "It has one endpoint to probe, and its manifest asks it for both.",
    },
    {
      of: "metallb",
      kind: "Deployment",
      name: "controller",
      allows: ["same"],
      reason: "It has one endpoint to probe, and its manifest asks it for both.",
    },
  ],
};
