import { PODS_AND_MAKERS } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { listOf, NUMBER, STRINGS, TEXT } from "../schema";

export const containerResources: AdmissionPolicy = {
  name: "container-resources",
  kind: "WasmContainerResources",
  title: "Containers request and are limited, functions within their bounds",
  why: "What requests nothing is placed anywhere and starves its neighbours; a function above its bound breaks the capacity that the plan has computed.",
  matches: PODS_AND_MAKERS,
  rules: ["cpu", "memory", "ephemeral-storage", "bound"],
  schema: { tenants: STRINGS, functions: listOf({ namespace: TEXT, name: TEXT, cpu: NUMBER, memory: NUMBER }) },
  parameters: ({ tenants }) => ({
    tenants: tenants.map(({ namespace }) => namespace),
    functions: tenants.flatMap(({ namespace, functions }) =>
      functions.map(({ name, limits }) => ({ namespace, name, ...limits })),
    ),
  }),
  exemptions: [
    {
      of: "metallb",
      kind: "DaemonSet",
      name: "speaker",
      allows: ["ephemeral-storage"],
      reason: "Its manifest mounts no writable volume and its root is read-only: it has nothing to fill a disk with.",
    },
    {
      of: "metallb",
      kind: "Deployment",
      name: "controller",
      allows: ["ephemeral-storage"],
      reason: "Its manifest mounts no writable volume and its root is read-only: it has nothing to fill a disk with.",
    },
  ],
};
