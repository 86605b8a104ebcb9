import { createServer } from "node:http";
import { routeName } from "../../components/route-name";
import type { StackConfig } from "../../infra/config";

type Gateway = Pick<StackConfig, "gateway" | "routes">;

/** Requests/s by what came of them. */
export interface Rates {
  readonly served: number;
  readonly shed: number;
}

/** What came of the requests of a function so far, and what comes since when. */
interface Counted {
  readonly total: Rates;
  readonly rates: Rates;
  readonly since: number;
}

/** Each with the code of its answer. */
const CODES = { served: "200", shed: "503" } as const;
const NONE: Rates = { served: 0, shed: 0 };

/**
 * Counts requests that nobody sends, as the stack's gateway would that had them, for Prometheus to read. Between two settings a
 * counter goes up evenly.
 */
export class RequestCounter {
  private readonly functions = new Map<string, Counted>();
  private read = 0;
  private readonly server = createServer((_, response) => {
    this.read += 1;
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end([...this.functions].map(([name, counted]) => this.linesOf(name, counted)).join(""));
  });

  constructor(private readonly gateway: Gateway) {}

  /** @throws Error where something else listens on this port of loopback */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
  }

  /** From now on so many come to this function. */
  set(name: string, rates: Rates): void {
    const before = this.functions.get(name) ?? { total: NONE, rates: NONE, since: Date.now() };
    this.functions.set(name, { total: totalOf(before), rates, since: Date.now() });
  }

  /** Whether what comes from now on would be seen as an increase: a counter is, once it was read before. */
  isSeen(): boolean {
    return this.read > 1;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private linesOf(name: string, counted: Counted): string {
    const total = totalOf(counted);
    return seriesOf(this.gateway, name)
      .flatMap((series) =>
        (["served", "shed"] as const).map((what) => `${series},code="${CODES[what]}"} ${Math.floor(total[what])}\n`),
      )
      .join("");
  }
}

function totalOf({ total, rates, since }: Counted): Rates {
  const seconds = (Date.now() - since) / 1000;
  return { served: total.served + rates.served * seconds, shed: total.shed + rates.shed * seconds };
}

/** What each gateway tells of a function's requests: all but the code, which comes last. */
function seriesOf({ gateway, routes }: Gateway, name: string): string[] {
  switch (gateway.kind) {
    case "traefik":
      return ["router", "service"].map(
        (kind) => `traefik_${kind}_requests_total{service="${name}@file",protocol="http"`,
      );
    case "kong":
      return (
        routes
          .filter(({ to }) => to.length === 1 && to[0]?.function === name)
          // All come by the first one.
          .slice(0, 1)
          .map((route) => `kong_http_requests_total{route="${routeName(route)}",source="service"`)
      );
  }
}
