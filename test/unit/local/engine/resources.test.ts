import { expect, it } from "vitest";
import { resourcesInPlan, resourcesInState } from "../../../../local/engine/resources";
import { COMPONENT, DEPLOYMENT, PROVIDER, SERVICE, STACK } from "./support";

const SECRET = "correct horse battery staple";
/** What both files have of a Deployment: more than may leave them. */
const RECORDED = {
  type: "kubernetes:apps/v1:Deployment",
  custom: true,
  id: `shop/${SECRET}`,
  parent: COMPONENT,
  provider: `${PROVIDER}::04da6b54-80e4-46f7-96ec-b56ff0331ba9`,
  dependencies: [SERVICE],
  propertyDependencies: { spec: [SERVICE] },
  inputs: { spec: SECRET },
  outputs: { spec: SECRET },
};
const KNOWN = {
  ...{ urn: DEPLOYMENT, type: "kubernetes:apps/v1:Deployment", custom: true },
  ...{ parent: COMPONENT, dependencies: [PROVIDER, SERVICE] },
};
const COMPONENT_TYPE = "wasm-functions:functions:WasmFunction";

it("takes from a state what each resource is, waits for and is part of, and nothing that is in it", () => {
  const resources = [
    { urn: STACK, type: "pulumi:pulumi:Stack", custom: false, outputs: { token: SECRET } },
    { urn: COMPONENT, type: COMPONENT_TYPE, parent: STACK, dependencies: null },
    { urn: DEPLOYMENT, ...RECORDED },
    // The one that it has replaced.
    { urn: DEPLOYMENT, ...RECORDED, delete: true },
  ];
  expect(resourcesInState(JSON.stringify({ version: 3, deployment: { resources } }))).toEqual([
    { urn: STACK, type: "pulumi:pulumi:Stack", custom: false, dependencies: [] },
    { urn: COMPONENT, type: COMPONENT_TYPE, custom: false, parent: STACK, dependencies: [] },
    KNOWN,
  ]);
});

it("takes the same from a plan, without what would be deleted", () => {
  const resourcePlans = {
    [COMPONENT]: { goal: { type: COMPONENT_TYPE, custom: false, name: "checkout" }, steps: ["create"], state: {} },
    [DEPLOYMENT]: { goal: { ...RECORDED, inputDiff: { adds: { spec: SECRET } } }, steps: ["create"], state: SECRET },
    [SERVICE]: { steps: ["delete"], state: { spec: SECRET } },
  };
  expect(resourcesInPlan(JSON.stringify({ manifest: {}, config: { token: SECRET }, resourcePlans }))).toEqual([
    { urn: COMPONENT, type: COMPONENT_TYPE, custom: false, dependencies: [] },
    KNOWN,
  ]);
});

it.each([{}, { deployment: null }, { deployment: {} }, { deployment: { resources: null } }])(
  "finds nothing in a state that has nothing: %j",
  (state) => {
    expect(resourcesInState(JSON.stringify(state))).toEqual([]);
    expect(resourcesInPlan(JSON.stringify(state))).toEqual([]);
  },
);
