import { DOMParser, type Element } from "@xmldom/xmldom";
import { describe, expect, it } from "vitest";
import type { Resource } from "../../../../local/engine/resources";
import { layOut } from "../../../../local/graph/layout";
import { modelOf, type Box } from "../../../../local/graph/model";
import { renderPicture } from "../../../../local/graph/picture";
import { example, resource, STACK } from "./support";

const draw = async (resources: readonly Resource[]) => renderPicture(await layOut(modelOf("test", resources)));

/** Throws where it is not well-formed. */
function parsed(svg: string): Element {
  const onError = (level: string, message: string) => {
    throw new Error(`${level}: ${message}`);
  };
  return new DOMParser({ onError }).parseFromString(svg, "image/svg+xml").documentElement!;
}

const inside = (element: Element, tag: string) => Array.from(element.getElementsByTagName(tag));
const own = (element: Element, tag: string) =>
  Array.from(element.childNodes).filter((node): node is Element => node.nodeName === tag);
const classOf = (element: Element) => element.getAttribute("class");
const isBox = (element: Element) => /^(?:component|provider)$/.test(classOf(element) ?? "");
const boxesOf = (svg: Element) =>
  inside(svg, "g").filter((element) => isBox(element) && element.hasAttribute("data-id"));
const arrowsOf = (svg: Element) => inside(svg, "path").filter((path) => path.hasAttribute("data-from"));
const textsOf = (element: Element) => own(element, "text").map(({ textContent }) => textContent);

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

function frameOf(box: Element): Frame {
  const [rect] = own(box, "rect");
  const [x = NaN, y = NaN, width = NaN, height = NaN] = ["x", "y", "width", "height"].map((name) =>
    Number(rect?.getAttribute(name)),
  );
  return { left: x, top: y, right: x + width, bottom: y + height };
}

/** Whether a point is on a frame's border, within what rounding moves. */
function touches({ left, top, right, bottom }: Frame, [x = NaN, y = NaN]: readonly number[]): boolean {
  const within = x > left - 1 && x < right + 1 && y > top - 1 && y < bottom + 1;
  return within && Math.min(x - left, right - x, y - top, bottom - y) < 1;
}

describe("the picture", () => {
  it("has a box for each component in the box around it, with its kinds and their counts", async () => {
    const svg = parsed(await draw(example()));
    const nested = (element: Element): object =>
      Object.fromEntries(
        own(element, "g")
          .filter(isBox)
          .map((box) => [textsOf(box).join(", "), nested(box)]),
      );
    const [stack] = own(svg, "g");
    expect(nested(stack!)).toEqual({
      "Provider kubernetes, cluster": {},
      "Tenant, shop, Namespace, NetworkPolicy ×2, ResourceQuota": {},
      "Observability, watching": {
        "Grafana, grafana, Deployment, RandomPassword": {},
        "Loki, loki, StatefulSet": {},
      },
    });
    // What is in no component.
    expect(textsOf(stack!)).toEqual(["Constraint ×2"]);
  });

  it("has arrows from box to box, from border to border", async () => {
    const svg = parsed(await draw(example()));
    const frames = new Map(boxesOf(svg).map((box) => [box.getAttribute("data-id"), frameOf(box)]));
    const all = (box: Box): string[] => [
      ...box.edges.map(({ from, to }) => `${from} ${to}`),
      ...box.boxes.flatMap((inner) => all(inner)),
    ];
    const drawn = arrowsOf(svg).map((arrow) => {
      const [from, to] = ["data-from", "data-to"].map((name) => arrow.getAttribute(name));
      const points = arrow
        .getAttribute("d")!
        .slice(1)
        .split("L")
        .map((point) => point.split(" ").map(Number));
      expect(touches(frames.get(from!)!, points[0]!)).toBe(true);
      expect(touches(frames.get(to!)!, points.at(-1)!)).toBe(true);
      return `${from} ${to}`;
    });
    expect(drawn).toHaveLength(3);
    expect(drawn.sort()).toEqual(all(modelOf("test", example())).sort());
  });

  it("has each box within the one around it, beside the others, with all of its text", async () => {
    const svg = parsed(await draw(example()));
    const [, , width, height] = svg.getAttribute("viewBox")!.split(" ").map(Number);
    for (const box of boxesOf(svg)) {
      const { left, top, right, bottom } = frameOf(box);
      const around = box.parentNode as Element;
      const outer = isBox(around) ? frameOf(around) : { left: 0, top: 0, right: width!, bottom: height! };
      expect(left > outer.left && right < outer.right && top > outer.top && bottom < outer.bottom).toBe(true);
      for (const text of own(box, "text")) {
        expect(Number(text.getAttribute("x"))).toBeGreaterThan(left);
        expect(Number(text.getAttribute("y"))).toBeGreaterThan(top);
        expect(Number(text.getAttribute("y"))).toBeLessThan(bottom);
      }
      for (const other of own(around, "g").filter((one) => isBox(one) && one !== box)) {
        const beside = frameOf(other);
        expect(right < beside.left || left > beside.right || bottom < beside.top || top > beside.bottom).toBe(true);
      }
    }
  });

  it("says what it shows and what its marks mean, in the reader's light or dark, and has nothing loaded", async () => {
    const svg = parsed(await draw(example()));
    const title = "Stack test: 14 resources, of which 4 components";
    expect(own(svg, "title")[0]?.textContent).toBe(title);
    expect(textsOf(svg)).toEqual([title]);
    const legend = own(svg, "g").find((group) => classOf(group) === "legend");
    expect(inside(legend!, "g").filter(isBox).map(classOf)).toEqual(["component", "provider"]);
    expect(inside(legend!, "text").map(({ textContent }) => textContent)).toContain("three resources of a kind");
    expect(own(svg, "style")[0]?.textContent).toContain("@media (prefers-color-scheme:dark)");
    const attributes = inside(svg, "*").flatMap((element) => Array.from(element.attributes));
    expect(attributes.filter(({ name }) => /href|^on|^src$/.test(name))).toEqual([]);
    expect(own(svg, "style")[0]?.textContent).not.toMatch(/url\(|@import/);
  });

  it("is the same, byte by byte, in whatever order the engine has its resources", async () => {
    expect(await draw(example().reverse())).toBe(await draw(example()));
  });

  it("has names that are markup as text", async () => {
    const name = `<script>"&'</script>`;
    const svg = parsed(await draw([resource("wasm-functions:tenancy:Tenant", name)]));
    expect(textsOf(boxesOf(svg)[0]!)).toEqual(["Tenant", name]);
    expect(inside(svg, "script")).toEqual([]);
  });

  it.each([[[]], [[{ urn: STACK, type: "pulumi:pulumi:Stack", custom: false, dependencies: [] }]]])(
    "is there without any resource: %j",
    async (resources: Resource[]) => {
      const svg = parsed(await draw(resources));
      expect(boxesOf(svg)).toEqual([]);
      expect(own(svg, "title")[0]?.textContent).toBe("Stack test: 0 resources");
    },
  );
});
