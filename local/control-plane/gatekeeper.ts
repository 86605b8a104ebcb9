import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { auditFlags, commonFlags, webhookFlags } from "../../components/admission/flags";
import { GATEKEEPER } from "../../components/admission/names";
import type { StackConfig } from "../../infra/config";
import { writeFileAtomic, writeIfChanged } from "../files";
import { issue, kubeconfig, readAuthority } from "../node/credentials";
import { FIELD_MANAGER, type Kubectl } from "./kubectl";
import type { Ports } from "./ports";
import { stopDaemon, type Daemon } from "./processes";
import { until } from "./until";

/** The pod that the process says it is. */
const POD = "gatekeeper-process";

/** Seconds until it has read every template and constraint; measured 4 with fifteen of each. */
const READY_SECONDS = 60;

/**
 * A manager ends at once where its CRDs are not there, and they are the stack's. So a shell waits until the stack has
 * made all that the release manifest brings, of which Deployments are the last, makes the pod, and becomes the manager.
 */
const START_WHEN_INSTALLED = `
kubectl() { exec "$kubectl" --kubeconfig "$kubeconfig" --cache-dir "$cache" -n ${GATEKEEPER.namespace} "$@"; }
kubectl=$1 kubeconfig=$2 cache=$3 pod=$4; shift 4
trap 'kill $! 2>/dev/null; exit' TERM
until kubectl rollout status deployment/${GATEKEEPER.webhook} --timeout=60s >/dev/null 2>&1 & wait $!; do sleep 2 & wait $!; done
until kubectl apply --server-side --force-conflicts --field-manager=${FIELD_MANAGER} -f "$pod" & wait $!; do sleep 1 & wait $!; done
exec "$@"`;

export interface GatekeeperOptions {
  /** The folder with the programs. */
  readonly bin: string;
  /** Of the control plane. */
  readonly clusterDir: string;
  readonly ports: Ports;
  /** For the flags that the manager's pods have as well. */
  readonly audit: StackConfig["admission"]["audit"];
}

/**
 * Gatekeeper's manager as a process beside the control plane: on simulated nodes no pod could run it. To the API server it
 * is the service account of its pods, so that what it may do is what the stack's roles let it.
 */
export async function gatekeeperDaemon({ bin, clusterDir, ports, audit }: GatekeeperOptions): Promise<Daemon> {
  const { namespace } = GATEKEEPER;
  const folder = gatekeeperFolder(clusterDir);
  const podFile = join(folder, "pod.json");
  const auditFolder = join(folder, "audit");
  // The manager does not make it, and its audit fails without.
  mkdirSync(auditFolder, { recursive: true, mode: 0o700 });
  writeFileAtomic(podFile, JSON.stringify(pod()));
  await writeCredentials(folder, join(clusterDir, "pki"), ports);
  const manager = [
    join(bin, "gatekeeper"),
    `--kubeconfig=${join(folder, "kubeconfig.yaml")}`,
    "--host=127.0.0.1",
    `--port=${ports.gatekeeperWebhook}`,
    `--health-addr=127.0.0.1:${ports.gatekeeperHealth}`,
    // Prometheus' it would serve on every address of this machine: so it sends them instead, once in a blue moon, to nobody.
    ...["--metrics-backend=opentelemetry", "--otlp-endpoint=127.0.0.1:9", "--otlp-metric-interval=8760h"],
    // Its authority is this machine's own, whose certificate the stack's configuration has.
    "--disable-cert-rotation",
    `--cert-dir=${folder}`,
    `--api-cache-dir=${auditFolder}`,
    ...commonFlags,
    ...webhookFlags,
    ...auditFlags(audit),
  ];
  const pidFile = join(clusterDir, "pids", "gatekeeper.pid");
  // One that runs keeps the flags that it was started with.
  if (writeIfChanged(join(folder, "flags"), manager.join("\n"))) await stopDaemon(pidFile);
  const shell = [join(bin, "kubectl"), join(clusterDir, "kubeconfig.yaml"), join(folder, "kube-cache"), podFile];
  return {
    pidFile,
    logFile: join(clusterDir, "logs", "gatekeeper.log"),
    command: "/bin/sh",
    // By its name the process is known, also while it is the shell that waits.
    name: "gatekeeper",
    args: ["-c", START_WHEN_INSTALLED, "gatekeeper", ...shell, ...manager],
    env: { ...process.env, POD_NAMESPACE: namespace, POD_NAME: POD, NAMESPACE: namespace, CONTAINER_NAME: "manager" },
  };
}

/** What the stack is told of it: where the API server asks it, and the file of whose certificates to believe. */
export function gatekeeperWebhook(clusterDir: string, ports: Pick<Ports, "gatekeeperWebhook">) {
  return {
    kind: "url",
    url: `https://127.0.0.1:${ports.gatekeeperWebhook}/v1/admit`,
    caFile: join(gatekeeperFolder(clusterDir), "ca.crt"),
  } as const;
}

/**
 * Waits for it where the API server asks it already: with a stack that fails closed nothing could be changed before.
 *
 * @throws Error when it does not get ready
 */
export async function waitForGatekeeper(kubectl: Kubectl, clusterDir: string, ports: Ports): Promise<void> {
  if (!(await asksGatekeeper(kubectl))) return;
  if (await until(READY_SECONDS, () => answers(`http://127.0.0.1:${ports.gatekeeperHealth}/readyz`))) return;
  const log = join(clusterDir, "logs", "gatekeeper.log");
  throw new Error(`Gatekeeper was not ready within ${READY_SECONDS} s; see ${log}`);
}

/** Whether the stack has come so far that the API server asks Gatekeeper. */
export async function asksGatekeeper(kubectl: Kubectl): Promise<boolean> {
  const registered = await kubectl(["get", "validatingwebhookconfigurations", "-o", "name"]);
  return registered.includes(`/${GATEKEEPER.webhookConfiguration}\n`);
}

function gatekeeperFolder(clusterDir: string): string {
  return join(clusterDir, "gatekeeper");
}

async function writeCredentials(folder: string, pki: string, ports: Ports): Promise<void> {
  const authority = readAuthority(pki);
  const user = `system:serviceaccount:${GATEKEEPER.namespace}:${GATEKEEPER.serviceAccount}`;
  writeFileAtomic(join(folder, "kubeconfig.yaml"), kubeconfig(`https://127.0.0.1:${ports.kubeApiserver}`, "client"));
  cpSync(join(pki, "ca.crt"), join(folder, "ca.crt"));
  await issue(folder, "client", { user, group: "system:serviceaccounts" }, authority);
  // Under these names the manager looks for them.
  await issue(folder, "tls", { user: "gatekeeper", serves: ["127.0.0.1"] }, authority);
}

/**
 * What the manager notes of each template and constraint belongs to its pod, and goes with it. So it is no pod of the
 * Deployment's, which a rollout takes away, and never scheduled, so that no node takes it along.
 */
function pod(): object {
  const amount = { cpu: "1m", memory: "1Mi", "ephemeral-storage": "1Mi" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: POD, namespace: GATEKEEPER.namespace, labels: { "gatekeeper.sh/system": "yes" } },
    spec: {
      schedulingGates: [{ name: "wasm-functions.dev/runs-as-a-process" }],
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "manager",
          image: "runs.invalid/as-a-process",
          resources: { requests: amount, limits: amount },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
}
