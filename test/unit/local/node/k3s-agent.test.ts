import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { k3sAgentConfig, k3sServerConfig, type K3sAgentNode } from "../../../../components/cluster/k3s-config";
import { parseConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import {
  cniConfig,
  containerdConfig,
  hostsToml,
  kubeletFlags,
  kubeProxyFlags,
  kubeRouterFlags,
  parseAgentConfig,
  parseClusterNetwork,
  registriesYaml,
  type ContainerdOptions,
} from "../../../../local/node/k3s-agent";
import { existing, rawConfig } from "../../infra/support";

/** One agent, little load, networks of its own: nothing of it is what K3s or the reference workload has by default. */
const CONFIG = parseConfig(
  rawConfig({
    cluster: existing({
      agents: 1,
      agentShape: { cpu: "8", memory: "8Gi", reserved: { cpu: "300m", memory: "1Gi" } },
      network: { podCidr: "10.50.0.0/16", serviceCidr: "10.60.0.0/16" },
    }),
    functions: [{ scaling: { min: 2, initial: 2, max: 40 }, workload: { peakRequestsPerSecond: 800 } }],
  }),
);
const PLAN = planStack(CONFIG);
const NODE: K3sAgentNode = { name: "wasm-node", address: "198.18.0.2", server: "https://198.18.0.1:6443" };

/** As it comes to the node: what the cluster's own component renders, written as YAML and read again. */
const agentOf = (more: Partial<K3sAgentNode> = {}) =>
  parseAgentConfig(stringify(k3sAgentConfig(CONFIG, PLAN, { ...NODE, ...more })));
const AGENT = agentOf();
const NETWORK = parseClusterNetwork(
  stringify(k3sServerConfig(CONFIG, PLAN, { name: "embedded", address: "198.18.0.1" })),
);

/** What holds of a flag that is given more than once: the last one wins. */
function effective(flags: readonly string[]): Map<string, string> {
  return new Map(
    flags.map((flag) => {
      const [, name = "", value = ""] = /^--([a-z0-9-]+)=(.*)$/.exec(flag) ?? [];
      if (name === "") throw new Error(`no flag: ${flag}`);
      return [name, value];
    }),
  );
}

describe("K3s's config", () => {
  it("of an agent is read as the cluster's component writes it", () => {
    expect(agentOf({ taints: [{ key: "dedicated", value: "wasm", effect: "NoSchedule" }] })).toEqual({
      nodeName: "wasm-node",
      nodeIp: "198.18.0.2",
      server: "https://198.18.0.1:6443",
      nodeLabels: Object.entries(PLAN.topology.agentLabels).map(([name, value]) => `${name}=${value}`),
      nodeTaints: ["dedicated=wasm:NoSchedule"],
      protectKernelDefaults: true,
      kubeletArgs: expect.arrayContaining([`max-pods=${PLAN.topology.maxPodsPerAgent}`]) as string[],
    });
  });

  it("of a server tells an agent the cluster's networks", () => {
    expect(NETWORK).toEqual({ clusterCidr: "10.50.0.0/16", serviceCidr: "10.60.0.0/16", clusterDns: "10.60.0.10" });
  });

  it("may have one value where K3s takes a list, and none at all", () => {
    const config = parseAgentConfig("node-name: a\nnode-ip: 192.0.2.1\nserver: https://a\nkubelet-arg: v=2\n");
    expect([config.kubeletArgs, config.nodeLabels, config.nodeTaints]).toEqual([["v=2"], [], []]);
  });

  it.each([
    ["node-name", "node-ip: a\nserver: b\n"],
    ["node-ip", "node-name: a\nserver: b\n"],
    ["server", "node-name: a\nnode-ip: b\n"],
  ])("without %s is refused", (key, yaml) => {
    expect(() => parseAgentConfig(yaml)).toThrow(`K3s config.yaml: ${key} is missing`);
  });
});

describe("the kubelet", () => {
  it("is set as K3s sets it, with what the plan has worked out last", () => {
    const flags = kubeletFlags(AGENT, NETWORK);
    const own = AGENT.kubeletArgs.map((flag) => `--${flag}`);
    expect(flags.slice(-own.length)).toEqual(own);
    expect(own).toEqual(
      expect.arrayContaining(["--system-reserved=cpu=300m,memory=1Gi", "--serialize-image-pulls=false"]),
    );
    const labels = Object.entries(PLAN.topology.agentLabels).map(([name, value]) => `${name}=${value}`);
    // Whatever else is there: this is what K3s v1.30 passes to its kubelet.
    expect(Object.fromEntries(effective(flags))).toMatchObject({
      "anonymous-auth": "false",
      "authentication-token-webhook": "true",
      "authorization-mode": "Webhook",
      "cgroup-driver": "cgroupfs",
      "client-ca-file": "/var/lib/rancher/k3s/agent/ca.crt",
      "cluster-dns": "10.60.0.10",
      "cluster-domain": "cluster.local",
      "container-runtime-endpoint": "unix:///run/k3s/containerd/containerd.sock",
      "eviction-hard": "imagefs.available<5%,nodefs.available<5%",
      "eviction-minimum-reclaim": "imagefs.available=10%,nodefs.available=10%",
      "fail-swap-on": "false",
      "healthz-bind-address": "127.0.0.1",
      "hostname-override": "wasm-node",
      kubeconfig: "/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
      "max-pods": String(PLAN.topology.maxPodsPerAgent),
      "node-ip": "198.18.0.2",
      "node-labels": labels.join(","),
      "read-only-port": "0",
      "resolv-conf": "/etc/resolv.conf",
      "tls-cert-file": "/var/lib/rancher/k3s/agent/serving-kubelet.crt",
      "tls-private-key-file": "/var/lib/rancher/k3s/agent/serving-kubelet.key",
    });
    expect(labels.length).toBeGreaterThan(0);
  });

  it("takes the config's value where K3s has another by default", () => {
    const agent = { ...AGENT, kubeletArgs: ["eviction-hard=memory.available<100Mi", "fail-swap-on=true"] };
    const flags = effective(kubeletFlags(agent, NETWORK));
    expect([flags.get("eviction-hard"), flags.get("fail-swap-on")]).toEqual(["memory.available<100Mi", "true"]);
  });

  it("registers with the config's taints, and without any where it has none", () => {
    const taints = [
      { key: "dedicated", value: "wasm", effect: "NoSchedule" },
      { key: "spot", effect: "NoExecute" },
    ] as const;
    expect(effective(kubeletFlags(agentOf({ taints }), NETWORK)).get("register-with-taints")).toBe(
      "dedicated=wasm:NoSchedule,spot:NoExecute",
    );
    expect(effective(kubeletFlags(AGENT, NETWORK)).has("register-with-taints")).toBe(false);
    expect(effective(kubeletFlags({ ...AGENT, nodeLabels: [] }, NETWORK)).has("node-labels")).toBe(false);
  });

  it.each([true, false])("protects the kernel's defaults when the config says %s", (protectKernelDefaults) => {
    const flags = effective(kubeletFlags(agentOf({ protectKernelDefaults }), NETWORK));
    expect(flags.get("protect-kernel-defaults") ?? "false").toBe(String(protectKernelDefaults));
  });
});

it("kube-proxy is set as K3s sets it", () => {
  expect(kubeProxyFlags(AGENT, NETWORK)).toEqual([
    "--cluster-cidr=10.50.0.0/16",
    "--conntrack-max-per-core=0",
    "--conntrack-tcp-timeout-close-wait=0s",
    "--conntrack-tcp-timeout-established=0s",
    "--healthz-bind-address=127.0.0.1",
    "--hostname-override=wasm-node",
    "--kubeconfig=/var/lib/rancher/k3s/agent/kube-proxy.kubeconfig",
    "--proxy-mode=iptables",
  ]);
});

it("kube-router enforces NetworkPolicies, and does nothing else that it can", () => {
  const flags = effective(kubeRouterFlags(AGENT, NETWORK));
  expect([...flags].filter(([name]) => name.startsWith("run-"))).toEqual([
    ["run-firewall", "true"],
    ["run-loadbalancer", "false"],
    ["run-router", "false"],
    ["run-service-proxy", "false"],
  ]);
  expect(Object.fromEntries(flags)).toMatchObject({
    "hostname-override": "wasm-node",
    kubeconfig: "/var/lib/rancher/k3s/agent/kube-router.kubeconfig",
    "service-cluster-ip-range": "10.60.0.0/16",
  });
});

describe("containerd's config", () => {
  const OPTIONS: ContainerdOptions = {
    sandboxImage: "docker.io/rancher/mirrored-pause:3.6",
    cniBinDir: "/usr/lib/cni",
    restrictOomScoreAdj: false,
  };

  /** Enough of TOML for this file: tables, each of them once, with strings, numbers and booleans. */
  function tablesOf(toml: string): Record<string, Record<string, string | number | boolean>> {
    const tables: Record<string, Record<string, string | number | boolean>> = { "": {} };
    let table = "";
    for (const line of toml.split("\n").map((text) => text.trim())) {
      const header = /^\[((?:[\w-]+|"[^"\\]+")(?:\.(?:[\w-]+|"[^"\\]+"))*)\]$/.exec(line)?.[1];
      const [, key = "", value = ""] = /^(\w+) = ("[^"\\]*"|\d+|true|false)$/.exec(line) ?? [];
      if (header !== undefined) {
        table = header.replaceAll('"', "");
        if (table in tables) throw new Error(`table ${table} is there twice`);
        tables[table] = {};
      } else if (key !== "") {
        if (key in (tables[table] ?? {})) throw new Error(`${table}.${key} is there twice`);
        (tables[table] ??= {})[key] = JSON.parse(value) as string | number | boolean;
      } else if (line !== "") throw new Error(`no TOML: ${line}`);
    }
    return tables;
  }

  const CRI = "plugins.io.containerd.grpc.v1.cri";

  it("is what K3s v1.30 writes on a host that has the shim of WasmEdge", () => {
    expect(tablesOf(containerdConfig(OPTIONS))).toMatchObject({
      "": { version: 2 },
      "plugins.io.containerd.internal.v1.opt": { path: "/var/lib/rancher/k3s/agent/containerd" },
      [CRI]: {
        stream_server_address: "127.0.0.1",
        stream_server_port: "10010",
        enable_selinux: false,
        enable_unprivileged_ports: true,
        enable_unprivileged_icmp: true,
        sandbox_image: "docker.io/rancher/mirrored-pause:3.6",
      },
      [`${CRI}.containerd`]: { snapshotter: "overlayfs", disable_snapshot_annotations: true },
      [`${CRI}.cni`]: { bin_dir: "/usr/lib/cni", conf_dir: "/var/lib/rancher/k3s/agent/etc/cni/net.d" },
      [`${CRI}.containerd.runtimes.runc`]: { runtime_type: "io.containerd.runc.v2" },
      [`${CRI}.containerd.runtimes.runc.options`]: { SystemdCgroup: false },
      [`${CRI}.containerd.runtimes.wasmedge`]: { runtime_type: "io.containerd.wasmedge.v1" },
      [`${CRI}.registry`]: { config_path: "/var/lib/rancher/k3s/agent/etc/containerd/certs.d" },
    });
  });

  it.each([true, false])("leaves OOM scores alone where the kernel wants that: %s", (restrictOomScoreAdj) => {
    const cri = tablesOf(containerdConfig({ ...OPTIONS, restrictOomScoreAdj }))[CRI];
    expect(cri?.["restrict_oom_score_adj"] ?? false).toBe(restrictOomScoreAdj);
  });

  it("mirrors every registry by the one that is given", () => {
    expect(hostsToml(registriesYaml("http://127.0.0.1:5000"))).toBe(
      '[host."http://127.0.0.1:5000/v2"]\n  capabilities = ["pull", "resolve"]\n',
    );
  });

  it("mirrors by several in their order, and by none where there is none for all registries", () => {
    expect(hostsToml('mirrors:\n  "*":\n    endpoint: ["http://a", "http://b"]\n').match(/http:\/\/./g)).toEqual([
      "http://a",
      "http://b",
    ]);
    expect(hostsToml("mirrors:\n  docker.io:\n    endpoint: [http://a]\n")).toBe("");
  });
});

describe("the pod network's config", () => {
  it("is a bridge with the node's share of addresses, and host ports", () => {
    expect(JSON.parse(cniConfig("10.50.0.0/24"))).toEqual({
      name: "cbr0",
      cniVersion: "1.0.0",
      plugins: [
        {
          type: "bridge",
          bridge: "cni0",
          isDefaultGateway: true,
          hairpinMode: true,
          forceAddress: true,
          ipam: { type: "host-local", ranges: [[{ subnet: "10.50.0.0/24" }]] },
        },
        { type: "portmap", capabilities: { portMappings: true } },
      ],
    });
  });
});
