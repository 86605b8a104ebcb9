import { createServer, type Server } from "node:http";

/** Says what a gateway that counts requests would say, of rates that a test sets, in Traefik's words. */
export class GatewayCounter {
  private readonly counted = new Map<string, { total: number; rate: number; since: number }>();
  private readonly server: Server;

  constructor() {
    this.server = createServer((_, response) => {
      const lines = [...this.counted.keys()].map((name) => {
        const labels = `code="200",method="POST",protocol="http",router="${name}@file",service="${name}@file"`;
        return `traefik_router_requests_total{${labels}} ${this.total(name)}`;
      });
      response.setHeader("content-type", "text/plain; version=0.0.4");
      response.end(`# TYPE traefik_router_requests_total counter\n${lines.join("\n")}\n`);
    });
  }

  listen(port: number): Promise<void> {
    return new Promise((ready) => this.server.listen(port, "127.0.0.1", ready));
  }

  /** From now on this function is asked so often in a second. */
  set(name: string, rate: number): void {
    this.counted.set(name, { total: this.total(name), rate, since: Date.now() });
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private total(name: string): number {
    const { total, rate, since } = this.counted.get(name) ?? { total: 0, rate: 0, since: Date.now() };
    return total + (rate * (Date.now() - since)) / 1000;
  }
}
