import { setTimeout as sleep } from "node:timers/promises";
import { CONFIG_DIR, CONFIG_FILE } from "../../../components/functions/function-config";
import { RESTRICTED_CONTAINER, RESTRICTED_POD } from "../../../components/security";
import { apply, type Kubectl } from "../../../local/control-plane/kubectl";
import { seconds } from "../measure";

export const NAMESPACE = "bench";

/** One way to run the same source: as WebAssembly, or natively in a Linux container. */
export interface Contestant {
  readonly name: string;
  readonly image: string;
  readonly runtimeClassName: string | undefined;
  readonly cpu: { readonly request: string; readonly limit: string };
  readonly memory: { readonly request: string; readonly limit: string };
  /** Whether its end begins with a call of its drain path. */
  readonly drained: boolean;
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status: {
      readonly podIP?: string;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    };
  }[];
}

export async function createContestants(
  kubectl: Kubectl,
  contestants: readonly Contestant[],
  config: string,
): Promise<void> {
  await apply(kubectl, [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    {
      apiVersion: "node.k8s.io/v1",
      kind: "RuntimeClass",
      metadata: { name: "wasmedge" },
      handler: "wasmedge",
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "config", namespace: NAMESPACE },
      data: { [CONFIG_FILE]: config },
    },
    ...contestants.map(deployment),
  ]);
}

/** As the platform deploys functions: restricted, probed, and, but for one that shows why, drained by a call. */
function deployment({ name, image, runtimeClassName, cpu, memory, drained }: Contestant): object {
  const labels = { app: name };
  const probe = (path: string) => ({ httpGet: { path, port: 8080 } });
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(runtimeClassName !== undefined && { runtimeClassName }),
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 10,
          securityContext: RESTRICTED_POD,
          containers: [
            {
              name: "function",
              image,
              startupProbe: { ...probe("/healthz"), periodSeconds: 1, failureThreshold: 60 },
              readinessProbe: { ...probe("/readyz"), periodSeconds: 3 },
              ...(drained && { lifecycle: { preStop: { httpGet: { path: "/drain", port: 8081 } } } }),
              resources: {
                requests: { cpu: cpu.request, memory: memory.request },
                limits: { cpu: cpu.limit, memory: memory.limit },
              },
              securityContext: RESTRICTED_CONTAINER,
              volumeMounts: [{ name: "config", mountPath: CONFIG_DIR, readOnly: true }],
            },
          ],
          volumes: [{ name: "config", configMap: { name: "config" } }],
        },
      },
    },
  };
}

/** Scales to a number of pods, and gives the seconds until all are ready and no other is left. */
export async function scaleTo(
  kubectl: Kubectl,
  { name }: Contestant,
  replicas: number,
  signal: AbortSignal,
): Promise<number> {
  return seconds(async () => {
    await kubectl(["scale", "deployment", name, "-n", NAMESPACE, `--replicas=${replicas}`]);
    const deadline = Date.now() + 300_000;
    for (;;) {
      signal.throwIfAborted();
      const pods = (await podsOf(kubectl, name)).items;
      if (pods.length === replicas && pods.every(isReady)) return;
      if (Date.now() > deadline) throw new Error(`${name}: not ${replicas} ready pods within 300 s`);
      await sleep(100);
    }
  });
}

/** The address of one of its pods that is ready. */
export async function anAddress(kubectl: Kubectl, { name }: Contestant): Promise<string> {
  const address = (await podsOf(kubectl, name)).items.find(isReady)?.status.podIP;
  if (address === undefined) throw new Error(`${name} has no ready pod`);
  return address;
}

async function podsOf(kubectl: Kubectl, name: string): Promise<PodList> {
  return JSON.parse(await kubectl(["get", "pods", "-n", NAMESPACE, "-l", `app=${name}`, "-o", "json"])) as PodList;
}

function isReady({ status }: PodList["items"][number]): boolean {
  return status.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;
}
