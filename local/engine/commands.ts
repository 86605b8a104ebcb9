import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { missingHostKeys } from "../../infra/host-keys";
import { planStack } from "../../infra/plan";
import { ProblemsError } from "../../infra/problems";
import { waitForReading } from "../control-plane/control-plane";
import { kubectlFor } from "../control-plane/kubectl";
import { endOrphans } from "../control-plane/processes";
import { confirmByName } from "../confirm";
import { embeddedCluster, type EmbeddedCluster } from "../embedded";
import { readIfExists, writeFileAtomic } from "../files";
import { withLock } from "../lock";
import type { Paths } from "../paths";
import { silentProgress, type Progress } from "../progress";
import { run } from "../run";
import { table } from "../table";
import { ensureTokenKeys } from "../tokens/keys";
import type { ToolName } from "../tools/catalog";
import { ensureTools } from "../tools/resolve";
import { TOOL_VERSIONS } from "../../infra/versions";
import { describeUnready } from "./diagnose";
import { UpdateState, type Operation } from "./events";
import { installPlugins, pluginsOf } from "./plugins";
import { preparePolicyPack, type PolicyPack } from "./policy-pack";
import { describeChanges } from "./reporter";
import { isDisposable, PROJECT, readStackFile, type StackFile } from "./stack-file";
import { functionStatus, functionTable, platformStatus, platformTable } from "./status";
import { countedProgram, runUpdate, StoppedError, UpdateError } from "./update";
import { hasDeadLock, openStack, openStackForPreview, saveStateAtTheEndOnly } from "./workspace";

const ENGINE_TOOLS = ["pulumi", "kubectl"] as const;

export interface Session {
  readonly paths: Paths;
  readonly progress: Progress;
  /** The user's word to stop. */
  readonly signal: AbortSignal;
  /** The same word, where the engine has to be told. */
  readonly engineSignal: AbortSignal;
  /** Where results go; progress goes elsewhere. */
  readonly print: (text: string) => void;
}

/** Brings the stack up, and for a disposable one first the cluster under it; ends when every pod is ready. */
export async function up(session: Session, stackName: string): Promise<void> {
  const file = checkedStackFile(session.paths, stackName);
  await locked(session, file, async () => {
    await prepare(session, file);
    const state = await operate("up", session, file).catch(async (error: unknown) => {
      throw error instanceof UpdateError && !error.state.violated
        ? error.explainedBy(await whyUnready(session, file))
        : error;
    });
    for (const warning of state.warnings) session.progress.note(`warning: ${warning}`);
    await showResult(session, file);
  });
}

/** What `up` would change. It changes nothing itself, not even in the backend, and works with no cluster there. */
export async function preview(session: Session, stackName: string): Promise<void> {
  const { paths, print } = session;
  const file = checkedStackFile(paths, stackName);
  // What is planned is the result: it goes where a pull request's comment can be made of it.
  const { progress } = session.progress.live ? session : { progress: { ...session.progress, note: print } };
  await locked(session, file, async () => {
    await tools(session, pluginsOf(file.config));
    const state = new UpdateState();
    const program = countedProgram(() => state);
    const [{ stack, known }, pack] = await Promise.all([
      openStackForPreview(file, paths, program, join(paths.scratch, "preview")),
      preparePolicyPack(paths, file.config),
    ]);
    if (!known) progress.note(`Stack ${stackName} is not there yet: everything would be created`);
    else if ((await whyUnreachable(paths, file)) !== undefined) {
      progress.note("The cluster does not answer: compared with its last known state");
    }
    await installPlugins(paths, pluginsOf(file.config));
    await runUpdate("preview", stack, state, { ...session, progress, pack });
    if (!progress.live) print(describeChanges(state.changes, "preview"));
    for (const warning of state.warnings) progress.note(`warning: ${warning}`);
  });
}

/** Takes over into the state what was changed on the cluster by other hands; the next `up` puts it right. */
export async function refresh(session: Session, stackName: string): Promise<void> {
  const file = checkedStackFile(session.paths, stackName);
  await locked(session, file, async () => {
    await prepare(session, file);
    await operate("refresh", session, file);
  });
}

