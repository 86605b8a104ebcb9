import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { routeOf, usersFor } from "../../../../local/surge/load/target";
import { k3s, problemsOf, rawConfig } from "../../infra/support";

const routes = [
  { path: "/api/orders", methods: ["POST"] },
  { path: "/api/function", methods: ["GET", "POST"], roles: ["guest"] },
  { path: "/api/all", match: "prefix", methods: ["GET"] },
];
const config = parseConfig(rawConfig({ cluster: k3s(3, 10), routes }));
const fn = config.functions[0]!;
const found = (path?: string) => routeOf(config, { fn, path });

describe("the way to a function", () => {
  it("is the first route that leads a GET there", () => {
    expect([found().path, found().route.roles]).toEqual(["/api/function", ["guest"]]);
  });

  it("may have a query, and be below a prefix", () => {
    expect(found("/api/function?work=1000")).toMatchObject({
      path: "/api/function?work=1000",
      route: { roles: ["guest"] },
    });
    expect(found("/api/all/of/it").route.match).toBe("prefix");
  });

  it("is refused where there is none", () => {
    const refused = (path: string) => problemsOf(() => found(path))[0];
    expect(refused("/api/orders")).toMatch(
      /^path: \/api\/orders: no route leads GET there .*; use one of \/api\/function, \/api\/all/,
    );
    expect(refused("/api/allofit")).toMatch(/no route leads GET there/);
    const other = { ...fn, name: "other" };
    expect(() => routeOf(config, { fn: other, path: undefined })).toThrow(/no route leads GET there and to other/);
  });
});

it("has as many users as keep each one at a quarter of its limit", () => {
  expect([usersFor(230, 100), usersFor(4000, 100)]).toEqual([10, 160]);
});
