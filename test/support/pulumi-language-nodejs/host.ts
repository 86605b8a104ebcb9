/**
 * Stands in for the official `pulumi-language-nodejs`, and leaves unproved that the official one behaves the same: it
 * comes with Pulumi's own download alone, from no package registry.
 *
 * What it has in common with it is what matters to a program: the engine's protocol, and the SDK's own runner started
 * with the same arguments and environment (as of Pulumi 3.259.0). Left out are the proxy between runner and monitor,
 * the pipes for synchronous invokes (`--sync`, which nothing in our SDK's version opens), tracing, debugging, plugins
 * other than policy packs, `pulumi install` and code generation.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { LanguageRuntimeService, type ILanguageRuntimeServer } from "@pulumi/pulumi/proto/language_grpc_pb";
import {
  AboutResponse,
  GetRequiredPackagesResponse,
  RunPluginResponse,
  RunResponse,
  type RunPluginRequest,
  type RunRequest,
} from "@pulumi/pulumi/proto/language_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";

/** The runner's code for "the user has been told": the engine then adds nothing. */
const ALREADY_TOLD = 32;

const [, , engineAddress = ""] = process.argv;
const runners = new Set<ChildProcess>();

/** What an update asks of a language host; everything else is answered by "not implemented". */
const host: Pick<
  ILanguageRuntimeServer,
  "getPluginInfo" | "getRequiredPackages" | "about" | "run" | "runPlugin" | "cancel"
> = {
  getPluginInfo: (_call, reply) => reply(null, new PluginInfo().setVersion("3.259.0")),

  // The official one looks through the node_modules folders below the program's folder. Ours, infra/, has none, so it
  // finds nothing either: the engine gets the provider when the program registers it, by the version the SDK names.
  getRequiredPackages: (_call, reply) => reply(null, new GetRequiredPackagesResponse()),

  about: (_call, reply) => reply(null, new AboutResponse().setExecutable(process.execPath).setVersion(process.version)),

  run: (call, reply) => {
    run(call, reply).catch((error: unknown) => reply({ code: status.INTERNAL, details: String(error) }));
  },

  runPlugin: runPolicyPack,

  cancel: (_call, reply) => {
    stopRunners();
    reply(null, new Empty());
  },
};

/** Runs the program to its end. That it failed is part of the answer, not an error of the call. */
async function run(call: ServerUnaryCall<RunRequest, RunResponse>, reply: sendUnaryData<RunResponse>): Promise<void> {
  const runner = spawn("node", runnerArguments(call.request), {
    env: { ...process.env, ...runnerEnvironment(call.request) },
    stdio: ["ignore", "inherit", "inherit"],
  });
  runners.add(runner);
  call.on("cancelled", () => runner.kill("SIGINT"));
  const code = await new Promise<number | null>((ended, failed) => runner.on("close", ended).on("error", failed));
  runners.delete(runner);
  const response = new RunResponse();
  if (code === ALREADY_TOLD) response.setBail(true);
  else if (code !== 0) response.setError(`Program exited with non-zero exit code: ${code ?? -1}`);
  reply(null, response);
}

/** Runs a policy pack until the engine has done with it; the first line that it prints is where it is asked. */
function runPolicyPack(call: ServerWritableStream<RunPluginRequest, RunPluginResponse>): void {
  const { request } = call;
  const folder = request.getInfo()!.getProgramDirectory();
  // The copy of the SDK that the pack itself would load.
  const runner = createRequire(join(folder, "/")).resolve("@pulumi/pulumi/cmd/run-policy-pack");
  const own = Object.fromEntries(
    request.getEnvList().map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
  const pack = spawn("node", [runner, ...request.getArgsList(), folder], {
    cwd: folder,
    env: { ...process.env, ...own },
    stdio: ["ignore", "pipe", "pipe"],
  });
  runners.add(pack);
  pack.stdout.on("data", (chunk: Buffer) => call.write(new RunPluginResponse().setStdout(chunk)));
  pack.stderr.on("data", (chunk: Buffer) => call.write(new RunPluginResponse().setStderr(chunk)));
  pack.on("close", (code) => {
    runners.delete(pack);
    call.write(new RunPluginResponse().setExitcode(code ?? -1));
    call.end();
  });
  call.on("cancelled", () => pack.kill());
}

function runnerArguments(request: RunRequest): string[] {
  const info = request.getInfo()!;
  const programDirectory = info.getProgramDirectory();
  const given = {
    monitor: request.getMonitorAddress(),
    engine: engineAddress,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info.getRootDirectory(),
    stack: request.getStack(),
    pwd: programDirectory,
  };
  return [
    // The copy of the SDK that the program itself would load.
    createRequire(join(programDirectory, "/")).resolve("@pulumi/pulumi/cmd/run"),
    ...Object.entries(given).flatMap(([name, value]) => (value === "" ? [] : [`--${name}`, value])),
    ...(request.getDryrun() ? ["--dry-run"] : []),
    "--parallel",
    String(request.getParallel()),
    info.getEntryPoint(),
    ...request.getArgsList(),
  ];
}

function runnerEnvironment(request: RunRequest): NodeJS.ProcessEnv {
  // The runner still takes config keys as `namespace:config:name`, and turns them into those of today.
  const config = Object.fromEntries(
    request
      .getConfigMap()
      .toArray()
      .map(([key, value]) => [key.replace(":", ":config:"), value]),
  );
  const { typescript = true, tsconfig } = request.getInfo()!.getOptions()?.toJavaScript() ?? {};
  return {
    PULUMI_CONFIG: JSON.stringify(config),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    ...(typescript === true && { PULUMI_NODEJS_TYPESCRIPT: "true" }),
    ...(typeof tsconfig === "string" && { PULUMI_NODEJS_TSCONFIG_PATH: tsconfig }),
  };
}

function stopRunners(): void {
  for (const runner of runners) runner.kill("SIGINT");
}

const server = new Server();
server.addService(LanguageRuntimeService, host);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  // The first line is how the engine learns where to call.
  process.stdout.write(`${port}\n`);
});

// An engine that was killed has nobody who ends its hosts.
const engine = process.ppid;
setInterval(() => {
  if (process.ppid === engine) return;
  stopRunners();
  process.exit();
}, 1000).unref();
