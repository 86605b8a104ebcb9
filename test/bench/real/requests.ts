import { join } from "node:path";
import { run } from "../../../local/run";
import type { Machine } from "../../../local/node/machine";

/** What a client saw; latencies in milliseconds. */
export interface Load {
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly failures: number;
}

/** Headers of each request; of several tokens each request takes the next. */
const withTokens = (
  tokens: readonly string[],
) => `local tokens = {${tokens.map((token) => JSON.stringify(token)).join(",")}}
local turn = 0
function request()
  turn = turn % #tokens + 1
  return wrk.format(nil, nil, {["Authorization"] = "Bearer " .. tokens[turn]})
end
`;

const REPORT = `done = function(summary, latency)
  local failures = 0
  for _, count in pairs(summary.errors) do failures = failures + count end
  io.write(string.format("RESULT %f %f %f %f %d\\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3, failures))
end
`;

export interface LoadOptions {
  readonly connections: number;
  readonly seconds: number;
  /** Requests/s; absent: as many as are answered. */
  readonly rate?: number;
  readonly tokens?: readonly string[];
  readonly host?: string;
}

/** A steady rate is kept by each connection's thread: it waits before each request. */
const paced = (perConnection: number) => `function delay() return ${Math.round(1000 / perConnection)} end\n`;

/**
 * Asks one pod from within the node's network by wrk, over kept-alive connections: as fast as it answers, or at a rate.
 *
 * @param testRoot - the root file system that has wrk
 */
export async function measureRequests(
  { init }: Machine,
  testRoot: string,
  url: string,
  { connections, seconds, rate, tokens = [], host }: LoadOptions,
): Promise<Load> {
  const script = `${rate === undefined ? "" : paced(rate / connections)}${tokens.length === 0 ? "" : withTokens(tokens)}${REPORT}`;
  const wrk = `wrk -t1${host === undefined ? "" : ` -H 'Host: ${host}'`} -c${connections} -d${seconds}s -s /tmp/load.lua ${url}`;
  const inRoot = [
    "mount --make-rprivate /",
    `mount --rbind /dev ${join(testRoot, "dev")}`,
    // wrk reads its script once for itself and once for each thread, so it has to be a file.
    `mount -t tmpfs tmpfs ${join(testRoot, "tmp")}`,
    `cat >${join(testRoot, "tmp/load.lua")}`,
    `exec chroot ${testRoot} ${wrk}`,
  ];
  const output = await run(
    "nsenter",
    ["--net", `--target=${init}`, "--", "unshare", "--mount", "--", "sh", "-ec", inRoot.join("; ")],
    { input: script, timeout: (seconds + 30) * 1000 },
  );
  const [, ...numbers] = /RESULT (\S+) (\S+) (\S+) (\S+) (\d+)/.exec(output) ?? [];
  const [requestsPerSecond, p50, p99, p999, failures] = numbers.map(Number);
  if (requestsPerSecond === undefined) throw new Error(`wrk said nothing that could be read:\n${output}`);
  return { requestsPerSecond, p50: p50!, p99: p99!, p999: p999!, failures: failures! };
}
