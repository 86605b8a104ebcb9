import { cpSync } from "node:fs";
import { join } from "node:path";
import { KEDA } from "../../components/autoscaling/names";
import { writeFileAtomic, writeIfChanged } from "../files";
import { issue, kubeconfig, readAuthority } from "../node/credentials";
import { apply, type Kubectl } from "./kubectl";
import type { Ports } from "./ports";
import { stopDaemon, type Daemon } from "./processes";

/**
 * The operator ends where its kinds are not there, and the adapter where it may not ask who comes: both are the stack's. So a shell
 * waits until the stack has made its pods' Deployment, of all that the manifest brings the last, and becomes the program.
 */
const START_WHEN_INSTALLED = `
kubectl=$1 kubeconfig=$2 cache=$3 deployment=$4; shift 4
trap 'kill $! 2>/dev/null; exit' TERM
until "$kubectl" --kubeconfig "$kubeconfig" --cache-dir "$cache" -n ${KEDA.namespace} \\
  rollout status "deployment/$deployment" --timeout=60s >/dev/null 2>&1 & wait $!; do sleep 2 & wait $!; done
exec "$@"`;

export interface KedaOptions {
  /** The folder with the programs. */
  readonly bin: string;
  /** Of the control plane. */
  readonly clusterDir: string;
  readonly ports: Ports;
}

/** A program of KEDA: whose account it has, and by what name the adapter is to be served to the API server. */
interface Part {
  readonly tool: "keda-operator" | "keda-adapter";
  readonly account: string;
  readonly serves: readonly string[];
}

const OPERATOR: Part = { tool: "keda-operator", account: KEDA.operator, serves: ["127.0.0.1"] };
const ADAPTER: Part = {
  tool: "keda-adapter",
  account: KEDA.adapter,
  serves: [`${KEDA.adapter}.${KEDA.outside}.svc`, "127.0.0.1"],
};

/**
 * KEDA's operator and metrics adapter as processes beside the control plane: on simulated nodes no pod could run them. To the API
 * server each is the service account of its pods, so that what it may do is what the stack's roles let it. They know each other,
 * and the API server knows the adapter, by certificates of the cluster's authority.
 */
export async function kedaDaemons(options: KedaOptions): Promise<readonly Daemon[]> {
  const { bin, clusterDir, ports } = options;
  const operatorFolder = await writeCredentials(OPERATOR, options);
  const operator = [
    join(bin, OPERATOR.tool),
    `--cert-dir=${operatorFolder}`,
    `--metrics-service-bind-address=127.0.0.1:${ports.kedaOperator}`,
    `--health-probe-bind-address=127.0.0.1:${ports.kedaHealth}`,
    "--enable-prometheus-metrics=false",
    "--zap-encoder=console",
    "--zap-time-encoding=rfc3339",
  ];
  const adapterFolder = await writeCredentials(ADAPTER, options);
  const access = join(adapterFolder, "kubeconfig.yaml");
  const adapter = [
    join(bin, ADAPTER.tool),
    "--bind-address=127.0.0.1",
    `--secure-port=${ports.kedaAdapter}`,
    `--lister-kubeconfig=${access}`,
    `--authentication-kubeconfig=${access}`,
    `--authorization-kubeconfig=${access}`,
    // The API server shows its administrator's certificate, and says for whom it asks: its own ConfigMap does not tell of either.
    "--authentication-skip-lookup",
    `--client-ca-file=${join(adapterFolder, "ca.crt")}`,
    `--requestheader-client-ca-file=${join(adapterFolder, "ca.crt")}`,
    "--requestheader-allowed-names=kwok-admin",
    `--tls-cert-file=${join(adapterFolder, "serving.crt")}`,
    `--tls-private-key-file=${join(adapterFolder, "serving.key")}`,
    // What it shows the operator, and by whose word it believes that one.
    `--cert-dir=${adapterFolder}`,
    `--metrics-service-address=127.0.0.1:${ports.kedaOperator}`,
  ];
  return [await daemon(OPERATOR, operator, clusterDir, bin), await daemon(ADAPTER, adapter, clusterDir, bin)];
}

/** Lets the API server find the adapter, once the stack tells it to: a Service that is only a name for localhost. */
export async function registerAdapter(kubectl: Kubectl): Promise<void> {
  await apply(kubectl, [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: KEDA.adapter, namespace: KEDA.outside },
      spec: { type: "ExternalName", externalName: "localhost" },
    },
  ]);
}

/** What the stack is told of them: where the API server asks for metrics, and the file of whose certificates to believe. */
export function kedaAccess(clusterDir: string, ports: Pick<Ports, "kedaAdapter" | "prometheus">) {
  return {
    kind: "processes",
    port: ports.kedaAdapter,
    caFile: join(folderOf(ADAPTER, clusterDir), "ca.crt"),
    prometheus: `http://127.0.0.1:${ports.prometheus}`,
  } as const;
}

async function daemon(
  { tool, account }: Part,
  program: readonly string[],
  clusterDir: string,
  bin: string,
): Promise<Daemon> {
  const folder = join(clusterDir, tool);
  const pidFile = join(clusterDir, "pids", `${tool}.pid`);
  // One that runs keeps the flags that it was started with.
  if (writeIfChanged(join(folder, "flags"), program.join("\n"))) await stopDaemon(pidFile);
  const shell = [join(bin, "kubectl"), join(clusterDir, "kubeconfig.yaml"), join(folder, "kube-cache"), account];
  return {
    pidFile,
    logFile: join(clusterDir, "logs", `${tool}.log`),
    command: "/bin/sh",
    // By its name the process is known, also while it is the shell that waits.
    name: tool,
    args: ["-c", START_WHEN_INSTALLED, tool, ...shell, ...program],
    env: {
      ...process.env,
      KUBECONFIG: join(folder, "kubeconfig.yaml"),
      POD_NAMESPACE: KEDA.namespace,
      // Whose Secrets it may read.
      KEDA_CLUSTER_OBJECT_NAMESPACE: KEDA.namespace,
      // All of them.
      WATCH_NAMESPACE: "",
    },
  };
}

function folderOf({ tool }: Part, clusterDir: string): string {
  return join(clusterDir, tool);
}

async function writeCredentials(part: Part, { clusterDir, ports }: KedaOptions): Promise<string> {
  const folder = folderOf(part, clusterDir);
  const pki = join(clusterDir, "pki");
  const authority = readAuthority(pki);
  const account = {
    user: `system:serviceaccount:${KEDA.namespace}:${part.account}`,
    group: "system:serviceaccounts",
  };
  writeFileAtomic(join(folder, "kubeconfig.yaml"), kubeconfig(`https://127.0.0.1:${ports.kubeApiserver}`, "client"));
  cpSync(join(pki, "ca.crt"), join(folder, "ca.crt"));
  await issue(folder, "client", account, authority);
  await issue(folder, "serving", { user: part.account, serves: part.serves }, authority);
  // Under this name each looks for what it shows the other: the operator serves, the adapter asks.
  const [shown, key] = part.tool === "keda-operator" ? ["serving.crt", "serving.key"] : ["client.crt", "client.key"];
  cpSync(join(folder, shown), join(folder, "tls.crt"));
  cpSync(join(folder, key), join(folder, "tls.key"));
  return folder;
}
