import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { GatewayConfig } from "../../../programs/endpoints/settings";
import { ensureRootFs } from "../../../local/node/root-fs";
import { silentProgress, type Progress } from "../../../local/progress";
import { issueToken } from "../../../local/tokens/keys";
import { formatCount } from "../../../infra/plan/numbers";
import { RealStack, type Pod } from "../../support/real-stack";
import { alone, compared, type Measurement } from "../measure";
import { measureRequests, type Load, type LoadOptions } from "./requests";

const USERS = 200;
const SECONDS = 15;
const CONNECTIONS = 16;
/** Of the highest rate: where latency is judged. */
const SHARE = 0.7;
/** What the reference asks the whole platform for, requests/s. */
const PEAK = 100_000;
const BARE_HOST = "bare.example.com";

/** CPU seconds that pods have used. */
interface Used {
  readonly gateway: number;
  readonly authorizer: number;
  readonly function: number;
}

/**
 * The whole way of a request on the real node: gateway, authorizer and function in pods, beside the function alone and the
 * gateway without its authorizer. All of them, and the client, share this machine's cores.
 */
export async function measureGateway({
  progress,
  signal,
}: {
  progress: Progress;
  signal: AbortSignal;
}): Promise<Measurement[]> {
  const stack = new RealStack();
  const stop = () => stack.dispose();
  signal.addEventListener("abort", stop);
  const task = progress.task("gateway", "starting the stack");
  try {
    configure(stack);
    await stack.ok("up", "real");
    const testRoot = await ensureRootFs("test", { paths: stack.paths, progress: silentProgress });
    const tokens = await issueTokens(stack);
    const node = (await stack.get<{ items: { status: { addresses: { type: string; address: string }[] } }[] }>("nodes"))
      .items[0];
    const address = node?.status.addresses.find(({ type }) => type === "InternalIP")?.address ?? "";
    const entry = `https://${address}:30443/api/function`;
    await openBareRoute(stack);

    const ask = async (name: string, url: string, options: Partial<LoadOptions>): Promise<Measured> => {
      signal.throwIfAborted();
      task.update(name);
      const before = await used(stack);
      const load = await measureRequests(stack.machine, testRoot, url, {
        connections: CONNECTIONS,
        seconds: SECONDS,
        ...options,
      });
      const after = await used(stack);
      const requests = load.requestsPerSecond * SECONDS;
      const cpu = (part: keyof Used) => ((after[part] - before[part]) / requests) * 1e6;
      const measured = {
        ...load,
        cpu: { gateway: cpu("gateway"), authorizer: cpu("authorizer"), function: cpu("function") },
      };
      progress.note(`  ${describe(name, measured)}`);
      if (load.failures > 0) throw new Error(`${name}: ${load.failures} requests failed`);
      return measured;
    };
    const bareOptions = { host: BARE_HOST };
    await ask("warming up", entry, { tokens, seconds: 5 });
    const alone_ = await ask("function alone", await stack.serviceUrl("/api/function"), {});
    const bare = await ask("gateway without authorizer", entry, bareOptions);
    const whole = await ask("gateway and authorizer", entry, { tokens });
    const rate = Math.floor(whole.requestsPerSecond * SHARE);
    const steady = { rate, connections: CONNECTIONS };
    const aloneSteady = await ask(`function alone at ${rate}/s`, await stack.serviceUrl("/api/function"), steady);
    const bareSteady = await ask(`gateway without authorizer at ${rate}/s`, entry, { ...bareOptions, ...steady });
    const wholeSteady = await ask(`gateway and authorizer at ${rate}/s`, entry, { tokens, ...steady });
    task.done(`${formatCount(whole.requestsPerSecond)} requests/s at most`);
    tellReplicas(progress, wholeSteady);
    return [
      compared("gateway + authorizer / function alone", [whole.requestsPerSecond], [alone_.requestsPerSecond], "1/s"),
      compared("gateway + authorizer / gateway alone", [whole.requestsPerSecond], [bare.requestsPerSecond], "1/s"),
      compared(`  P50 at ${rate}/s / gateway alone`, [wholeSteady.p50], [bareSteady.p50], "ms", { value: 10 }),
      compared(`  P99 at ${rate}/s / gateway alone`, [wholeSteady.p99], [bareSteady.p99], "ms", { value: 20 }),
      compared(`  P99.9 at ${rate}/s / gateway alone`, [wholeSteady.p999], [bareSteady.p999], "ms", { value: 50 }),
      compared(`  P99 at ${rate}/s / function alone`, [wholeSteady.p99], [aloneSteady.p99], "ms"),
      alone("CPU of a request: gateway", wholeSteady.cpu.gateway, "us"),
      alone("CPU of a request: authorizer", wholeSteady.cpu.authorizer, "us"),
      alone("CPU of a request: function", wholeSteady.cpu.function, "us"),
    ];
  } catch (error) {
    task.fail("failed");
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    await stack.end();
  }
}

/** CPU in microseconds for each request. */
type Measured = Load & { readonly cpu: Used };

