import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { nodePlaces } from "../../local/node/cluster";
import { planLink } from "../../local/node/network";
import { runInside, runningMachine, type Machine } from "../../local/node/machine";
import { run } from "../../local/run";
import type { LoadResult } from "./load";
import { LocalStack, type KubernetesList, type KubernetesObject } from "./local-stack";

const REPOSITORY = resolve(__dirname, "../..");

/** Why the tests on a real node cannot run here; undefined where they can. */
export const CANNOT_RUN =
  process.platform !== "linux" ? "this is not Linux" : process.getuid?.() !== 0 ? "this is not root" : undefined;

if (CANNOT_RUN !== undefined) {
  process.stderr.write(`\nSKIPPED: the tests on a real node, since ${CANNOT_RUN}. Functions are not proved to run.\n`);
}

/** As many connections to the gateway does a load keep. */
export const KEPT_CONNECTIONS = 8;

interface ContainerState {
  readonly reason?: string;
  readonly exitCode?: number;
}

export interface Pod extends KubernetesObject {
  readonly metadata: KubernetesObject["metadata"] & { readonly deletionTimestamp?: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly containerID?: string;
      readonly state: Readonly<Record<string, ContainerState | undefined>>;
      readonly lastState: Readonly<Record<string, ContainerState | undefined>>;
    }[];
  };
}

/** The tests' tenant and function, as Pulumi.real.yaml names them. */
export const NAMESPACE = "shop";
export const FUNCTION = "checkout";

export interface SteadyLoad {
  readonly stop: () => Promise<LoadResult>;
}

/** A project with a real node of its own. Its networks are others than a developer's own stack has. */
export class RealStack extends LocalStack {
  constructor(options: ConstructorParameters<typeof LocalStack>[0] = {}) {
    super(options);
    symlinkSync(join(REPOSITORY, "functions"), join(this.root, "functions"));
    const cluster = this.section("cluster") as Record<string, unknown>;
    this.configure(
      "cluster",
      { ...cluster, network: { podCidr: "10.142.0.0/16", serviceCidr: "10.143.0.0/16" } },
      "real",
    );
  }

  /** Clients of tests that failed before they stopped them. */
  private readonly loads: ChildProcess[] = [];

  /** One section of the stack's config, as it stands. */
  section(name: string): unknown {
    const settings = parse(readFileSync(join(this.root, "Pulumi.real.yaml"), "utf8")) as {
      config: Record<string, unknown>;
    };
    return settings.config[`wasm-functions:${name}`];
  }

  /** Changes keys of the function's config; nested sections are replaced. */
  configureFunction(changes: object): void {
    const [fn] = this.section("functions") as object[];
    this.configure("functions", [{ ...fn, ...changes }], "real");
  }

  get machine(): Machine {
    const machine = runningMachine(this.places.folder);
    if (!machine) throw new Error("The node does not run");
    return machine;
  }

  get places(): { folder: string; cgroup: string } {
    return nodePlaces(this.paths);
  }

  inside(...command: string[]): Promise<string> {
    return runInside(this.machine, command);
  }

  /** Runs a program of this machine in the node's network. */
  inNetwork(...command: string[]): Promise<string> {
    return run("nsenter", ["--net", `--target=${this.machine.init}`, "--", ...command], { timeout: 120_000 });
  }

  async serviceUrl(path = "/", service = FUNCTION): Promise<string> {
    const { spec } = await this.get("service", service, "-n", NAMESPACE);
    return `http://${String(spec["clusterIP"])}${path}`;
  }

  /** Asks the function through its Service, from the node. */
  async call(path: string, ...curl: string[]): Promise<{ readonly status: number; readonly body: string }> {
    const url = await this.serviceUrl(path);
    const text = await this.inNetwork("curl", "-sS", "--max-time", "35", "-w", "\n%{http_code}", ...curl, url);
    const at = text.lastIndexOf("\n");
    return { status: Number(text.slice(at + 1)), body: text.slice(0, at) };
  }

  async pods(namespace = NAMESPACE): Promise<readonly Pod[]> {
    return (await this.get<KubernetesList<Pod>>("pods", "-n", namespace)).items;
  }

  /** Those that serve; one that is leaving may be ready for a moment more. */
  async readyPods(): Promise<readonly Pod[]> {
    const isReady = ({ status }: Pod) => status.conditions?.some((c) => c.type === "Ready" && c.status === "True");
    return (await this.pods()).filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod));
  }

  /** Requests to the function's Service at a steady rate until `stop` is called, from the node. */
  async load(path: string, rate: number): Promise<SteadyLoad> {
    return this.startLoad(
      ["nsenter", "--net", `--target=${this.machine.init}`, "--"],
      await this.serviceUrl(path),
      rate,
    );
  }

  /** The same through the gateway, from this machine, over connections that are kept; each request as the next user. */
  async gatewayLoad(path: string, rate: number, tokens: readonly string[]): Promise<SteadyLoad> {
    return this.startLoad([], this.gatewayUrl(path), rate, tokens, [String(KEPT_CONNECTIONS)]);
  }

  get gatewayAddress(): string {
    return planLink(this.places.folder, []).node;
  }

  gatewayUrl(path: string): string {
    return `https://${this.gatewayAddress}:30443${path}`;
  }

  /** A token of the stack's own issuer. */
  async token(subject: string, role = "user", lifetime = "1h"): Promise<string> {
    const env = { SUBJECT: subject, ROLE: role, LIFETIME: lifetime };
    return (await this.ok("token", "real", env)).stdout.trim();
  }

  private async startLoad(
    inside: readonly string[],
    url: string,
    rate: number,
    tokens: readonly string[] = [],
    more: readonly string[] = [],
  ): Promise<SteadyLoad> {
    const script = join(REPOSITORY, "test/support/load.ts");
    const command = [...inside, process.execPath, "--import", require.resolve("tsx"), script];
    const [program = "", ...args] = [...command, url, String(rate), "600", ...more];
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.end(tokens.join("\n"));
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    const ended = new Promise<void>((done) => child.on("close", () => done()));
    this.loads.push(child);
    // The loader takes a second to start; what is tested must not begin before it asks.
    await new Promise((begun) => setTimeout(begun, 2500));
    return {
      stop: async () => {
        child.kill("SIGTERM");
        await ended;
        return JSON.parse(stdout) as LoadResult;
      },
    };
  }

  /** What would be left of the node on this machine. */
  async leftovers(): Promise<string[]> {
    const { cgroup, folder } = this.places;
    const groups = await run("find", ["/sys/fs/cgroup", "-maxdepth", "2", "-name", cgroup]);
    const mounts = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(this.root));
    const { name } = planLink(folder, []);
    const links = (await run("ip", ["-br", "link"])).split("\n").filter((line) => line.startsWith(name));
    const routes = (await run("ip", ["route"])).split("\n").filter((line) => line.startsWith("10.142."));
    const processes = this.processes().map(({ name }) => name);
    const files = existsSync(folder) ? [folder] : [];
    return [...groups.split("\n").filter(Boolean), ...mounts, ...links, ...routes, ...processes, ...files];
  }

  /** Ends the stack as a user does, then whatever a failed test left. */
  async end(): Promise<void> {
    for (const load of this.loads) load.kill("SIGKILL");
    try {
      await this.ok("down", "real");
    } finally {
      this.dispose();
    }
  }
}
