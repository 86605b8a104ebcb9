import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { LocalWorkspace, PulumiCommand, type PulumiFn, Stack } from "@pulumi/pulumi/automation";
import { parse, stringify } from "yaml";
import { ProblemsError, type Problem } from "../../infra/problems";
import { admissionWebhook, scalingProcesses } from "../control-plane/control-plane";
import { readIfExists, writeFileAtomic } from "../files";
import type { Paths } from "../paths";
import { tokenKeysFile } from "../tokens/keys";
import { isDisposable, PROJECT, type StackFile, type StackSettings } from "./stack-file";

/** The engine's stack over the program that `infra/index.ts` exports; made in its backend where it is not there yet. */
export async function openStack(file: StackFile, paths: Paths, program: PulumiFn): Promise<Stack> {
  return withoutReports(await Stack.createOrSelect(file.stack, await openWorkspace(file, paths, program)));
}

/**
 * After each operation the SDK asks the engine three times more, for outputs and history. Our commands have learnt from
 * its events what they tell, and need not wait the two seconds.
 */
function withoutReports(stack: Stack): Stack {
  stack.outputs = () => Promise.resolve({});
  stack.info = () => Promise.resolve(undefined);
  return stack;
}

/**
 * The stack for a preview, which must change nothing: a stack that its backend does not know is not made there, and
 * its tracked file gets no salt; it is planned against an empty state in `scratch`, a folder of the caller's.
 */
export async function openStackForPreview(
  file: StackFile,
  paths: Paths,
  program: PulumiFn,
  scratch: string,
): Promise<{ readonly stack: Stack; readonly known: boolean }> {
  const workspace = await openWorkspace(file, paths, program);
  const known = (await workspace.listStacks()).some(
    ({ name }) => name === file.stack || name.endsWith(`/${file.stack}`),
  );
  if (known) return { stack: await Stack.select(file.stack, workspace), known };
  const empty = { ...paths, state: scratch };
  const { PULUMI_CONFIG_PASSPHRASE: passphrase, ...backend } = disposableBackend(empty);
  // What is encrypted in the stack's file opens with the user's own passphrase.
  const own = process.env["PULUMI_CONFIG_PASSPHRASE"] || process.env["PULUMI_CONFIG_PASSPHRASE_FILE"];
  const apart = await createWorkspace(paths, writeWorkDir(file, empty), program, {
    ...backend,
    ...(!own && { PULUMI_CONFIG_PASSPHRASE: passphrase }),
  });
  return { stack: await Stack.create(file.stack, apart), known };
}

function openWorkspace(file: StackFile, paths: Paths, program: PulumiFn): Promise<LocalWorkspace> {
  if (isDisposable(file.config))
    return createWorkspace(paths, writeWorkDir(file, paths), program, disposableBackend(paths));
  assertOwnBackend(file.settings);
  return createWorkspace(paths, dirname(file.path), program, {});
}

async function createWorkspace(
  paths: Paths,
  workDir: string,
  program: PulumiFn,
  backend: Record<string, string>,
): Promise<LocalWorkspace> {
  mkdirSync(paths.scratch, { recursive: true, mode: 0o700 });
  keepNoEngineLogs(paths);
  return LocalWorkspace.create({
    workDir,
    program,
    // The engine that `make tools` set up, which may be the user's own.
    pulumiCommand: await PulumiCommand.get({ root: paths.home }),
    pulumiHome: paths.pulumiHome,
    envVars: {
      ...backend,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // The Kubernetes provider leaves the kubeconfig that it was given, credentials included, in a temporary file.
      TMPDIR: paths.scratch,
      // Exactly the plugins that were installed for it, not whatever lies on the PATH.
      PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    },
  });
}

/**
 * The engine logs every value that it handles, compressed and encrypted, and has no switch for it: 10 of the 25 s of CPU of
 * an `up` that changes nothing, and 5 MB of disk each time (measured, 3.259.0). Where a file stands in the folder's place it
 * goes without; what went wrong is told by its events.
 */
function keepNoEngineLogs({ pulumiHome }: Paths): void {
  const logs = join(pulumiHome, "logs");
  if (statSync(logs, { throwIfNoEntry: false })?.isFile()) return;
  rmSync(logs, { recursive: true, force: true });
  writeFileAtomic(logs, "In place of a folder, so that the engine writes no logs: local/engine/workspace.ts\n");
}

/**
 * For an operation after which nobody needs the state: the engine writes all of it after each resource, 32 of the 34 s of CPU
 * that it takes to delete 380 (measured, 3.259.0). One that is killed leaves the state from before it; what is deleted already
 * is deleted again.
 */
export function saveStateAtTheEndOnly({ workspace }: Stack): void {
  workspace.envVars["PULUMI_SKIP_CHECKPOINTS"] = "true";
}

