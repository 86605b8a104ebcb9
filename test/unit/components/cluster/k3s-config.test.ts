import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { k3sAgentConfig, k3sServerConfig, type K3sConfig } from "../../../../components/cluster/k3s-config";
import { parseConfig, type StackConfig } from "../../../../infra/config";
import { planStack, type ControlPlaneTuning, type Plan } from "../../../../infra/plan";
import { existing, prodConfig, rawConfig } from "../../infra/support";

const PROD = prodConfig();

/** One agent, little load, whole cores: nothing of it is what K3s or the reference workload has by default. */
const SMALL = parseConfig(
  rawConfig({
    cluster: existing({
      agents: 1,
      agentShape: { cpu: "8", memory: "8Gi", reserved: { memory: "1Gi" } },
      network: { podCidr: "10.50.0.0/16", serviceCidr: "10.60.4.0/24" },
    }),
    runtime: { createRuntimeClass: false },
    controlPlane: { clientQps: 50, cfsQuotaPeriod: "100ms" },
    functions: [
      {
        resources: { limits: { cpu: "1" } },
        scaling: { min: 2, initial: 2, max: 40 },
        workload: { peakRequestsPerSecond: 800 },
      },
    ],
  }),
);

/** The list of K3s's hardening guide. */
const CIPHERS = [
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
].join(",");

const FIRST = { name: "server-1", address: "192.0.2.11", tokenFile: "/etc/rancher/k3s/token" };
const SECOND = { ...FIRST, name: "server-2", address: "192.0.2.12", server: "https://192.0.2.11:6443" };
const AGENT = { name: "agent-01", address: "192.0.2.101", server: "https://192.0.2.11:6443" };

const server = (config: StackConfig, node = FIRST) => k3sServerConfig(config, planStack(config), node);
const agent = (config: StackConfig, node = AGENT) => k3sAgentConfig(config, planStack(config), node);

describe("the config file of the first server of production", () => {
  it("makes a cluster that is set up as planned", () => {
    expect(stringify(server(PROD))).toBe(`\
cluster-init: true
token-file: /etc/rancher/k3s/token
node-name: server-1
node-ip: 192.0.2.11
protect-kernel-defaults: true
kubelet-arg:
  - max-pods=890
  - kube-api-qps=90
  - kube-api-burst=180
  - registry-qps=5
  - serialize-image-pulls=false
  - pod-max-pids=1024
  - cpu-cfs-quota-period=10ms
  - feature-gates=CustomCPUCFSQuotaPeriod=true
  - container-log-max-size=4Mi
  - container-log-max-files=2
  - system-reserved=cpu=500m,memory=2Gi
  - streaming-connection-idle-timeout=5m
  - tls-cipher-suites=${CIPHERS}
cluster-cidr: 10.42.0.0/16
service-cidr: 10.43.0.0/16
cluster-dns: 10.43.0.10
disable:
  - traefik
  - servicelb
  - runtimes
secrets-encryption: true
agent-token-file: /etc/rancher/k3s/agent-token
tls-san:
  - 172.20.0.1
  - server-0.example.com
  - 172.20.0.2
  - server-1.example.com
  - 172.20.0.3
  - server-2.example.com
write-kubeconfig-mode: "0600"
flannel-backend: wireguard-native
etcd-snapshot-schedule-cron: 0 */6 * * *
etcd-snapshot-retention: "12"
etcd-snapshot-compress: true
kube-apiserver-arg:
  - max-requests-inflight=400
  - max-mutating-requests-inflight=200
  - default-not-ready-toleration-seconds=10
  - default-unreachable-toleration-seconds=10
  - admission-control-config-file=/etc/rancher/k3s/admission.yaml
  - enable-admission-plugins=NodeRestriction,EventRateLimit
  - audit-policy-file=/etc/rancher/k3s/audit-policy.yaml
  - audit-log-path=/var/lib/rancher/k3s/server/logs/audit.log
  - audit-log-maxage=30
  - audit-log-maxbackup=10
  - audit-log-maxsize=100
  - service-account-extend-token-expiration=false
  - tls-cipher-suites=${CIPHERS}
kube-controller-manager-arg:
  - node-cidr-mask-size=22
  - kube-api-qps=90
  - kube-api-burst=90
  - concurrent-deployment-syncs=5
  - concurrent-replicaset-syncs=5
  - concurrent-horizontal-pod-autoscaler-syncs=5
  - concurrent-service-endpoint-syncs=5
  - endpointslice-updates-batch-period=500ms
  - endpoint-updates-batch-period=500ms
  - horizontal-pod-autoscaler-sync-period=5s
  - horizontal-pod-autoscaler-cpu-initialization-period=20s
  - horizontal-pod-autoscaler-initial-readiness-delay=5s
  - terminated-pod-gc-threshold=1250
  - node-monitor-period=5s
  - node-monitor-grace-period=20s
kube-scheduler-arg:
  - kube-api-qps=180
  - kube-api-burst=360
`);
  });

  it("is the same on a further server, but for its name, its address and whom it joins", () => {
    const own = ["cluster-init", "server", "node-name", "node-ip"];
    const common = (config: K3sConfig) => Object.entries(config).filter(([key]) => !own.includes(key));
    expect(common(server(PROD, SECOND))).toEqual(common(server(PROD)));
    expect(server(PROD, SECOND)).toMatchObject({ server: "https://192.0.2.11:6443", "node-name": "server-2" });
    expect(server(PROD, SECOND)).not.toHaveProperty("cluster-init");
  });
});

