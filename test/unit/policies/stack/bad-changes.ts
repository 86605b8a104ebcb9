import type { StackPolicyName } from "../../../../policies/stack/names";
import type { Registered } from "../../../support/mocks";

/** A change of the production stack that must not ship, with all that is said of it. */
export interface BadChange {
  readonly policy: StackPolicyName;
  readonly change: string;
  /** Of the resource: type without its package, and name. */
  readonly of: readonly [type: string, name: string];
  /** Another type of the resource: what is there is taken for that. */
  readonly as?: string;
  /** New values by path; undefined takes the field away. */
  readonly to?: Readonly<Record<string, unknown>>;
  readonly options?: Registered["options"];
  /** Takes the whole resource away, to the loss of another. */
  readonly without?: true;
  readonly says: string;
  /** How many more resources it puts in the wrong. Default: none. */
  readonly others?: number;
}

const FUNCTION = ["apps/v1:Deployment", "serverless-function"] as const;
const GATEWAY = ["apps/v1:Deployment", "gateway"] as const;
const POD = "spec.template.spec";
const CONTAINER = `${POD}.containers.0`;
const AT_FUNCTION = `Deployment shop/serverless-function ${POD}.containers.function`;

/** At least one for every policy. */
export const BAD_CHANGES: readonly BadChange[] = [
  {
    policy: "allowed-registries",
    change: "a function from a registry of somebody's",
    of: FUNCTION,
    to: { [`${CONTAINER}.image`]: `ghcr.io/somebody/function@sha256:${"0".repeat(64)}` },
    says: `${AT_FUNCTION}.image: ghcr.io/somebody/function@sha256:${"0".repeat(64)}: comes from a registry that nobody has vouched for; take it from registry.example.com/, or add its registry to the stack's (admission.registries for functions)`,
  },
  {
    policy: "digest-pinned-images",
    change: "a function by tag",
    of: FUNCTION,
    to: { [`${CONTAINER}.image`]: "registry.example.com/serverless-function:1.0.0" },
    says: `${AT_FUNCTION}.image: registry.example.com/serverless-function:1.0.0: a tag may name another image tomorrow; name it by digest, which \`make function\` prints: registry.example.com/checkout@sha256:…`,
  },
  {
    policy: "no-latest-tag",
    change: "a gateway without a tag",
    of: GATEWAY,
    to: { [`${CONTAINER}.image`]: "docker.io/library/traefik" },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.image: docker.io/library/traefik: without a tag it is \`latest\`, which can be neither reproduced nor rolled back; pin a version's tag or a digest`,
  },
  {
    policy: "wasm-runtime-class",
    change: "a function in a container",
    of: FUNCTION,
    to: { [`${POD}.runtimeClassName`]: undefined },
    says: `Deployment shop/serverless-function ${POD}.runtimeClassName: missing: functions run as WebAssembly alone: in a container they would be neither as small nor as walled in; set it to wasmedge`,
  },
  {
    policy: "wasm-runtime-class",
    change: "a gateway as WebAssembly",
    of: GATEWAY,
    to: { [`${POD}.runtimeClassName`]: "wasmedge" },
    says: `Deployment gateway/gateway ${POD}.runtimeClassName: wasmedge: only functions are WebAssembly: nothing else starts in it; leave it out`,
  },
  {
    policy: "container-resources",
    change: "a gateway without a limit",
    of: GATEWAY,
    to: { [`${CONTAINER}.resources.limits.memory`]: undefined },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.resources.limits.memory: missing: neither scheduler nor quota can count on it, and a neighbour may starve; set it to what the container was measured to need`,
  },
  {
    policy: "container-resources",
    change: "a function with a limit of 0, which is none",
    of: FUNCTION,
    to: { [`${CONTAINER}.resources.limits.cpu`]: "0m" },
    says: `${AT_FUNCTION}.resources.limits.cpu: 0m: neither scheduler nor quota can count on it, and a neighbour may starve; set it to what the container was measured to need`,
  },
  {
    policy: "container-resources",
    change: "a gateway without a limit of what it writes",
    of: GATEWAY,
    to: { [`${CONTAINER}.resources.limits.ephemeral-storage`]: undefined },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.resources.limits.ephemeral-storage: missing: neither scheduler nor quota can count on it, and a neighbour may starve; set it to what the container was measured to need`,
  },
  {
    policy: "container-resources",
    change: "a function with more memory than was planned",
    of: FUNCTION,
    to: { [`${CONTAINER}.resources.limits.memory`]: "128Mi" },
    says: `${AT_FUNCTION}.resources.limits.memory: 128Mi: the plan has counted 64Mi for serverless-function; raise functions.serverless-function.resources.limits.memory, and the plan with it`,
  },
  {
    policy: "replica-limits",
    change: "an autoscaler above the plan",
    of: ["autoscaling/v2:HorizontalPodAutoscaler", "serverless-function-hpa"],
    to: { "spec.maxReplicas": 6000 },
    says: "HorizontalPodAutoscaler shop/serverless-function-hpa spec.maxReplicas: 6000: the plan has room for 5000; raise functions.serverless-function.scaling.max, and the plan with it",
  },
  {
    policy: "replica-limits",
    change: "an autoscaler that keeps fewer warm",
    of: ["autoscaling/v2:HorizontalPodAutoscaler", "gateway-autoscaler"],
    to: { "spec.minReplicas": 1 },
    says: "HorizontalPodAutoscaler gateway/gateway spec.minReplicas: 1: gateway.replicas.min keeps 2 warm; set it to 2, or lower gateway.replicas.min",
  },
  {
    policy: "pod-disruption-budget",
    change: "a budget that lets nothing go",
    of: ["policy/v1:PodDisruptionBudget", "gateway-budget"],
    to: { "spec.maxUnavailable": "0%" },
    says: "PodDisruptionBudget gateway/gateway spec.maxUnavailable: 0%: no pod may be evicted: no node could ever be drained; use maxUnavailable 10%",
  },
  {
    policy: "pod-disruption-budget",
    change: "a budget as large as the autoscaler's least",
    of: ["policy/v1:PodDisruptionBudget", "gateway-budget"],
    to: { "spec.maxUnavailable": undefined, "spec.minAvailable": 2 },
    says: "PodDisruptionBudget gateway/gateway spec.minAvailable: 2: at its least there are 2 pods, and all have to stay: no node could ever be drained; use maxUnavailable 10%",
  },
  {
    policy: "pod-disruption-budget",
    change: "no budget beside an autoscaler",
    of: ["policy/v1:PodDisruptionBudget", "gateway-budget"],
    without: true,
    says: "Deployment gateway/gateway spec: no PodDisruptionBudget: HorizontalPodAutoscaler gateway/gateway scales it, and a drain may take all of its pods at once; make one that selects its pods, with maxUnavailable 10%",
  },
  {
    policy: "probes",
    change: "a function without readiness",
    of: FUNCTION,
    to: { [`${CONTAINER}.readinessProbe`]: undefined },
    says: `${AT_FUNCTION}.readinessProbe: missing: requests go to pods that cannot answer, or a hung one is never started anew; give the container a readinessProbe`,
  },
  {
    policy: "probes",
    change: "a function probed by a command",
    of: FUNCTION,
    to: { [`${CONTAINER}.livenessProbe`]: { exec: { command: ["true"] } } },
    says: `${AT_FUNCTION}.livenessProbe.exec: a command: a WebAssembly container has no shell and no program to start; use httpGet`,
  },
  {
    policy: "pod-security",
    change: "a gateway that is root on the host",
    of: GATEWAY,
    to: { [`${CONTAINER}.securityContext.privileged`]: true },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.securityContext.privileged: true: it is root on the host; leave it out`,
  },
  {
    policy: "pod-security",
    change: "a function in the host's network",
    of: FUNCTION,
    to: { [`${POD}.hostNetwork`]: true },
    says: `Deployment shop/serverless-function ${POD}.hostNetwork: true: the pod would see the host, and what runs there would see it; leave it out`,
  },
  {
    policy: "pod-security",
    change: "one more folder of the host where two are exempt",
    of: ["apps/v1:DaemonSet", "collector"],
    to: { [`${POD}.volumes.3`]: { name: "etc", hostPath: { path: "/etc" } } },
    says: `DaemonSet monitoring-hosts/collector ${POD}.volumes.etc: hostPath: it reaches out of the pod, into a host or a store that others share; use one of configMap, csi, downwardAPI, emptyDir, ephemeral, persistentVolumeClaim, projected, secret`,
  },
  {
    policy: "service-account-tokens",
    change: "a function with a token",
    of: FUNCTION,
    to: { [`${POD}.automountServiceAccountToken`]: undefined },
    says: `Deployment shop/serverless-function ${POD}.automountServiceAccountToken: missing: whoever breaks into the pod has its account's token; set it to false; what asks the API mounts a projected token that expires`,
  },
  {
    policy: "required-labels",
    change: "an object of another environment",
    of: ["core/v1:Service", "gateway-service"],
    to: { "metadata.labels.environment": "dev" },
    says: 'Service gateway/api-gateway metadata.labels["environment"]: dev: must be prod; make its labels with `labels` of components/labels.ts',
  },
  {
    policy: "public-services",
    change: "a function's Service on every node",
    of: ["core/v1:Service", "serverless-function"],
    to: { "spec.type": "NodePort" },
    says: "Service shop/serverless-function spec.type: NodePort: requests would come in, or go out, past gateway and authorization; use ClusterIP, and a route of the gateway",
  },
  {
    policy: "rbac",
    change: "a role that allows everything",
    of: ["rbac.authorization.k8s.io/v1:Role", "shop-developer"],
    to: { "rules.0.verbs": ["*"] },
    says: "Role shop/function-developer rules[0].verbs: *: it allows what nobody has thought of, and what is added later; name the verbs",
  },
  {
    policy: "rbac",
    change: "a binding of everybody",
    of: ["rbac.authorization.k8s.io/v1:RoleBinding", "shop-developer"],
    to: { "subjects.0.name": "system:unauthenticated" },
    says: "RoleBinding shop/function-developer subjects.system:unauthenticated: system:unauthenticated: that is everybody, or every pod; name the account or the group",
  },
  {
    policy: "autoscaler-required",
    change: "a function that nothing scales",
    of: ["autoscaling/v2:HorizontalPodAutoscaler", "serverless-function-hpa"],
    without: true,
    says: "Deployment shop/serverless-function spec: no autoscaler: nothing scales it with its load, in or out; make a HorizontalPodAutoscaler or a ScaledObject in namespace shop with scaleTargetRef.name serverless-function",
  },
  {
    policy: "autoscaled-replicas",
    change: "a fixed number of replicas",
    of: FUNCTION,
    options: {},
    says: 'Deployment shop/serverless-function spec.replicas: 100: HorizontalPodAutoscaler shop/serverless-function-hpa owns the count: each `up` would throw its pods away; leave it out, or ignore its changes (ignoreChanges: ["spec.replicas"])',
  },
  {
    policy: "network-policies",
    change: "a namespace that is open",
    of: ["networking.k8s.io/v1:NetworkPolicy", "shop-default-deny"],
    to: { "spec.policyTypes": ["Ingress"] },
    says: "Namespace shop metadata.name: shop: no NetworkPolicy denies what nobody has allowed in it; add one with an empty podSelector, policyTypes [Ingress, Egress] and no rules",
  },
  {
    policy: "plain-secrets",
    change: "a connection with its password in a function's environment",
    of: FUNCTION,
    to: { [`${CONTAINER}.env`]: [{ name: "DATABASE", value: "postgres://shop:hunter2@198.51.100.10/shop" }] },
    says: `${AT_FUNCTION}.env.DATABASE: a URL with a password (not shown): whoever may list objects, see processes or read the state reads it too; put it into a Secret that is mounted as a file, or give it to a command by stdin; then replace it`,
  },
  {
    policy: "plain-secrets",
    change: "a password by its name",
    of: GATEWAY,
    to: { [`${CONTAINER}.env.0`]: { name: "STORE_PASSWORD", value: "x" } },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.env.STORE_PASSWORD: what its name calls a secret (not shown): whoever may list objects, see processes or read the state reads it too; put it into a Secret that is mounted as a file, or give it to a command by stdin; then replace it`,
  },
  {
    policy: "plain-secrets",
    change: "a private key on a command line",
    of: ["remote:Command", "k3s-server-1-restore"],
    to: { create: "echo '-----BEGIN OPENSSH PRIVATE KEY-----' > /root/key" },
    says: "Command k3s-server-1-restore create: a private key (not shown): whoever may list objects, see processes or read the state reads it too; put it into a Secret that is mounted as a file, or give it to a command by stdin; then replace it",
  },
  {
    policy: "gateway-tls",
    change: "a gateway without a port for TLS",
    of: ["core/v1:Service", "gateway-service"],
    to: { "spec.ports": [{ name: "http", port: 80, targetPort: "http" }] },
    says: "Service gateway/api-gateway spec.ports: http 80: nobody can come by TLS; give it port https 443",
  },
  {
    policy: "gateway-tls",
    change: "a route that answers without TLS",
    of: ["core/v1:ConfigMap", "gateway-routes"],
    to: {
      data: { "gateway.json": JSON.stringify({ dynamic: { http: { routers: { api: { entryPoints: ["http"] } } } } }) },
    },
    says: 'ConfigMap gateway/gateway-routes data["gateway.json"]: route api: answers without TLS: tokens would pass in clear; give it the entry point https alone, and tls',
  },
  {
    policy: "protected-state",
    change: "a tenant that can be deleted",
    of: ["core/v1:Namespace", "shop"],
    options: {},
    says: "Namespace shop protect: false: a tenant's functions would be gone with it; set platform.protect to true",
  },
  {
    policy: "protected-state",
    change: "volumes that can be deleted",
    of: ["core/v1:Namespace", "monitoring-namespace"],
    options: {},
    says: "Namespace monitoring protect: false: volumes would be gone with it; set platform.protect to true",
  },
  {
    policy: "ssh-host-keys",
    change: "a host whose key is not known",
    of: ["remote:Command", "k3s-agent-01-prepare"],
    to: { "connection.secret.hostKey": undefined },
    says: "Command k3s-agent-01-prepare connection.hostKey: missing for 192.0.2.101: whoever answers at that address is believed, and given the cluster's tokens; set hostKey of that host in the stack's file: ssh-keyscan -t ed25519, checked on the host itself",
  },
  {
    policy: "k3s-version-skew",
    change: "an agent that is newer than its servers",
    of: ["remote:Command", "k3s-agent-01-k3s"],
    to: { create: "ROLE='agent'\nVERSION='v1.31.2+k3s1'\n" },
    says: "Command k3s-agent-01-k3s create: v1.31.2+k3s1: an agent may not be newer than a server; install one version on all: cluster.version",
  },
  {
    policy: "k3s-version-skew",
    change: "an agent that is too far behind",
    of: ["remote:Command", "k3s-agent-01-k3s"],
    to: { create: "ROLE='agent'\nVERSION='v1.26.9+k3s1'\n" },
    says: "Command k3s-agent-01-k3s create: v1.26.9+k3s1: more than 3 minor versions behind v1.30.4+k3s1; install one version on all: cluster.version",
  },
  {
    policy: "k3s-version-skew",
    change: "servers that are two versions apart",
    of: ["remote:Command", "k3s-server-2-k3s"],
    to: { create: "ROLE='server'\nVERSION='v1.28.5+k3s1'\n" },
    // No agent may be newer than a server: each is named by what installs it and what starts it.
    others: 20,
    says: "Command k3s-server-2-k3s create: v1.28.5+k3s1: a server of v1.30.4+k3s1 is in the same cluster; install one version on all: cluster.version",
  },
  ...(
    [
      [
        "kubernetes:helm.sh/v3:Release",
        "Helm makes its objects, which no policy sees; use a Chart, whose objects are resources",
      ],
      ["kubernetes:core/v1:ConfigMapList", "its items are judged by no policy; make a resource of each"],
      [
        "kubernetes:core/v1:ConfigMapPatch",
        "what it makes of the object is known to the API server alone; make the object itself",
      ],
      [
        "kubernetes:autoscaling/v1:HorizontalPodAutoscaler",
        "policies know v2 of autoscaling, and would pass it over; use the object's stable version",
      ],
    ] as const
  ).map(([as, says]) => ({
    policy: "judged-kinds" as const,
    change: `an object as ${as}`,
    of: ["core/v1:ConfigMap", "gateway-routes"] as const,
    as,
    says: `${as.split(":").at(-1)} gateway/gateway-routes type: ${as}: ${says}`,
  })),
  {
    policy: "pod-security",
    change: "a ReplicaSet that is root on the host",
    of: ["apps/v1:DaemonSet", "node-exporter"],
    as: "kubernetes:apps/v1:ReplicaSet",
    to: {
      [`${POD}.hostNetwork`]: undefined,
      [`${POD}.hostPID`]: undefined,
      [`${CONTAINER}.ports`]: [],
      [`${POD}.volumes`]: [],
      [`${CONTAINER}.securityContext.privileged`]: true,
    },
    says: `ReplicaSet monitoring-hosts/node-exporter ${POD}.containers.node-exporter.securityContext.privileged: true: it is root on the host; leave it out`,
  },
  {
    policy: "probes",
    change: "a gateway whose liveness is its readiness",
    of: GATEWAY,
    to: {
      [`${CONTAINER}.livenessProbe`]: { tcpSocket: { port: 1 } },
      [`${CONTAINER}.readinessProbe`]: { tcpSocket: { port: 1 } },
    },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.livenessProbe: is the readinessProbe: a pod that is only busy would be started anew; ask another endpoint, or allow more failures`,
  },
  {
    policy: "service-account-tokens",
    change: "a function with a projected token",
    of: FUNCTION,
    to: {
      [`${POD}.volumes`]: [{ name: "token", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } }],
    },
    says: `Deployment shop/serverless-function ${POD}.volumes.token: serviceAccountToken: whoever breaks into the pod has its account's token; leave it out: functions have no business with the API`,
  },
  {
    policy: "replica-limits",
    change: "a function that starts above the plan",
    of: FUNCTION,
    to: { "spec.replicas": 6000 },
    says: "Deployment shop/serverless-function spec.replicas: 6000: the plan has room for 5000; raise functions.serverless-function.scaling.max, and the plan with it",
  },
  {
    policy: "pod-disruption-budget",
    change: "a budget of everything",
    of: ["policy/v1:PodDisruptionBudget", "gateway-budget"],
    to: { "spec.selector": {} },
    says: "PodDisruptionBudget gateway/gateway spec.selector: empty: it is about every pod of the namespace, and one that two budgets are about can never be evicted; select one workload's pods by their labels",
  },
  {
    policy: "public-services",
    change: "addresses that the gateway takes over",
    of: ["core/v1:Service", "gateway-service"],
    to: { "spec.externalIPs": ["192.0.2.9"] },
    says: "Service gateway/api-gateway spec.externalIPs: 192.0.2.9: it takes over traffic to these addresses, whoever they belong to; leave them out",
  },
  {
    policy: "pod-security",
    change: "settings of the kernel",
    of: GATEWAY,
    to: {
      [`${POD}.securityContext`]: {
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
        sysctls: [{ name: "kernel.msgmax", value: "1" }],
      },
    },
    says: `Deployment gateway/gateway ${POD}.securityContext.sysctls: kernel.msgmax: they reach past the pod; leave them out`,
  },
  {
    policy: "pod-security",
    change: "a gateway with procMount",
    of: GATEWAY,
    to: { [`${CONTAINER}.securityContext.procMount`]: "Unmasked" },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.securityContext.procMount: Unmasked: what holds containers back no longer holds this one; leave it out`,
  },
  {
    policy: "pod-security",
    change: "a gateway with appArmorProfile",
    of: GATEWAY,
    to: { [`${CONTAINER}.securityContext.appArmorProfile`]: { type: "Unconfined" } },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.securityContext.appArmorProfile: Unconfined: what holds containers back no longer holds this one; leave it out`,
  },
  {
    policy: "pod-security",
    change: "a gateway with windowsOptions",
    of: GATEWAY,
    to: { [`${CONTAINER}.securityContext.windowsOptions`]: { hostProcess: true } },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.securityContext.windowsOptions.hostProcess: true: what holds containers back no longer holds this one; leave it out`,
  },
  {
    policy: "pod-security",
    change: "a gateway with seLinuxOptions",
    of: GATEWAY,
    to: { [`${CONTAINER}.securityContext.seLinuxOptions`]: { type: "spc_t" } },
    says: `Deployment gateway/gateway ${POD}.containers.traefik.securityContext.seLinuxOptions: {"type":"spc_t"}: what holds containers back no longer holds this one; leave it out`,
  },
];

/** The resources with this one changed. */
export function apply(change: BadChange, resources: readonly Registered[]): readonly Registered[] {
  const [type, name] = change.of;
  const index = resources.findIndex((r) => r.type.endsWith(`:${type}`) && r.name === name);
  const found = resources[index];
  if (found === undefined) throw new Error(`there is no ${type} ${name}`);
  if (change.without) return resources.filter((resource) => resource !== found);
  const inputs = structuredClone(found.inputs) as Record<string, unknown>;
  for (const [path, value] of Object.entries(change.to ?? {})) set(inputs, path.split("."), value);
  const changed = { ...found, type: change.as ?? found.type, inputs, options: change.options ?? found.options };
  return resources.with(index, changed);
}

function set(at: Record<string, unknown>, [key = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length > 0) set(at[key] as Record<string, unknown>, rest, value);
  else if (value === undefined) Reflect.deleteProperty(at, key);
  else at[key] = value;
}
