import type { RouteSettings } from "./settings";

/**
 * Finds the route of a request, as gateway and policy do: an exact path before the longest prefix; at one path, one for
 * this host before one for any.
 */
export class Routes {
  private readonly exact = new Map<string, RouteSettings[]>();
  /** Longest first. */
  private readonly prefixes: readonly RouteSettings[];

  constructor(routes: readonly RouteSettings[]) {
    for (const route of routes.filter(({ match }) => match === "exact")) {
      this.exact.set(route.path, [...(this.exact.get(route.path) ?? []), route]);
    }
    this.prefixes = routes.filter(({ match }) => match === "prefix").sort((a, b) => b.path.length - a.path.length);
  }

  find(host: string, path: string): RouteSettings | undefined {
    const exact = forHost(this.exact.get(path) ?? [], host);
    if (exact !== undefined) return exact;
    const below = this.prefixes.filter((route) => isBelow(path, route.path) && isFor(host, route));
    return forHost(
      below.filter((route) => route.path === below[0]?.path),
      host,
    );
  }
}

function forHost(routes: readonly RouteSettings[], host: string): RouteSettings | undefined {
  return routes.find((route) => route.host === host) ?? routes.find((route) => route.host === undefined);
}

function isFor(host: string, route: RouteSettings): boolean {
  return route.host === undefined || route.host === host;
}

/** By whole segments. */
function isBelow(path: string, prefix: string): boolean {
  return prefix === "/" || path === prefix || path.startsWith(`${prefix}/`);
}
