import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askAt, legendOf } from "../../../../local/charts/ask";
import { whyNotReady } from "../../../../local/charts/command";
import { forwardedPort, withForward } from "../../../../local/charts/forward";
import { rangeOf } from "../../../../local/charts/range";

const RANGE = rangeOf(Date.UTC(2026, 0, 2, 3, 4), 60_000);
const { signal } = new AbortController();

describe("asking", () => {
  let server: Server;
  let url: string;
  let seen: URL[];
  let reply: { readonly status: number; readonly text: string };
  beforeEach(async () => {
    seen = [];
    server = createServer((request, response) => {
      seen.push(new URL(request.url!, "http://localhost"));
      response.writeHead(reply.status).end(reply.text);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => server.close());

  const success = (resultType: string, result: unknown) => ({
    status: 200,
    text: JSON.stringify({ status: "success", data: { resultType, result } }),
  });

  it("Prometheus gives a value for each point, none where it had none", async () => {
    reply = success("matrix", [
      {
        metric: { function: "b" },
        values: [
          [RANGE.start, "1"],
          [RANGE.start + 2, "NaN"],
          [RANGE.end, "3.5"],
        ],
      },
      {
        metric: { function: "a" },
        values: [
          [RANGE.start, "+Inf"],
          [RANGE.start + 1, "2"],
        ],
      },
      { metric: { function: "c" }, values: [[RANGE.start, "NaN"]] },
    ]);
    const expr = 'x{a="b c"}';
    const { series } = await askAt(url, RANGE, signal)({ expr, legend: "{{function}}", kind: "prometheus" });
    expect(series.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(series.map(({ values }) => values.length)).toEqual([61, 61]);
    expect(series[0]!.values.slice(0, 3)).toEqual([undefined, 2, undefined]);
    expect([series[1]!.values[0], series[1]!.values[2], series[1]!.values[60]]).toEqual([1, undefined, 3.5]);
    expect(seen[0]!.pathname).toBe("/api/v1/query_range");
    expect(Object.fromEntries(seen[0]!.searchParams)).toEqual({
      ...{ query: expr, start: String(RANGE.start), end: String(RANGE.end), step: "1s" },
    });
  });

  it("Loki gives lines, the newest first", async () => {
    reply = success("streams", [
      { stream: { pod: "a" }, values: [["1767323000000000000", "old"]] },
      { stream: { pod: "b" }, values: [["1767323001500000000", "new"]] },
    ]);
    const { lines } = await askAt(url, RANGE, signal)({ expr: "{}", legend: "", kind: "loki" });
    expect(lines).toEqual([
      { at: 1_767_323_001_500, labels: { pod: "b" }, text: "new" },
      { at: 1_767_323_000_000, labels: { pod: "a" }, text: "old" },
    ]);
    expect(seen[0]!.pathname).toBe("/loki/api/v1/query_range");
    expect(seen[0]!.searchParams.get("start")).toBe(`${RANGE.start}000000000`);
  });

  it.each([
    [{ status: 400, text: '{"status":"error","error":"unexpected )"}' }, "unexpected )"],
    [{ status: 400, text: "parse error at line 1\n" }, "parse error at line 1"],
    [{ status: 503, text: "{}" }, "answered with 503"],
  ])("tells what %o says", async (given, problem) => {
    reply = given;
    const answer = await askAt(url, RANGE, signal)({ expr: ")", legend: "", kind: "loki" });
    expect(answer).toEqual({ series: [], lines: [], problem });
  });

  it("names a series by its text, or by all labels", () => {
    expect(legendOf("{{a}} of {{ b }}{{none}}", { a: "1", b: "2" })).toBe("1 of 2");
    expect(legendOf("", { a: "1", b: "2" })).toBe("a=1, b=2");
  });
});

describe("forwarding", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "forward-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const TARGET = { namespace: "monitoring", statefulSet: "prometheus" };
  /** A kubectl that leaves its process id and arguments, and then does this. */
  function kubectl(then: string): [string, string] {
    const file = join(folder, "kubectl.sh");
    writeFileSync(file, `echo "$$ $*" > ${join(folder, "called")}\n${then}\n`);
    return ["/bin/sh", file];
  }
  const called = () => readFileSync(join(folder, "called"), "utf8").trim().split(" ");
  const runs = () => {
    try {
      return process.kill(Number(called()[0]), 0);
    } catch {
      return false;
    }
  };
  const FORWARDS = 'echo "Forwarding from 127.0.0.1:43210 -> 9090"; exec sleep 60';

  it("leads to the port that kubectl chose, while the work lasts", async () => {
    const url = await withForward(kubectl(FORWARDS), TARGET, signal, (given) => {
      expect(runs()).toBe(true);
      return Promise.resolve(given);
    });
    expect(url).toBe("http://127.0.0.1:43210");
    expect(called().slice(1).join(" ")).toBe(
      "port-forward --address 127.0.0.1 -n monitoring statefulset/prometheus :http",
    );
    expect(runs()).toBe(false);
  });

  it("ends where the work fails", async () => {
    const failing = withForward(kubectl(FORWARDS), TARGET, signal, () => Promise.reject(new Error("no answer")));
    await expect(failing).rejects.toThrow("no answer");
    expect(runs()).toBe(false);
  });

  it("ends at the user's word, whatever the work waits for", async () => {
    const stop = new AbortController();
    const stopped = withForward(kubectl(FORWARDS), TARGET, stop.signal, () => {
      stop.abort();
      return new Promise(() => undefined);
    });
    await expect(stopped).rejects.toThrow("kubectl port-forward statefulset/prometheus was stopped");
    expect(runs()).toBe(false);
  });

  it("tells what kubectl said where it ends first, before the work and during it", async () => {
    const never = () => new Promise(() => undefined);
    const before = withForward(kubectl("echo 'pod is not running' >&2; exit 3"), TARGET, signal, never);
    await expect(before).rejects.toThrow(/ended with code 3:\npod is not running/);
    const lost = 'echo "Forwarding from 127.0.0.1:43210 -> 9090"; echo "lost connection to pod" >&2; exit 1';
    await expect(withForward(kubectl(lost), TARGET, signal, never)).rejects.toThrow(/code 1:\nlost connection to pod/);
  });

  it("waits for the whole line", () => {
    expect(forwardedPort("Forwarding from 127.0.0.1:43")).toBeUndefined();
    expect(forwardedPort("Forwarding from 127.0.0.1:4321 -> 90")).toBeUndefined();
    expect(forwardedPort("Forwarding from 127.0.0.1:4321 -> 9090\n")).toBe(4321);
  });
});

describe("a StatefulSet", () => {
  const why = (found: string) => whyNotReady(() => Promise.resolve(found), "monitoring", "prometheus");

  it("can be asked with a pod that is ready", async () => {
    expect(await why('{"status":{"readyReplicas":1}}')).toBeUndefined();
  });

  it("cannot without", async () => {
    expect((await why(""))?.limit).toBe("is not there");
    expect((await why('{"status":{}}'))?.limit).toBe("has no pod that is ready");
  });
});