/** Deletes what the stack made; of a disposable stack nothing is left but the cache of tools. */
export async function down(session: Session, stackName: string): Promise<void> {
  const file = readStackFile(session.paths.root, stackName);
  if (file.config.platform.protect) {
    const warning = `Stack ${stackName} is protected. What it made will be deleted, with the tenants' functions.`;
    await confirmByName(session.print, stackName, warning, "Nothing was deleted");
  }
  await locked(session, file, async () => {
    const cluster = embedded(session, file);
    if (!cluster) {
      await prepare(session, file);
      await operate("destroy", session, file);
      return;
    }
    assertOwner(session.paths, file);
    const processes = cluster.status().map((process) => process.running);
    if (processes.every(Boolean)) {
      await tools(session, pluginsOf(file.config));
      await operate("destroy", session, file);
    } else if (processes.some(Boolean)) {
      session.progress.note("Not all of the cluster runs: what is in it is deleted with it");
    }
    await removeDisposable(session, cluster);
  });
}

/** What runs, without changing anything. */
export async function status(session: Session, stackName: string): Promise<void> {
  const { paths, print } = session;
  const file = readStackFile(paths.root, stackName);
  if (kubeconfigOf(paths, file) === "")
    throw new ProblemsError("The cluster cannot be asked", [secretKubeconfig(file)]);
  const processes = embedded(session, file)?.status();
  if (processes) {
    print(
      table([["PROCESS", "STATE", "LOG"], ...processes.map((p) => [p.name, p.running ? "running" : "stopped", p.log])]),
    );
    if (!processes.some((p) => p.name === "kube-apiserver" && p.running)) {
      print(`\nStack ${stackName} is not up. Start it with: make up STACK=${stackName}`);
      return;
    }
  }
  await tools(session);
  const kubectl = kubectlFor(paths, kubeconfigOf(paths, file));
  await assertReachable(session, file);
  print(`\n${functionTable(await functionStatus(kubectl, file.config))}`);
  print(`\n${platformTable(await platformStatus(kubectl, file.config))}`);
}

/** Config and plan are checked before anything is started or asked. */
function checkedStackFile(paths: Paths, stackName: string): StackFile {
  const file = readStackFile(paths.root, stackName);
  planStack(file.config);
  return file;
}

/** One command at a time on what a disposable stack keeps here; others have their backend's own lock. */
export function locked<T>(session: Session, file: StackFile, work: () => Promise<T>): Promise<T> {
  if (!isDisposable(file.config)) return work();
  const { paths, progress, signal } = session;
  const options = {
    waitingMessage: "Waiting for another command on this stack",
    onWait: (text: string) => progress.note(text),
    signal,
  };
  return withLock(join(paths.home, "lock"), options, work);
}

/** The cluster that `make up` itself starts under this stack. */
function embedded({ paths, progress, signal }: Session, { config }: StackFile): EmbeddedCluster | undefined {
  if (config.cluster.kind !== "existing" || config.cluster.embedded === undefined) return undefined;
  return embeddedCluster(config.cluster.embedded, { paths, config, plan: planStack(config), progress, signal });
}

async function prepare(session: Session, file: StackFile): Promise<void> {
  const cluster = embedded(session, file);
  if (!cluster) {
    assertHostKeys(file);
    await tools(session, pluginsOf(file.config));
    return assertReachable(session, file);
  }
  await cluster.check();
  claimHome(session.paths, file);
  if (file.config.authorization.jwt?.keysFile !== undefined) await ensureTokenKeys(session.paths);
  await tools(session, [...pluginsOf(file.config), ...cluster.tools]);
  await cluster.prepare();
  const task = session.progress.task("cluster", "starting");
  let step = "";
  const onStep = (next: string) => {
    session.signal.throwIfAborted();
    task.update((step = next));
  };
  try {
    await cluster.start(onStep);
    task.done(step);
  } catch (error) {
    task.fail(`failed while ${step || "starting"}`);
    throw error;
  }
}

export async function tools({ paths, progress, signal }: Session, more: readonly ToolName[] = []): Promise<void> {
  await ensureTools([...ENGINE_TOOLS, ...more], { paths, progress, signal });
}