/** Room for what is measured: no limit of CPU or of requests is in the way, and nothing scales meanwhile. */
function configure(stack: RealStack): void {
  const large = { requests: { cpu: "50m", memory: "96Mi" }, limits: { cpu: "2", memory: "512Mi" } };
  const replicas = { min: 1, max: 1, cpuTarget: "100%", ...large };
  stack.configureFunction({
    scaling: { min: 4, initial: 4, max: 4, cpuTarget: "100%" },
    resources: { limits: { cpu: "1", memory: "64Mi" } },
    rateLimit: { requestsPerSecond: 1_000_000, burst: 1_000_000 },
    // What one gateway is to carry by the plan; it is asked for more.
    workload: { peakRequestsPerSecond: 50 },
  });
  stack.configure("gateway", { replicas }, "real");
  stack.configure("authorization", { ...(stack.section("authorization") as object), replicas }, "real");
}

async function issueTokens(stack: RealStack): Promise<string[]> {
  const tokens: string[] = [];
  const { jwt } = stack.section("authorization") as { jwt: { issuer: string; audience: string } };
  for (let user = 0; user < USERS; user++) {
    const { issuer, audience } = jwt;
    const claims = { issuer, audience, subject: `user-${user}`, roles: ["user"], rolesClaim: "role", lifetime: 3600 };
    tokens.push(await issueToken(stack.paths, claims));
  }
  return tokens;
}

/** Beside the stack's route one for another host that asks no authorizer: what the authorizer costs is seen against it. */
async function openBareRoute(stack: RealStack): Promise<void> {
  const map = await stack.get<{ data: Record<string, string> }>("configmap", "gateway-routes", "-n", "gateway");
  const config = JSON.parse(map.data["gateway.json"] ?? "") as GatewayConfig & {
    dynamic: { http: { routers: Record<string, { middlewares: string[] }> } };
  };
  const [first] = Object.values(config.dynamic.http.routers);
  const bare = {
    ...first,
    rule: `Host(\`${BARE_HOST}\`) && Path(\`/api/function\`)`,
    priority: 9_000_000,
    middlewares: first?.middlewares.filter((name) => !name.startsWith("authorize-")),
  };
  const http = { ...config.dynamic.http, routers: { ...config.dynamic.http.routers, bare } };
  const data = { "gateway.json": JSON.stringify({ ...config, dynamic: { ...config.dynamic, http } }) };
  await stack.kubectl([
    "patch",
    "configmap",
    "gateway-routes",
    "-n",
    "gateway",
    "--type=merge",
    "-p",
    JSON.stringify({ data }),
  ]);
  await new Promise((taken) => setTimeout(taken, 3000));
}

/** From the pods' own accounts of the kernel's. */
async function used(stack: RealStack): Promise<Used> {
  const [platform, functions] = [await stack.pods("gateway"), await stack.pods()];
  const of = (pods: readonly Pod[], prefix: string) =>
    pods
      .filter(({ metadata }) => metadata.name.startsWith(prefix))
      .reduce((sum, pod) => sum + podCpuSeconds(stack, pod), 0);
  return {
    gateway: of(platform, "gateway-"),
    authorizer: of(platform, "authorizer-"),
    function: of(functions, "checkout-"),
  };
}

function podCpuSeconds(stack: RealStack, pod: Pod): number {
  const uid = (pod.metadata as { uid?: string }).uid ?? "";
  for (const quality of ["burstable/", "besteffort/", ""]) {
    const group = join(stack.places.cgroup, "kubepods", `${quality}pod${uid}`);
    const first = join("/sys/fs/cgroup/cpuacct", group, "cpuacct.usage");
    if (existsSync(first)) return Number(readFileSync(first, "utf8")) / 1e9;
    const second = join("/sys/fs/cgroup", group, "cpu.stat");
    if (existsSync(second)) return Number(/usage_usec (\d+)/.exec(readFileSync(second, "utf8"))?.[1]) / 1e6;
  }
  throw new Error(`the CPU account of pod ${pod.metadata.name} was not found`);
}

function describe(name: string, { requestsPerSecond, p50, p99, p999, cpu }: Measured): string {
  const parts = (Object.entries(cpu) as [string, number][]).map(([part, micros]) => `${part} ${micros.toFixed(0)}`);
  return `${name}: ${requestsPerSecond.toFixed(0)}/s, P50 ${p50.toFixed(2)}, P99 ${p99.toFixed(2)}, P99.9 ${p999.toFixed(2)} ms; CPU in us each: ${parts.join(", ")}`;
}

/** The arithmetic by which the plan sizes both, from what was just measured. */
function tellReplicas(progress: Progress, { cpu }: Measured): void {
  for (const [part, micros, request] of [
    ["gateway", cpu.gateway, 1],
    ["authorizer", cpu.authorizer, 0.5],
  ] as const) {
    const cores = (PEAK * micros) / 1e6;
    const pods = Math.ceil(cores / (request * 0.7));
    progress.note(
      `  ${part}: ${formatCount(PEAK)} requests/s x ${micros.toFixed(0)} us = ${cores.toFixed(1)} cores = ${pods} replicas of ${request} CPU at 70 %`,
    );
  }
}
