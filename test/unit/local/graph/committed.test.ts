import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks";
import { expect, it, vi } from "vitest";
import type { Resource } from "../../../../local/engine/resources";
import { layOut } from "../../../../local/graph/layout";
import { modelOf } from "../../../../local/graph/model";
import { renderPicture } from "../../../../local/graph/picture";
import { registerStack } from "../../../support/rendered";

/** What the engine is asked to register a resource by. */
interface Request {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getParent(): string;
  getProvider(): string;
  getDependenciesList(): string[];
}

/** The resources of a stack as its preview has them. */
async function plannedResources(stack: string): Promise<Resource[]> {
  const requests = vi.spyOn(MockMonitor.prototype, "registerResource");
  // What the program says of its plan is not asked for here.
  for (const level of ["info", "warn"] as const) vi.spyOn(pulumi.log, level).mockResolvedValue(undefined);
  try {
    await registerStack(stack);
    return requests.mock.calls.map(([request]) => resourceOf(stack, request as Request));
  } finally {
    vi.restoreAllMocks();
  }
}

function resourceOf(stack: string, request: Request): Resource {
  const [type, parent, provider] = [request.getType(), request.getParent(), request.getProvider()];
  const [, , around = ""] = parent.split("::");
  const types = around === "" || around === "pulumi:pulumi:Stack" ? type : `${around}$${type}`;
  const owner = provider === "" ? [] : [provider.slice(0, provider.lastIndexOf("::"))];
  return {
    urn: `urn:pulumi:${stack}::wasm-functions::${types}::${request.getName()}`,
    ...{ type, custom: request.getCustom(), parent },
    dependencies: [...owner, ...request.getDependenciesList()],
  };
}

it("the picture in the README is that of stack prod; docs/graph.svg is renewed as the README says", async () => {
  const resources = await plannedResources("prod");
  const picture = renderPicture(await layOut(modelOf("prod", resources)));
  expect(picture === readFileSync(resolve(__dirname, "../../../../docs/graph.svg"), "utf8")).toBe(true);
  // Everything of production is registered, which takes a busy machine a while.
}, 60_000);