async function operate(
  operation: Exclude<Operation, "preview">,
  session: Session,
  file: StackFile,
): Promise<UpdateState> {
  session.signal.throwIfAborted();
  // Of the operation that runs: what comes before it registers everything too.
  let state = new UpdateState();
  const stack = await openStack(
    file,
    session.paths,
    countedProgram(() => state),
  );
  await installPlugins(session.paths, pluginsOf(file.config));
  await endOrphans(join(session.paths.pulumiHome, "plugins"), "pulumi");
  // A killed command leaves its engine's lock; ours says that no other command runs.
  if (isDisposable(file.config) && hasDeadLock(session.paths, file.stack)) await stack.cancel();
  // Whoever asked for it has typed the stack's name.
  if (operation === "destroy" && file.config.platform.protect) await unprotect(session.paths, stack);
  session.signal.throwIfAborted();
  const pack = operation === "up" ? await preparePolicyPack(session.paths, file.config) : undefined;
  // What is disposable may be left half made, and need not be planned twice.
  if (pack && !isDisposable(file.config)) {
    await holdToPolicies(session, stack, state, pack);
    state = new UpdateState();
  }
  const forgotten = operation === "destroy" && isDisposable(file.config);
  if (forgotten) saveStateAtTheEndOnly(stack);
  await runUpdate(operation, stack, state, { ...session, pack });
  if (forgotten) await stack.workspace.removeStack(file.stack);
  return state;
}

/**
 * Plans the stack before anything is changed, for its policies alone: the `up` itself would find what is wrong with one
 * resource when others are there already. Whatever else fails is the `up`'s to tell, which is held to them once more.
 *
 * @throws UpdateError when a policy refuses something
 */
async function holdToPolicies(session: Session, stack: Stack, state: UpdateState, pack: PolicyPack): Promise<void> {
  const task = session.progress.task("policies", "planning");
  const progress = { ...silentProgress, live: session.progress.live };
  const failure = await runUpdate("preview", stack, state, { ...session, progress, pack }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof StoppedError) throw failure;
  if (state.violated) {
    task.fail("refused");
    throw new UpdateError("up", state, failure);
  }
  task.done(failure === undefined ? "kept" : "not planned to the end");
}

/** The embedded control plane is this stack's from now on, and of the version that it is. */
function claimHome(paths: Paths, file: StackFile): void {
  assertOwner(paths, file);
  const own = `v${TOOL_VERSIONS.kubernetes}`;
  const { version } = file.config.cluster;
  if (!version.startsWith(`${own}+`)) {
    throw new ProblemsError("The embedded control plane has another version", [
      {
        path: "cluster.version",
        value: version,
        limit: `it is Kubernetes ${own}`,
        fix: `leave it out, or use a release of ${own}`,
      },
    ]);
  }
  writeFileAtomic(ownerFile(paths), file.stack);
}

/** One disposable stack at a time: they would share the control plane and its state. */
export function assertOwner(paths: Paths, { stack }: StackFile): void {
  const owner = readIfExists(ownerFile(paths)) ?? stack;
  if (owner === stack) return;
  throw new ProblemsError("Another stack is up", [
    {
      path: "STACK",
      value: stack,
      limit: `the embedded control plane runs stack ${owner}`,
      fix: `make down STACK=${owner} first`,
    },
  ]);
}

function ownerFile(paths: Paths): string {
  return join(paths.state, "stack");
}

/** Before the backend or the stack's file is touched. */
function assertHostKeys({ config, settings, stack }: StackFile): void {
  if (config.cluster.kind !== "k3s") return;
  // Which keys are in one that is encrypted as a whole, only the program will see.
  const stored = settings.config?.[`${PROJECT}:sshKeys`];
  if (typeof stored === "object" && stored !== null && "secure" in stored) return;
  const problems = missingHostKeys(config.cluster, config.sshKeys, stack);
  if (problems.length > 0) throw new ProblemsError("The hosts cannot be entered", problems);
}

export function secretKubeconfig(file: StackFile) {
  return {
    path: file.config.kubeconfig === undefined ? "cluster" : "kubeconfig",
    value: file.stack,
    limit: "its kubeconfig is not in a file, only the engine can read it",
    fix: `ask it by your own kubectl; make preview STACK=${file.stack} compares`,
  };
}

async function unprotect(paths: Paths, { name, workspace }: Stack): Promise<void> {
  await run(join(paths.bin, "pulumi"), ["state", "unprotect", "--all", "--yes", "--stack", name], {
    cwd: workspace.workDir,
    env: { ...process.env, ...workspace.envVars },
    timeout: 120_000,
  });
}

export function kubeconfigOf(paths: Paths, file: StackFile): string {
  const { cluster } = file.config;
  if (isDisposable(file.config)) return paths.kubeconfig;
  return cluster.kind === "existing" && cluster.kubeconfig !== undefined ? resolve(paths.root, cluster.kubeconfig) : "";
}

