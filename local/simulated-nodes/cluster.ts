import { join } from "node:path";
import { stringify } from "yaml";
import { controlPlaneStatus, startControlPlane, stopControlPlane } from "../control-plane/control-plane";
import { apply } from "../control-plane/kubectl";
import type { NodesSide } from "../control-plane/kwokctl-config";
import { gatekeeperDaemon, waitForGatekeeper } from "../control-plane/gatekeeper";
import { kedaDaemons, registerAdapter } from "../control-plane/keda";
import { metricsServerDaemon, registerMetricsApi } from "../control-plane/metrics-server";
import type { Ports } from "../control-plane/ports";
import { prometheusDaemon } from "../control-plane/prometheus";
import type { EmbeddedCluster, EmbeddedOptions } from "../embedded";
import { writeFileAtomic } from "../files";
import { TOOL_GROUPS } from "../tools/catalog";
import { scalesByRequests } from "../../infra/plan/autoscaling";
import { renderNodes } from "./nodes";
import { reconcileNodes } from "./reconcile";
import { renderKwokSettings, renderReadyAgainStage } from "./stages";
import { renderResourceMetrics, renderUsage } from "./usage";

/** A control plane whose nodes KWOK simulates: no root, any number of pods, nothing runs in them. */
export function simulatedNodes({ paths, config, plan }: EmbeddedOptions): EmbeddedCluster {
  const stagesFile = join(paths.state, "control-plane", "stages.yaml");
  const { audit } = config.admission;
  const admits = config.admission.enabled && config.admission.webhook.kind === "url";
  const byRequests = scalesByRequests(config);
  const nodes: NodesSide = {
    kwok: { stagesFile },
    processes: [
      "kwok-controller",
      "metrics-server",
      ...(admits ? ["gatekeeper"] : []),
      ...(byRequests ? ["prometheus", ...TOOL_GROUPS.scaling] : []),
    ],
    flags: {},
    certificateNames: [],
  };
  const scalingDaemons = async (clusterDir: string, ports: Ports) => [
    await prometheusDaemon({ binary: join(paths.bin, "prometheus"), clusterDir, ports, config, plan }),
    ...(await kedaDaemons({ bin: paths.bin, clusterDir, ports })),
  ];
  return {
    tools: [...TOOL_GROUPS.local, ...(byRequests ? (["prometheus", ...TOOL_GROUPS.scaling] as const) : [])],
    check: () => Promise.resolve(),
    prepare: () => Promise.resolve(),
    async start(onStep) {
      writeFileAtomic(
        stagesFile,
        [renderKwokSettings(), renderReadyAgainStage()].map((part) => stringify(part)).join("---\n"),
      );
      const daemons = async (folder: string, ports: Ports) => [
        metricsServerDaemon(join(paths.bin, "metrics-server"), folder, ports),
        ...(admits ? [await gatekeeperDaemon({ bin: paths.bin, clusterDir: folder, ports, audit })] : []),
        ...(byRequests ? await scalingDaemons(folder, ports) : []),
      ];
      const { kubectl, cluster, ports } = await startControlPlane({ paths, config, plan, nodes, daemons, onStep });
      onStep(`${plan.topology.agents} simulated nodes`);
      const changes = await reconcileNodes(kubectl, renderNodes(plan.topology, config.cluster.network.podCidr));
      await apply(kubectl, [renderResourceMetrics(), renderUsage(config.functions)]);
      await registerMetricsApi(kubectl, ports);
      if (byRequests) await registerAdapter(kubectl);
      if (admits) await waitForGatekeeper(kubectl, cluster, ports);
      onStep(`${plan.topology.agents} simulated nodes ${changes}`);
    },
    stop: () => stopControlPlane(paths),
    status: () => controlPlaneStatus(paths, nodes),
    // Nothing runs in simulated pods.
    address: undefined,
  };
}
