import { afterEach, describe, expect, it, vi } from "vitest";
import { parseConfig, type StackConfig } from "../../../../infra/config";
import { freePorts } from "../../../support/gateway/loopback";
import { RequestCounter } from "../../../../local/surge/request-counter";
import { rawConfig } from "../../infra/support";

const FUNCTIONS = [{ name: "checkout" }, { name: "search" }];
const ROUTES = FUNCTIONS.map(({ name }) => ({ path: `/${name}`, to: [{ function: name, weight: 100 }] }));
const configOf = (kind: string) => parseConfig(rawConfig({ functions: FUNCTIONS, routes: ROUTES, gateway: { kind } }));

const counters: RequestCounter[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const counter of counters.splice(0)) counter.close();
});

async function listening(config: StackConfig) {
  const [port] = await freePorts(1);
  const counter = new RequestCounter(config);
  counters.push(counter);
  await counter.listen(port!);
  const read = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    return { type: response.headers.get("content-type"), lines: (await response.text()).trim().split("\n") };
  };
  return { counter, read, port: port! };
}

describe("what a gateway would count", () => {
  it("goes up by what is served and what is shed, evenly between two settings", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { counter, read } = await listening(configOf("traefik"));
    counter.set("checkout", { served: 0, shed: 0 });
    const of = (kind: string, code: number, count: number) =>
      `traefik_${kind}_requests_total{service="checkout@file",protocol="http",code="${code}"} ${count}`;
    const all = (served: number, shed: number) =>
      ["router", "service"].flatMap((kind) => [of(kind, 200, served), of(kind, 503, shed)]);
    expect(await read()).toEqual({ type: "text/plain; version=0.0.4", lines: all(0, 0) });
    counter.set("checkout", { served: 100, shed: 3 });
    vi.advanceTimersByTime(2500);
    expect((await read()).lines).toEqual(all(250, 7));
    counter.set("checkout", { served: 0, shed: 0 });
    vi.advanceTimersByTime(60_000);
    expect((await read()).lines).toEqual(all(250, 7));
  });

  it("is of each function that was set, and by its first route where the gateway tells routes", async () => {
    const { counter, read } = await listening(configOf("kong"));
    counter.set("search", { served: 1, shed: 0 });
    const { lines } = await read();
    expect(lines.map((line) => line.replace(/ \d+$/, ""))).toEqual(
      ["200", "503"].map(
        (code) =>
          expect.stringMatching(
            `^kong_http_requests_total\\{route="[^"]*search[^"]*",source="service",code="${code}"\\}$`,
          ) as string,
      ),
    );
  });

  it("is seen to go up once it was read before", async () => {
    const { counter, read } = await listening(configOf("traefik"));
    expect(counter.isSeen()).toBe(false);
    await read();
    expect(counter.isSeen()).toBe(false);
    await read();
    expect(counter.isSeen()).toBe(true);
  });

  it("is not told where something else listens", async () => {
    const { port } = await listening(configOf("traefik"));
    await expect(new RequestCounter(configOf("traefik")).listen(port)).rejects.toThrow(/EADDRINUSE/);
  });
});
