import { stringify } from "yaml";
import { tuningFlags, type Flags } from "../../components/cluster/component-flags";
import type { ControlPlaneTuning } from "../../infra/plan";
import type { Ports } from "./ports";

/** The components that kwokctl runs for us, as it calls them. */
export type Component = "kube-apiserver" | "kube-controller-manager" | "kube-scheduler";

/** Absolute paths of the programs that kwokctl starts; it would download any that it is not given. */
export interface Binaries {
  readonly etcd: string;
  readonly "kube-apiserver": string;
  readonly "kube-controller-manager": string;
  readonly "kube-scheduler": string;
  readonly kubectl: string;
  readonly kwok: string;
}

/** What the control plane must know of its nodes: simulated ones come with it, a real one joins it. */
export interface NodesSide {
  /** Set where KWOK simulates the nodes: what its kubelets do beyond KWOK's defaults. */
  readonly kwok: { readonly stagesFile: string } | undefined;
  /** Processes that run for these nodes, beside the control plane's own. */
  readonly processes: readonly string[];
  /** Flags of the components beyond the plan's tuning. */
  readonly flags: Partial<Record<Component, Readonly<Record<string, string | number | boolean>>>>;
  /** Names and addresses, beside loopback, that the API server is reached by. */
  readonly certificateNames: readonly string[];
}

/**
 * Flags that kwokctl sets itself and that add up when given twice: their value takes the place of kwokctl's. With
 * `override` kwokctl would drop every flag that it does not set itself.
 */
const REPLACED: readonly string[] = ["authorization-always-allow-paths"];

/**
 * kwokctl's own configuration: which programs on which ports, and the plan's tuning as their flags. Every listener
 * is bound to loopback, which is not kwokctl's default.
 */
export function renderKwokctlConfig(
  tuning: ControlPlaneTuning,
  ports: Ports,
  binaries: Binaries,
  kubeVersion: string,
  nodes: NodesSide,
): string {
  return stringify({
    apiVersion: "config.kwok.x-k8s.io/v1alpha1",
    kind: "KwokctlConfiguration",
    metadata: { name: "kwok" },
    options: {
      runtime: "binary",
      kubeVersion,
      bindAddress: "127.0.0.1",
      securePort: true,
      quietPull: true,
      etcdBinary: binaries.etcd,
      kubeApiserverBinary: binaries["kube-apiserver"],
      kubeControllerManagerBinary: binaries["kube-controller-manager"],
      kubeSchedulerBinary: binaries["kube-scheduler"],
      kubectlBinary: binaries.kubectl,
      kwokControllerBinary: binaries.kwok,
      kubeApiserverPort: ports.kubeApiserver,
      etcdPort: ports.etcd,
      etcdPeerPort: ports.etcdPeer,
      kubeControllerManagerPort: ports.kubeControllerManager,
      kubeSchedulerPort: ports.kubeScheduler,
      kwokControllerPort: ports.kwokController,
      kubeApiserverCertSANs: [...nodes.certificateNames],
      ...(nodes.kwok ? { enableCRDs: ["ClusterResourceUsage", "Metric"] } : { disable: ["kwok-controller"] }),
      // The periods are meant as they stand; kwokctl would stretch them fivefold.
      heartbeatFactor: 1,
      // A restarted KWOK takes a node over when its predecessor's lease has run out. That must be sooner than the
      // node counts as lost, as a real kubelet, which keeps its identity, renews at once.
      nodeLeaseDurationSeconds: Math.floor(tuning.controllerManager.nodeMonitorGracePeriod / 2000),
      kubeControllerManagerNodeMonitorPeriodMilliseconds: tuning.controllerManager.nodeMonitorPeriod,
      kubeControllerManagerNodeMonitorGracePeriodMilliseconds: tuning.controllerManager.nodeMonitorGracePeriod,
    },
    componentsPatches: [
      // Added to kwokctl's own flags, of which the last one counts.
      ...Object.entries(componentFlags(tuning)).map(([name, flags]) => ({
        name,
        extraArgs: Object.entries({ ...flags, ...nodes.flags[name as Component] }).map(([key, value]) => ({
          key,
          value: String(value),
          ...(REPLACED.includes(key) ? { override: true } : {}),
        })),
      })),
      ...(nodes.kwok ? [kwokController(nodes.kwok.stagesFile)] : []),
    ],
  });
}

function kwokController(stagesFile: string): object {
  return {
    name: "kwok-controller",
    extraArgs: [
      { key: "config", value: stagesFile },
      // kwokctl leaves it empty, and a node that was lost for a while then comes back without any address.
      { key: "node-ip", value: "127.0.0.1", override: true },
    ],
  };
}

/** The plan's tuning as flags of the three components that kwokctl runs. */
export function componentFlags(tuning: ControlPlaneTuning): Record<Component, Flags> {
  const flags = tuningFlags(tuning);
  // One of each runs here, so there is nobody to elect; after a kill the successor would wait for the old lease.
  const alone = { "leader-elect": false };
  // As K3s has it: each controller acts by its own account, and admission knows what was judged already.
  const ownAccounts = { "use-service-account-credentials": true };
  return {
    "kube-apiserver": flags["kube-apiserver"],
    "kube-controller-manager": { ...alone, ...ownAccounts, ...flags["kube-controller-manager"] },
    "kube-scheduler": { ...alone, ...flags["kube-scheduler"] },
  };
}
