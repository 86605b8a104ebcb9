import type { Resource } from "../engine/resources";
import { compare, lifted, reduced, type Edge } from "./edges";

/** A component, or a provider that the program made; and the stack itself, in which all others are. */
export interface Box {
  /** Its URN. */
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly provider: boolean;
  /** The resources that are in it and in no box of its own, by kind. */
  readonly groups: readonly Group[];
  readonly boxes: readonly Box[];
  /** Between its own boxes, by their ids. */
  readonly edges: readonly Edge[];
}

export interface Group {
  readonly kind: string;
  readonly count: number;
}

/** What of a resource can be in a picture. */
type Drawn = Resource & { readonly way: readonly string[] };

/**
 * The picture's content: of the same resources the same, in whatever order the engine has them. The stack, default
 * providers and references to other stacks are the engine's own affairs.
 */
export function modelOf(stack: string, resources: readonly Resource[]): Box {
  const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
  const drawn = resources
    .filter(isDrawn)
    .map((resource): Drawn => ({ ...resource, way: wayTo(resource, byUrn) }))
    .sort((a, b) => compare(a.urn, b.urn));
  const ways = new Map(drawn.map(({ urn, way }) => [urn, way]));
  const arrows = drawn.flatMap(({ way, dependencies }) =>
    dependencies.flatMap((urn) => lifted(way, ways.get(urn) ?? []) ?? []),
  );
  return { id: "", kind: "Stack", name: stack, provider: false, ...contentOf([], drawn, arrows) };
}

function isDrawn({ type, urn }: Resource): boolean {
  if (type.startsWith("pulumi:pulumi:")) return false;
  return !isProvider(type) || !/^default(?:_|$)/.test(nameOf(urn));
}

function isProvider(type: string): boolean {
  return type.startsWith("pulumi:providers:");
}

/** The URNs of the boxes that a resource is in, from the outermost; a box is in itself. */
function wayTo(resource: Resource, byUrn: ReadonlyMap<string, Resource>): string[] {
  const parent = byUrn.get(resource.parent ?? "");
  const around = parent && isDrawn(parent) ? wayTo(parent, byUrn) : [];
  return isBox(resource) ? [...around, resource.urn] : around;
}

function isBox({ custom, type }: Resource): boolean {
  return !custom || isProvider(type);
}

/** What is in the box to which that way leads. */
function contentOf(
  way: readonly string[],
  drawn: readonly Drawn[],
  arrows: readonly Edge[],
): Pick<Box, "groups" | "boxes" | "edges"> {
  const depth = way.length;
  const within = drawn.filter((one) => one.way[depth - 1] === way.at(-1));
  const boxes = within.filter((one) => isBox(one) && one.way.length === depth + 1);
  const ids = new Set(boxes.map(({ urn }) => urn));
  return {
    groups: groupsOf(within.filter((one) => !isBox(one) && one.way.length === depth)),
    boxes: boxes.map((box) => ({
      ...{ id: box.urn, kind: kindOf(box.type), name: nameOf(box.urn), provider: isProvider(box.type) },
      ...contentOf(box.way, within, arrows),
    })),
    edges: reduced(arrows.filter(({ from }) => ids.has(from))),
  };
}

function groupsOf(resources: readonly Resource[]): Group[] {
  const counts = new Map<string, number>();
  for (const { type } of resources) counts.set(kindOf(type), (counts.get(kindOf(type)) ?? 0) + 1);
  return [...counts].map(([kind, count]) => ({ kind, count })).sort((a, b) => compare(a.kind, b.kind));
}

/** `Deployment` of `kubernetes:apps/v1:Deployment`, `Provider kubernetes` of a provider's. */
function kindOf(type: string): string {
  // Each policy's constraint is of a kind of its own.
  if (type.startsWith("kubernetes:constraints.gatekeeper.sh/")) return "Constraint";
  const last = type.split(":").at(-1) ?? type;
  return isProvider(type) ? `Provider ${last}` : last;
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** How many resources are in a box, itself among them, unless it is the stack. */
export function countOf({ id, groups, boxes }: Box): number {
  const own = groups.reduce((sum, { count }) => sum + count, 0);
  return boxes.reduce((sum, box) => sum + countOf(box), own) + (id === "" ? 0 : 1);
}