/** A kubeconfig that points nowhere shows here, before the engine waits for each object in turn. */
async function assertReachable({ paths, signal }: Session, file: StackFile): Promise<void> {
  if (signal.aborted) return;
  const reason = await whyUnreachable(paths, file);
  if (reason === undefined) return;
  throw new ProblemsError("The cluster cannot be reached", [
    {
      path: "cluster.kubeconfig",
      value: kubeconfigOf(paths, file),
      limit: reason,
      fix: "correct the path, or start the cluster that it points to",
    },
  ]);
}

/** What the cluster says of functions that did not get ready; nothing where only the engine can ask it. */
async function whyUnready({ paths }: Session, file: StackFile): Promise<string[]> {
  const kubeconfig = kubeconfigOf(paths, file);
  return kubeconfig === "" ? [] : describeUnready(kubectlFor(paths, kubeconfig), file.config);
}

/** Undefined where the cluster answers, or its kubeconfig is a secret that only the program will see. */
export async function whyUnreachable(paths: Paths, file: StackFile): Promise<string | undefined> {
  const kubeconfig = kubeconfigOf(paths, file);
  if (kubeconfig === "") return undefined;
  const asked = kubectlFor(paths, kubeconfig)(["get", "--raw", "/readyz", "--request-timeout=5s"], { timeout: 15_000 });
  return asked.then(
    () => undefined,
    (error: unknown) => (error as Error).message.trim().split("\n").pop() ?? "no answer",
  );
}

/** Seconds to wait for the autoscaler's first reading: two scrapes of metrics-server, 15 s apart, and a sync. */
const READING_SECONDS = 60;

async function showResult(session: Session, file: StackFile): Promise<void> {
  const { paths, progress, print } = session;
  const kubeconfig = kubeconfigOf(paths, file);
  if (kubeconfig === "") return;
  const kubectl = kubectlFor(paths, kubeconfig);
  const task = progress.task("autoscaler", "waiting for its first reading");
  const functions = await waitForReading(() => functionStatus(kubectl, file.config), READING_SECONDS, session.signal);
  if (functions.every((fn) => fn.reading !== undefined)) task.done("reads what it goes by from the metrics API");
  else task.fail("has no reading yet: make status shows it when it has");
  print(`\n${functionTable(functions)}\n\n${platformTable(await platformStatus(kubectl, file.config))}\n`);
  print(`Kubeconfig: ${kubeconfig}`);
  for (const line of callCommands(session, file)) print(line);
  print(nextCommands(file, kubeconfig));
}

/** Commands that ask the first route through the gateway, where anything runs behind it: with a token, and without. */
function callCommands(session: Session, file: StackFile): string[] {
  const { gateway, routes } = file.config;
  const address = embedded(session, file)?.address;
  const [route] = routes;
  if (address === undefined || route === undefined || gateway.entry.kind !== "nodePort") return [];
  const stack = file.stack === "local" ? "" : ` STACK=${file.stack}`;
  const url = `https://${address}:${gateway.entry.https}${route.path}`;
  // The certificate is one that the gateway made for itself.
  const call = (more: string) =>
    `curl -k -i -X ${route.methods[0] ?? "GET"}${more}${route.host === undefined ? "" : ` -H 'Host: ${route.host}'`} ${url}`;
  return [
    `Call it:    ${call(` -H "Authorization: Bearer $(make -s token${stack})"`)}`,
    `            ${call("")}    (without a token: 401)`,
  ];
}

function nextCommands(file: StackFile, kubeconfig: string): string {
  const stack = file.stack === "local" ? "" : ` STACK=${file.stack}`;
  const fn = file.config.functions[0];
  return table([
    ["Next:", `make status${stack}`, "what runs"],
    ["", `KUBECONFIG=${kubeconfig} kubectl -n ${fn?.tenant} get hpa -w`, "watch it scale, with your own kubectl"],
    ["", `make preview${stack}`, "what a change of the stack's file would do"],
    ["", `make down${stack}`, "leave nothing"],
  ]);
}

async function removeDisposable({ paths, progress }: Session, cluster: EmbeddedCluster): Promise<void> {
  const task = progress.task("cluster", "stopping");
  await endOrphans(join(paths.pulumiHome, "plugins"), "pulumi");
  await cluster.stop();
  for (const folder of [
    paths.state,
    paths.kubeconfig,
    paths.pulumiHome,
    paths.logs,
    dirname(paths.scratch),
    paths.bin,
  ]) {
    rmSync(folder, { recursive: true, force: true });
  }
  task.done("stopped, and what it kept is deleted");
}
