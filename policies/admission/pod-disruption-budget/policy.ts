import { BUDGET } from "../kinds";
import type { AdmissionPolicy } from "../policy";

export const podDisruptionBudget: AdmissionPolicy = {
  name: "pod-disruption-budget",
  kind: "WasmPodDisruptionBudget",
  title: "Budgets leave room to evict a pod",
  why: "A budget that allows no disruption stops every drain: an upgrade of K3s waits for it for ever.",
  matches: [BUDGET],
  rules: ["no-room", "everything"],
  schema: {},
  parameters: () => ({}),
  exemptions: [],
};
