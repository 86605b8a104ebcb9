import { expect, it } from "vitest";
import { parse } from "yaml";
import { renderReadyAgainStage } from "../../../../local/simulated-nodes/stages";

interface Stage {
  readonly kind: string;
  readonly spec: {
    readonly resourceRef: object;
    readonly selector: { readonly matchExpressions: readonly object[] };
    readonly next: { readonly statusTemplate: string };
  };
}

const stage = renderReadyAgainStage() as Stage;

it("picks pods that run and are not ready, and are not on their way out", () => {
  expect(stage.kind).toBe("Stage");
  expect(stage.spec.resourceRef).toEqual({ apiGroup: "v1", kind: "Pod" });
  expect(stage.spec.selector.matchExpressions).toEqual([
    { key: ".metadata.deletionTimestamp", operator: "DoesNotExist" },
    { key: ".status.phase", operator: "In", values: ["Running"] },
    {
      key: '.status.conditions.[] | select( .type == "Ready" ) | .status',
      operator: "In",
      values: ["False"],
    },
  ]);
});

it("makes them ready as of now, and touches nothing else of their status", () => {
  const template = stage.spec.next.statusTemplate.replace("{{ Now | Quote }}", '"2026-01-01T00:00:00Z"');
  expect(parse(template)).toEqual({
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }],
  });
});
