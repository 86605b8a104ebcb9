import { GATEKEEPER_PEER } from "../components/admission/admission";
import { AUTHORIZER_PORTS } from "../components/authorization/settings";
import { TRAEFIK_PORTS } from "../components/gateway/traefik-config";
import { hostsNamespaceName } from "../components/observability/names";
import { Observability, PROMETHEUS_LABELS } from "../components/observability/observability";
import { selectorLabels } from "../components/labels";
import type { Peer } from "../components/network";
import { PlatformNamespace } from "../components/platform/platform-namespace";
import type { WasmRuntime } from "../components/runtime/wasm-runtime";
import type { Guarded } from "./guarded";
import { apiServerPeers, hostPeers } from "./api-server";
import type { StackConfig } from "./config";
import { platformImages } from "./images";
import type { Plan } from "./plan";
import type { StackSecrets } from "./read-config";
import { scalingPeer } from "./scaling";

export interface WatchingArgs {
  readonly config: StackConfig;
  readonly plan: Plan;
  readonly secrets: StackSecrets;
  readonly runtime: WasmRuntime;
  readonly guarded: Guarded;
}

/** Who reads the metrics of gateway and authorizer; nobody, where the stack is not watched by this program. */
export function prometheusPeer({ observability }: StackConfig): Peer | undefined {
  return observability.enabled ? { namespace: observability.namespace, labels: PROMETHEUS_LABELS } : undefined;
}

/** What watches the stack, in two namespaces of its own: one for all, one for what has to see hosts. */
export function watching({ config, plan, secrets, runtime, guarded }: WatchingArgs): Observability | undefined {
  const { observability, gateway, routes, authorization, functions, tenants } = config;
  if (!observability.enabled) return undefined;
  const { environment, protect } = config.platform;
  // With the namespace would go the volumes that metrics and logs are in.
  const own = new PlatformNamespace(observability.namespace, { environment, protect }, guarded);
  const hosts = new PlatformNamespace(
    hostsNamespaceName(observability),
    { environment, podSecurity: "privileged" },
    guarded,
  );
  const { accessKey, secretKey } = secrets.logStorage;
  return new Observability(
    "observability",
    {
      ...{ environment, observability, functions, tenants, gateway, routes, authorization, plan },
      clusterKind: config.cluster.kind,
      images: platformImages(config).observability,
      namespace: own.namespace,
      hostsNamespace: hosts.namespace,
      requestPath: [
        {
          namespace: gateway.namespace,
          labels: selectorLabels({ name: gateway.kind, component: "gateway" }),
          // Kong has the same.
          ports: [TRAEFIK_PORTS.admin],
        },
        {
          namespace: gateway.namespace,
          labels: selectorLabels({ name: "authorizer", component: "authorizer" }),
          ports: [AUTHORIZER_PORTS.admin],
        },
      ],
      admission: config.admission.enabled ? GATEKEEPER_PEER : undefined,
      autoscaler: scalingPeer(config),
      apiServer: apiServerPeers(config),
      hosts: hostPeers(config),
      priorityClassName: runtime.platformPriorityClassName,
      receivers: secrets.alertReceivers,
      bucketKeys: accessKey && secretKey && { id: accessKey, secret: secretKey },
    },
    { provider: guarded.provider, dependsOn: [...guarded.dependsOn, own, hosts] },
  );
}
