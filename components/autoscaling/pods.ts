import type { types } from "@pulumi/kubernetes";
import type { Sized } from "../../infra/plan/types";
import { changePods, type ManifestObject, type PodSpec } from "../manifest";
import { CREDENTIALS, RESTRICTED_CONTAINER, RESTRICTED_POD } from "../security";
import { probes, resources } from "../workload";
import { KEDA, KEDA_PORTS } from "./names";

export interface KedaPodsArgs {
  /** References of its images. */
  readonly images: { readonly operator: string; readonly adapter: string };
  /** What each of its pods takes. */
  readonly size: Sized;
}

type Container = PodSpec["containers"][number];
type DeploymentSpec = Omit<types.input.apps.v1.DeploymentSpec, "template">;

interface Workload {
  readonly image: "operator" | "adapter";
  readonly serviceAccountName: string;
  readonly container: (container: Container) => Partial<Container>;
}

/** What the manifest leaves open, or leaves wide. */
const WORKLOADS: Readonly<Record<string, Workload>> = {
  [KEDA.operator]: {
    image: "operator",
    serviceAccountName: KEDA.operator,
    container: ({ args = [] }) => ({
      args: args.map((arg) => (arg.startsWith("--zap-encoder=") ? "--zap-encoder=json" : arg)),
      ports: [
        { name: "http", containerPort: KEDA_PORTS.metrics, protocol: "TCP" },
        { name: "health", containerPort: KEDA_PORTS.health, protocol: "TCP" },
        { name: "grpc", containerPort: KEDA_PORTS.operator, protocol: "TCP" },
      ],
      ...(probes({ ready: "/readyz", live: "/healthz" }, "health") as Partial<Container>),
    }),
  },
  [KEDA.adapter]: {
    image: "adapter",
    serviceAccountName: KEDA.adapter,
    // It starts once the operator has made the certificate, and asks over TLS as the API server does.
    container: () => overTls(probes({ ready: "/readyz", live: "/healthz" }, "https")),
  },
};

function overTls(container: Partial<Container>): Partial<Container> {
  return Object.fromEntries(
    Object.entries(container).map(([name, probe]) => {
      const { httpGet, ...rest } = probe as { httpGet: object };
      return [name, { ...rest, httpGet: { ...httpGet, scheme: "HTTPS" } }];
    }),
  );
}

/** @throws Error for a workload that a release has added: somebody has to say what it may use and do */
export function hardenDeployment(object: ManifestObject, args: KedaPodsArgs): ManifestObject {
  const workload = WORKLOADS[object.metadata.name];
  if (object.kind !== "Deployment" || workload === undefined) {
    throw new Error(
      `${object.kind}/${object.metadata.name}: say its resources and privileges in components/autoscaling/pods.ts`,
    );
  }
  const spec: DeploymentSpec = {
    ...(object["spec"] as DeploymentSpec),
    replicas: 1,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  };
  return changePods({ ...object, spec }, (pod) => frame(pod, workload, args));
}

/** What both have in common, the credential for the API included, which the manifest has mounted by itself. */
function frame(pod: PodSpec, workload: Workload, { images, size }: KedaPodsArgs): PodSpec {
  return {
    ...pod,
    // Functions' pods make way, as they do for the other controllers.
    priorityClassName: "system-cluster-critical",
    serviceAccountName: workload.serviceAccountName,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: RESTRICTED_POD,
    containers: pod.containers.map((container) => ({
      ...container,
      image: images[workload.image],
      imagePullPolicy: "IfNotPresent",
      resources: resources(size),
      securityContext: RESTRICTED_CONTAINER,
      env: [...(container.env ?? []), { name: "GOMEMLIMIT", value: String(Math.floor(size.limits.memory * 0.9)) }],
      volumeMounts: [...(container.volumeMounts ?? []), CREDENTIALS.mount],
      ...workload.container(container),
    })),
    volumes: [...(pod.volumes ?? []).map(bounded), CREDENTIALS.volume] as NonNullable<PodSpec["volumes"]>,
  };
}

/** What is written there is a certificate, if anything. */
function bounded(volume: NonNullable<PodSpec["volumes"]>[number]) {
  return volume.emptyDir ? { ...volume, emptyDir: { sizeLimit: "16Mi" } } : volume;
}