/** State and passphrase in a folder of ours, made where they are not there yet. */
function disposableBackend(paths: Paths) {
  const backend = join(paths.state, "backend");
  const passphrase = join(paths.state, "passphrase");
  mkdirSync(backend, { recursive: true, mode: 0o700 });
  if (!existsSync(passphrase)) writeFileAtomic(passphrase, randomBytes(24).toString("base64url"));
  // As text, since a passphrase of the user's in the environment would win over a file.
  return { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: readFileSync(passphrase, "utf8") };
}

/**
 * A folder of ours with the project's and the stack's settings: the engine writes the salt of its encryption into
 * the stack's file, which for a disposable stack must not be the tracked one.
 */
function writeWorkDir(file: StackFile, paths: Paths): string {
  const workDir = join(paths.state, "work");
  const project = parse(readIfExists(join(paths.root, "Pulumi.yaml")) ?? "") as Record<string, unknown>;
  // The program comes over the engine's wire from this process; a `main` that is not in this folder would be refused.
  delete project["main"];
  writeFileAtomic(join(workDir, "Pulumi.yaml"), stringify(project));

  const target = join(workDir, `Pulumi.${file.stack}.yaml`);
  const earlier = settingsIn(readIfExists(target));
  const config = { ...file.settings.config, ...(isDisposable(file.config) && ownPlaces(file, paths)) };
  const salt = earlier.encryptionsalt === undefined ? {} : { encryptionsalt: earlier.encryptionsalt };
  writeFileAtomic(target, stringify({ ...file.settings, ...salt, config }));
  return workDir;
}

/** The sections of a disposable stack's config that tell where things lie which `make up` makes. */
function ownPlaces({ settings, config }: StackFile, paths: Paths): Record<string, object> {
  const section = (name: string) => settings.config?.[`${PROJECT}:${name}`] as object;
  const places: Record<string, object> = { cluster: { ...section("cluster"), kubeconfig: paths.kubeconfig } };
  if (config.authorization.jwt?.keysFile !== undefined) {
    const authorization = section("authorization") as { readonly jwt: object };
    places["authorization"] = { ...authorization, jwt: { ...authorization.jwt, keysFile: tokenKeysFile(paths) } };
  }
  const webhook =
    config.admission.enabled && config.admission.webhook.kind === "url" ? admissionWebhook(paths) : undefined;
  if (webhook !== undefined) places["admission"] = { ...section("admission"), webhook };
  const keda = config.autoscaling.keda.kind === "processes" ? scalingProcesses(paths) : undefined;
  if (keda !== undefined) places["autoscaling"] = { ...section("autoscaling"), keda };
  return Object.fromEntries(Object.entries(places).map(([name, value]) => [`${PROJECT}:${name}`, value]));
}

/** The engine writes that file in place, so a full disk or a kill may have cut it off; it is made anew then. */
function settingsIn(text = ""): StackSettings {
  try {
    return (parse(text) as StackSettings | null) ?? {};
  } catch {
    return {};
  }
}

/** @throws ProblemsError unless the user says where state is kept and how its secrets are encrypted */
function assertOwnBackend(settings: StackSettings): void {
  const env = process.env;
  const backend = env["PULUMI_BACKEND_URL"];
  const problems: Problem[] = [];
  if (!backend) {
    problems.push({
      path: "PULUMI_BACKEND_URL",
      value: "not set",
      limit: "this stack's state must outlive this machine, so it needs a backend of yours",
      fix: 'set it, for example to "s3://my-pulumi-state" or "https://api.pulumi.com" (pulumi whoami --verbose prints the one you are logged in to)',
    });
  }
  const needsPassphrase =
    !/^https?:/.test(backend ?? "") && (settings.secretsprovider ?? "passphrase") === "passphrase";
  if (needsPassphrase && !env["PULUMI_CONFIG_PASSPHRASE"] && !env["PULUMI_CONFIG_PASSPHRASE_FILE"]) {
    problems.push({
      path: "PULUMI_CONFIG_PASSPHRASE",
      value: "not set",
      limit: "this stack's secrets are encrypted with a passphrase",
      fix: "set it or PULUMI_CONFIG_PASSPHRASE_FILE, or give the stack file a secretsprovider",
    });
  }
  if (/^https?:/.test(backend ?? "") && !env["PULUMI_ACCESS_TOKEN"]) {
    problems.push({
      path: "PULUMI_ACCESS_TOKEN",
      value: "not set",
      limit: `${backend} asks who you are`,
      fix: "set it to an access token of yours",
    });
  }
  if (problems.length > 0) throw new ProblemsError("The stack's state has no home", problems);
}

/** Locks that dead engines left behind: a killed `make up` must not keep the next one out. */
export function hasDeadLock(paths: Paths, stack: string): boolean {
  const folder = join(paths.state, "backend", ".pulumi", "locks", "organization", PROJECT, stack);
  if (!existsSync(folder)) return false;
  const locks = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return locks.length > 0 && locks.every((name) => !isRunning(pidOf(join(folder, name))));
}

/** A lock that was cut off as it was written names nobody. */
function pidOf(lock: string): number | undefined {
  try {
    return (JSON.parse(readIfExists(lock) ?? "") as { pid?: number }).pid;
  } catch {
    return undefined;
  }
}

function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
