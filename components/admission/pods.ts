import type { types } from "@pulumi/kubernetes";
import type { AdmissionConfig } from "../../infra/config";
import type { AdmissionPlan, Sized } from "../../infra/plan/types";
import { formatBytes } from "../../infra/units";
import { changePods, type ManifestObject, type PodSpec } from "../manifest";
import { CREDENTIALS, RESTRICTED_CONTAINER } from "../security";
import { probes, resources, spread } from "../workload";
import { auditFlags, commonFlags, webhookFlags } from "./flags";
import { GATEKEEPER, GATEKEEPER_PORTS, OPERATION_LABEL } from "./names";

export interface GatekeeperPodsArgs {
  /** Reference of its image. */
  readonly image: string;
  readonly admission: Pick<AdmissionConfig, "replicas" | "audit">;
  readonly plan: AdmissionPlan;
}

type Container = PodSpec["containers"][number];

/** User and group of the official image. */
const USER = 1000;
const GROUP = 999;
/** What it writes is logs. */
const LOGS_ROOM = 64 * 2 ** 20;

/** Of both. */
const COMMON_ARGS = [
  ...commonFlags,
  `--health-addr=:${GATEKEEPER_PORTS.health}`,
  `--prometheus-port=${GATEKEEPER_PORTS.metrics}`,
];

interface Workload {
  readonly change: (spec: DeploymentSpec, args: GatekeeperPodsArgs) => DeploymentSpec;
  readonly pods: (pod: PodSpec, args: GatekeeperPodsArgs) => PodSpec;
}

type DeploymentSpec = Omit<types.input.apps.v1.DeploymentSpec, "template">;

/** What the manifest leaves open, or leaves wide. Mutation is left out of its operations: nothing here changes objects. */
const WORKLOADS: Readonly<Record<string, Workload>> = {
  [GATEKEEPER.webhook]: {
    change: (spec, { admission }) => ({
      ...spec,
      replicas: admission.replicas,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    }),
    pods: (pod, { plan }) => ({
      ...pod,
      // Spread by a constraint, as all else here.
      affinity: {},
      topologySpreadConstraints: spread({ [OPERATION_LABEL]: "webhook" }) as NonNullable<
        PodSpec["topologySpreadConstraints"]
      >,
      containers: pod.containers.map((container) =>
        sizedContainer(container, plan.webhook, [...webhookFlags, `--port=${GATEKEEPER_PORTS.webhook}`]),
      ),
    }),
  },
  [GATEKEEPER.audit]: {
    // Two would write the same status.
    change: (spec) => ({ ...spec, replicas: 1, strategy: { type: "Recreate" } }),
    pods: (pod, { admission: { audit }, plan }) => ({
      ...pod,
      containers: pod.containers.map((container) => {
        const made = sizedContainer(
          container,
          plan.audit,
          [...auditFlags(audit), "--disable-cert-rotation"],
          plan.audit.scratch,
        );
        // The key of the webhook's certificate is not its business.
        return { ...made, volumeMounts: (made.volumeMounts ?? []).filter(({ name }) => name !== "cert") };
      }),
      volumes: (pod.volumes ?? [])
        .filter(({ name }) => name !== "cert")
        .map((volume) =>
          volume.emptyDir ? { ...volume, emptyDir: { sizeLimit: formatBytes(plan.audit.scratch) } } : volume,
        ),
    }),
  },
};

/** @throws Error for a workload that a release has added: somebody has to say what it may use and do */
export function hardenDeployment(object: ManifestObject, args: GatekeeperPodsArgs): ManifestObject {
  const workload = WORKLOADS[object.metadata.name];
  if (object.kind !== "Deployment" || workload === undefined) {
    throw new Error(
      `${object.kind}/${object.metadata.name}: say its resources and privileges in components/admission/pods.ts`,
    );
  }
  const changed = { ...object, spec: workload.change(object["spec"] as DeploymentSpec, args) };
  return changePods(changed, (pod) => frame(workload.pods(pod, args), args.image));
}

/** What both have in common, the credential for the API included, which the manifest has mounted by itself. */
function frame(pod: PodSpec, image: string): PodSpec {
  return {
    ...pod,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: GROUP,
      fsGroup: GROUP,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: pod.containers.map((container) => ({
      ...container,
      image,
      imagePullPolicy: "IfNotPresent",
      volumeMounts: [...(container.volumeMounts ?? []), CREDENTIALS.mount],
    })),
    volumes: [...(pod.volumes ?? []), CREDENTIALS.volume] as NonNullable<PodSpec["volumes"]>,
  };
}

function sizedContainer(container: Container, sized: Sized, args: readonly string[], scratch = 0): Container {
  const { requests, limits } = resources(sized);
  return {
    ...container,
    args: [...COMMON_ARGS, ...args],
    env: [...(container.env ?? []), { name: "GOMEMLIMIT", value: String(Math.floor(sized.limits.memory * 0.9)) }],
    ...(probes({ ready: "/readyz", live: "/healthz" }, "healthz") as Partial<Container>),
    resources: { requests, limits: { ...limits, "ephemeral-storage": formatBytes(scratch + LOGS_ROOM) } },
    securityContext: { ...RESTRICTED_CONTAINER, runAsUser: USER, runAsGroup: GROUP },
  };
}
