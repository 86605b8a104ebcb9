import { AUTOSCALER, SCALE, SERVERS } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { listOf, NUMBER, STRINGS, TEXT } from "../schema";

export const replicaLimits: AdmissionPolicy = {
  name: "replica-limits",
  kind: "WasmReplicaLimits",
  title: "Functions have no more replicas than the plan has room for",
  why: "The plan has shown that the cluster carries every function at its maximum; one above it takes the room of others.",
  matches: [...SERVERS.filter(({ kind }) => kind !== "DaemonSet"), SCALE, AUTOSCALER],
  rules: ["replicas"],
  schema: { tenants: STRINGS, functions: listOf({ namespace: TEXT, name: TEXT, replicas: NUMBER }) },
  parameters: ({ tenants }) => ({
    tenants: tenants.map(({ namespace }) => namespace),
    functions: tenants.flatMap(({ namespace, functions }) =>
      functions.map(({ name, maxReplicas }) => ({ namespace, name, replicas: maxReplicas })),
    ),
  }),
  exemptions: [],
};
