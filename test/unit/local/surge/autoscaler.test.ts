import { expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { autoscalerWords, scalingOf } from "../../../../local/surge/autoscaler";
import { withFunction } from "../../infra/support";

const rules = (percent: number, pods: number, stabilizationWindowSeconds: number) => ({
  stabilizationWindowSeconds,
  policies: [
    { type: "Percent", value: percent, periodSeconds: 15 },
    { type: "Pods", value: pods, periodSeconds: 15 },
  ],
});
const behavior = { scaleUp: rules(900, 1000, 0), scaleDown: rules(10, 1, 120) };
const wordsOf = (scaling: object) =>
  scalingOf(parseConfig(withFunction({ scaling, objectives: { availability: "99.9%" } })).functions[0]!);

it("an autoscaler is told by the same words in the file and in the cluster, also where KEDA has the first pod", () => {
  const words = "10 to 5000, up 900% or 1000 in 15 s after 0 s, down 10% or 1 in 15 s after 120 s";
  expect(wordsOf({})).toBe(words);
  expect(autoscalerWords({ spec: { minReplicas: 10, maxReplicas: 5000, behavior } })).toBe(words);
  const sleeper = { spec: { minReplicas: 1, maxReplicas: 5000, behavior } };
  expect(wordsOf({ metric: "rps", min: 0 })).toBe(autoscalerWords(sleeper));
});
