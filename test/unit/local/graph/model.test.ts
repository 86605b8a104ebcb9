import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countOf, modelOf, type Box } from "../../../../local/graph/model";
import { example, resource, STACK } from "./support";

/** A box as a line each for itself, its groups and its arrows, those within it further in. */
function lines({ kind, name, groups, boxes, edges }: Box, indent = ""): string[] {
  const short = (urn: string) => urn.split("::").at(-1);
  return [
    `${indent}${kind} ${name}`,
    ...groups.map((group) => `${indent}- ${group.count} ${group.kind}`),
    ...boxes.flatMap((box) => lines(box, `${indent}  `)),
    ...edges.map(({ from, to }) => `${indent}> ${short(from)} needs ${short(to)}`),
  ];
}

const content = [
  "Stack test",
  "- 2 Constraint",
  "  Provider kubernetes cluster",
  "  Observability watching",
  "    Grafana grafana",
  "    - 1 Deployment",
  "    - 1 RandomPassword",
  "    Loki loki",
  "    - 1 StatefulSet",
  "  > grafana needs loki",
  "  Tenant shop",
  "  - 1 Namespace",
  "  - 2 NetworkPolicy",
  "  - 1 ResourceQuota",
  // What Loki needs of the tenant is the observability's need; that it also needs the provider follows.
  "> watching needs shop",
  "> shop needs cluster",
];

describe("the picture's content", () => {
  it("is components in each other, the rest by kind, and what boxes beside each other need", () => {
    expect(lines(modelOf("test", example()))).toEqual(content);
  });

  it("is the same in whatever order the engine has its resources", () => {
    const all = example();
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (shuffled) => {
        expect(modelOf("test", shuffled)).toEqual(modelOf("test", all));
      }),
    );
  });

  it("counts all but the stack, its default providers and other stacks", () => {
    const other = resource("pulumi:pulumi:StackReference", "wasm-functions/last");
    const all = [...example(), other];
    // The stack, the provider of random passwords, and the other one.
    expect(countOf(modelOf("test", all))).toBe(all.length - 3);
  });

  it("has what a resource of a provider's has under it in the component around it", () => {
    const tenant = resource("wasm-functions:tenancy:Tenant", "shop");
    const outer = resource("kubernetes:core/v1:Namespace", "shop", { parent: tenant.urn });
    const inner = resource("kubernetes:core/v1:Secret", "token", { parent: outer.urn });
    expect(lines(modelOf("test", [tenant, outer, inner]))).toEqual([
      "Stack test",
      "  Tenant shop",
      "  - 1 Namespace",
      "  - 1 Secret",
    ]);
  });

  it("keeps whole names, and leaves out what is not there", () => {
    const odd = resource("wasm-functions:tenancy:Tenant", "a::b", { dependencies: [`${STACK}-gone`] });
    expect(lines(modelOf("test", [odd]))).toEqual(["Stack test", "  Tenant a::b"]);
    expect(lines(modelOf("test", []))).toEqual(["Stack test"]);
  });
});
