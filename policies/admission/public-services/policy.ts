import { SERVICE } from "../kinds";
import type { AdmissionPolicy } from "../policy";
import { TEXT } from "../schema";

export const publicServices: AdmissionPolicy = {
  name: "public-services",
  kind: "WasmPublicServices",
  title: "The gateway's Service alone is reached from outside",
  why: "Another way in has neither authorization nor rate limits, nor is it in the logs.",
  matches: [SERVICE],
  rules: ["type", "external-ips"],
  schema: { namespace: TEXT, name: TEXT },
  parameters: ({ gateway }) => ({ namespace: gateway.namespace, name: gateway.service }),
  exemptions: [],
};
