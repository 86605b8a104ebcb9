import { Keda, KEDA_PEER, type MetricsTarget } from "../components/autoscaling/keda";
import { triggerMetrics } from "../components/autoscaling/names";
import type { RequestSource } from "../components/functions/scaled-object";
import type { Peer } from "../components/network";
import { PROMETHEUS_LABELS } from "../components/observability/observability";
import { PROMETHEUS_PORT } from "../components/observability/prometheus-config";
import { requestsQuery } from "../components/observability/rules/objectives";
import { apiServerPeers } from "./api-server";
import { readCertificate } from "./certificate";
import type { FunctionConfig, StackConfig } from "./config";
import type { Guarded } from "./guarded";
import { platformImages } from "./images";
import { KEDA_SIZE, scalesByRequests } from "./plan/autoscaling";

/** Where the API server asks for requests, as the stack has it. */
export interface MetricsAccess {
  readonly target: MetricsTarget;
  /** Set in a preview of a stack whose certificate is not there yet. */
  readonly warning?: string | undefined;
}

/**
 * Reads the certificate of the authority of a KEDA outside of the cluster.
 *
 * @throws RunError when it is not there, outside of a preview, or is no certificate
 */
export function metricsAccess(config: StackConfig, projectRoot: string, preview: boolean): MetricsAccess {
  const { keda } = config.autoscaling;
  if (keda.kind === "pods" || !scalesByRequests(config)) return { target: { kind: "service" } };
  const { certificate, warning } = readCertificate("autoscaling.keda.caFile", keda.caFile, projectRoot, preview);
  return { target: { kind: "loopback", port: keda.port, certificate }, warning };
}

export interface ScalingArgs {
  readonly config: StackConfig;
  /** KEDA's, where a function is scaled by its requests. */
  readonly manifest: string | undefined;
  readonly target: MetricsTarget;
  readonly guarded: Guarded;
}

/** KEDA, where a function is scaled by its requests. */
export function scaling({ config, manifest, target, guarded }: ScalingArgs): Keda | undefined {
  if (manifest === undefined) return undefined;
  const { kedaOperator: operator, kedaAdapter: adapter } = platformImages(config);
  const { enabled, namespace } = config.observability;
  return new Keda(
    "keda",
    {
      environment: config.platform.environment,
      images: { operator, adapter },
      size: KEDA_SIZE,
      manifest,
      target,
      metrics: metricsOf(config),
      apiServer: apiServerPeers(config),
      prometheus: enabled ? { namespace, labels: PROMETHEUS_LABELS, port: PROMETHEUS_PORT } : undefined,
    },
    guarded,
  );
}

/** Those of all functions that it scales, each once: objects that differ by order alone would be changes. */
function metricsOf({ functions }: StackConfig): string[] {
  const byRequests = functions.filter((fn) => fn.scaling.metric === "rps");
  return [...new Set(byRequests.flatMap((fn) => triggerMetrics(fn.scaling)))].sort();
}

/** Whom KEDA asks for a function's requests, and what. */
export function requestSource(config: StackConfig, fn: FunctionConfig): RequestSource | undefined {
  if (fn.scaling.metric !== "rps") return undefined;
  const { observability, autoscaling } = config;
  const own = `http://prometheus.${observability.namespace}.svc.cluster.local:${PROMETHEUS_PORT}`;
  const { keda } = autoscaling;
  return {
    prometheus: keda.kind === "processes" ? keda.prometheus : own,
    query: requestsQuery(fn, observability),
  };
}

/** Who asks Prometheus for requests. */
export function scalingPeer(config: StackConfig): Peer | undefined {
  return scalesByRequests(config) ? KEDA_PEER : undefined;
}
