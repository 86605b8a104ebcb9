import { expect, it } from "vitest";
import { table } from "../../../local/table";

it("aligns columns by their longest cell, heads included, without blanks at the ends of lines", () => {
  expect(
    table([
      ["FUNCTION", "PODS", "CPU"],
      ["a", "100/5000", "7%"],
      ["checkout-service", "1/1", ""],
    ]),
  ).toBe(["FUNCTION          PODS      CPU", "a                 100/5000  7%", "checkout-service  1/1"].join("\n"));
});

it("takes rows that are shorter or longer than the heads", () => {
  expect(table([["A", "B"], ["long"], ["c", "d", "more"]])).toBe("A     B\nlong\nc     d  more");
});

it("has only heads, or nothing, where there is nothing to show", () => {
  expect(table([["PROCESS", "STATE"]])).toBe("PROCESS  STATE");
  expect(table([])).toBe("");
});