it("leaves out what is K3s's own default in a small stack: the kernel's period, its RuntimeClass", () => {
  expect(stringify(server(SMALL, { name: "embedded", address: "192.0.2.1", tokenFile: "/token" }))).toBe(`\
cluster-init: true
token-file: /token
node-name: embedded
node-ip: 192.0.2.1
protect-kernel-defaults: true
kubelet-arg:
  - max-pods=120
  - kube-api-qps=90
  - kube-api-burst=180
  - registry-qps=5
  - serialize-image-pulls=false
  - pod-max-pids=1024
  - container-log-max-size=4Mi
  - container-log-max-files=2
  - system-reserved=cpu=500m,memory=1Gi
cluster-cidr: 10.50.0.0/16
service-cidr: 10.60.4.0/24
cluster-dns: 10.60.4.10
disable:
  - traefik
  - servicelb
secrets-encryption: true
kube-apiserver-arg:
  - max-requests-inflight=400
  - max-mutating-requests-inflight=200
  - default-not-ready-toleration-seconds=10
  - default-unreachable-toleration-seconds=10
kube-controller-manager-arg:
  - node-cidr-mask-size=25
  - kube-api-qps=50
  - kube-api-burst=50
  - concurrent-deployment-syncs=5
  - concurrent-replicaset-syncs=5
  - concurrent-horizontal-pod-autoscaler-syncs=5
  - concurrent-service-endpoint-syncs=5
  - endpointslice-updates-batch-period=500ms
  - endpoint-updates-batch-period=500ms
  - horizontal-pod-autoscaler-sync-period=5s
  - horizontal-pod-autoscaler-cpu-initialization-period=20s
  - horizontal-pod-autoscaler-initial-readiness-delay=5s
  - terminated-pod-gc-threshold=1250
  - node-monitor-period=5s
  - node-monitor-grace-period=20s
kube-scheduler-arg:
  - kube-api-qps=100
  - kube-api-burst=200
`);
});

describe("the config file of an agent", () => {
  it("is what the node is, and the kubelet's part of the plan", () => {
    expect(stringify(agent(PROD))).toBe(`\
server: https://192.0.2.11:6443
node-name: agent-01
node-ip: 192.0.2.101
node-label:
  - wasm-functions.dev/runtime=wasmedge
protect-kernel-defaults: true
kubelet-arg:
  - max-pods=890
  - kube-api-qps=90
  - kube-api-burst=180
  - registry-qps=5
  - serialize-image-pulls=false
  - pod-max-pids=1024
  - cpu-cfs-quota-period=10ms
  - feature-gates=CustomCPUCFSQuotaPeriod=true
  - container-log-max-size=4Mi
  - container-log-max-files=2
  - system-reserved=cpu=500m,memory=2Gi
  - streaming-connection-idle-timeout=5m
  - tls-cipher-suites=${CIPHERS}
`);
  });

  it("adds the node's own labels and taints to what the plan gives every agent", () => {
    const config = k3sAgentConfig(SMALL, planStack(SMALL), {
      ...AGENT,
      tokenFile: "/token",
      labels: { "topology.kubernetes.io/zone": "a" },
      taints: [
        { key: "functions", value: "only", effect: "NoSchedule" },
        { key: "draining", effect: "NoExecute" },
      ],
      protectKernelDefaults: false,
    });
    expect(config).toMatchObject({
      "token-file": "/token",
      "node-label": ["wasm-functions.dev/runtime=wasmedge", "topology.kubernetes.io/zone=a"],
      "node-taint": ["functions=only:NoSchedule", "draining:NoExecute"],
      "protect-kernel-defaults": false,
    });
  });
});

/** Every value in the tuning, by its path. */
function leaves(value: unknown, path: readonly string[] = []): { path: readonly string[]; value: unknown }[] {
  if (typeof value !== "object" || value === null) return [{ path, value }];
  return Object.entries(value).flatMap(([key, item]) => leaves(item, [...path, key]));
}

function replaced<T>(value: T, [key, ...rest]: readonly string[], by: unknown): T {
  if (key === undefined) return by as T;
  const record = value as Record<string, unknown>;
  return { ...record, [key]: replaced(record[key], rest, by) } as T;
}

describe("no value of the plan's tuning is forgotten", () => {
  const plan = planStack(PROD);
  const lines = (config: K3sConfig) =>
    Object.entries(config).flatMap(([key, value]) => (Array.isArray(value) ? value.map((v) => `${key}: ${v}`) : []));
  const added = (render: (plan: Plan) => K3sConfig, changed: ControlPlaneTuning) => {
    const before = lines(render(plan));
    return lines(render({ ...plan, controlPlane: changed })).filter((line) => !before.includes(line));
  };
  const onServer = (p: Plan) => k3sServerConfig(PROD, p, FIRST);
  const onAgent = (p: Plan) => k3sAgentConfig(PROD, p, AGENT);

  it.each(leaves(plan.controlPlane).map((leaf) => ({ ...leaf, name: leaf.path.join(".") })))(
    "$name",
    ({ path, value }) => {
      const other = typeof value === "boolean" ? !value : 7777;
      const tuning = replaced(plan.controlPlane, path, other);
      const told = added(onServer, tuning);
      expect(told).toHaveLength(1);
      expect(told[0]).toContain(`=${String(other)}`);
      // A kubelet runs on both kinds of node, the other components on servers alone.
      expect(added(onAgent, tuning)).toEqual(path[0] === "kubelet" ? told : []);
    },
  );
});

it("gives no two values to one flag", () => {
  for (const config of [server(PROD), agent(PROD)]) {
    for (const value of Object.values(config)) {
      if (!Array.isArray(value)) continue;
      const names = value.map((flag: string) => flag.split("=")[0]);
      expect(new Set(names).size).toBe(names.length);
    }
  }
});
