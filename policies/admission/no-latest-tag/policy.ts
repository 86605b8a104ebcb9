import { PODS_AND_MAKERS } from "../kinds";
import type { AdmissionPolicy } from "../policy";

export const noLatestTag: AdmissionPolicy = {
  name: "no-latest-tag",
  kind: "WasmNoLatestTag",
  title: "Images name a version",
  why: "A tag that moves cannot be rolled back to, and two nodes may run different programs under one name.",
  matches: PODS_AND_MAKERS,
  rules: ["no-tag", "latest"],
  schema: {},
  parameters: () => ({}),
  exemptions: [],
};
