import { PODS_AND_MAKERS } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { STRINGS } from "../schema";

export const digestPinnedImages: AdmissionPolicy = {
  name: "digest-pinned-images",
  kind: "WasmDigestPinnedImages",
  title: "Functions' images are named by digest, where the stack asks for it",
  why: "A digest names the program that was tested: a registry cannot answer with another.",
  matches: PODS_AND_MAKERS,
  rules: ["digest"],
  schema: { namespaces: STRINGS },
  parameters: ({ digests, tenants }) => ({
    namespaces: digests ? tenants.map(({ namespace }) => namespace) : [],
  }),
  exemptions: [],
};
