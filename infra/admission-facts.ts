import { GATEKEEPER } from "../components/admission/names";
import { KEDA } from "../components/autoscaling/names";
import { hostsNamespaceName } from "../components/observability/names";
import type { AdmissionFacts, PlatformNamespaceFacts } from "../policies/admission/policy";
import { buffered, bufferName } from "./buffers";
import type { FunctionConfig, StackConfig } from "./config";
import { platformImages } from "./images";
import { scalesByRequests } from "./plan/autoscaling";

/** MetalLB's own, which its manifest names. */
const METALLB = { namespace: "metallb-system", registry: "quay.io/metallb/" };

/** What a stack's constraints are made of. */
export function admissionFacts(config: StackConfig): AdmissionFacts {
  const { platform, cluster, tenants, functions, gateway, admission } = config;
  return {
    environment: platform.environment,
    tenants: tenants.map(({ name }) => ({
      namespace: name,
      functions: functions.filter(({ tenant }) => tenant === name).flatMap(functionFacts),
    })),
    gateway: { namespace: gateway.namespace, service: "api-gateway" },
    networks: [cluster.network.podCidr.text, cluster.network.serviceCidr.text],
    platform: platformNamespaces(config),
    registries: { tenants: admission.registries, platform: platformRepositories(config) },
    digests: admission.requireDigests,
    runtimeClassName: "wasmedge",
  };
}

/** Its own pods, and those that keep room for them. */
function functionFacts(fn: FunctionConfig) {
  const { cpu, memory } = fn.resources.limits;
  const bounded = (name: string, maxReplicas: number) => ({ name, limits: { cpu: cpu / 1000, memory }, maxReplicas });
  return [
    bounded(fn.name, fn.scaling.max),
    ...buffered([fn]).map((one) => bounded(bufferName(one), one.scaling.buffer)),
  ];
}

function platformNamespaces(config: StackConfig): readonly PlatformNamespaceFacts[] {
  const { gateway, observability } = config;
  const { namespace } = observability;
  return [
    { role: "gateway", namespace: gateway.namespace },
    { role: "admission", namespace: GATEKEEPER.namespace },
    ...(gateway.entry.kind === "metallb" ? [{ role: "metallb", namespace: METALLB.namespace } as const] : []),
    ...(scalesByRequests(config) ? [{ role: "autoscaling", namespace: KEDA.namespace } as const] : []),
    ...(observability.enabled
      ? [
          { role: "monitoring", namespace } as const,
          { role: "monitoring-hosts", namespace: hostsNamespaceName(observability) } as const,
        ]
      : []),
  ];
}

/** Repositories, at any version: an upgrade's new image and what still runs are both allowed. */
function platformRepositories(config: StackConfig): readonly string[] {
  const { observability: watching, kedaOperator, kedaAdapter, ...others } = platformImages(config);
  const scaling = scalesByRequests(config) ? [kedaOperator, kedaAdapter] : [];
  const images = [
    ...Object.values(others),
    ...scaling,
    ...(config.observability.enabled ? Object.values(watching) : []),
  ];
  const own = images.map((image) => image.replace(/(?::[\w.-]+)?(?:@sha256:[a-f0-9]+)?$/, ""));
  return [...new Set([...own, ...(config.gateway.entry.kind === "metallb" ? [METALLB.registry] : [])])].sort();
}
