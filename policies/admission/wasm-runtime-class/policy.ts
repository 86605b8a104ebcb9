import { PODS_AND_MAKERS } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { STRINGS, TEXT } from "../schema";

export const wasmRuntimeClass: AdmissionPolicy = {
  name: "wasm-runtime-class",
  kind: "WasmRuntimeClass",
  title: "Functions run in the wasm runtime, and nothing else does",
  why: "What runs in a tenant's namespace is WebAssembly, with its sandbox and its accounted overhead; a container there would have neither.",
  matches: PODS_AND_MAKERS,
  rules: ["missing", "misused"],
  schema: { runtimeClassName: TEXT, tenants: STRINGS },
  parameters: ({ runtimeClassName, tenants }) => ({
    runtimeClassName,
    tenants: tenants.map(({ namespace }) => namespace),
  }),
  exemptions: [],
};
