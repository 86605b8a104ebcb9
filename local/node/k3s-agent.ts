import { parse } from "yaml";

/** Where K3s keeps an agent's files, and so where they are in the node. */
export const K3S = {
  configDir: "/etc/rancher/k3s",
  agentDir: "/var/lib/rancher/k3s/agent",
  containerdSocket: "/run/k3s/containerd/containerd.sock",
  /** The agent's own name for the cluster's image registry mirrors. */
  certsDir: "/var/lib/rancher/k3s/agent/etc/containerd/certs.d",
} as const;

/** What a K3s `config.yaml` says of an agent; the keys are K3s's own flags. */
export interface AgentConfig {
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly server: string;
  readonly nodeLabels: readonly string[];
  readonly nodeTaints: readonly string[];
  readonly protectKernelDefaults: boolean;
  readonly kubeletArgs: readonly string[];
}

/** What an agent is told by its server when it joins, as the server's `config.yaml` has it. */
export interface ClusterNetwork {
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly clusterDns: string;
}

type Document = Readonly<Record<string, unknown>>;

export function parseAgentConfig(yaml: string): AgentConfig {
  const config = parse(yaml) as Document;
  return {
    nodeName: text(config, "node-name"),
    nodeIp: text(config, "node-ip"),
    server: text(config, "server"),
    nodeLabels: list(config, "node-label"),
    nodeTaints: list(config, "node-taint"),
    protectKernelDefaults: config["protect-kernel-defaults"] === true,
    kubeletArgs: list(config, "kubelet-arg"),
  };
}

export function parseClusterNetwork(yaml: string): ClusterNetwork {
  const config = parse(yaml) as Document;
  return {
    clusterCidr: text(config, "cluster-cidr"),
    serviceCidr: text(config, "service-cidr"),
    clusterDns: text(config, "cluster-dns"),
  };
}

/** The kubelet's flags as K3s sets them, then those of the config, which win. */
export function kubeletFlags(agent: AgentConfig, network: ClusterNetwork): string[] {
  const pki = K3S.agentDir;
  return [
    "anonymous-auth=false",
    "authentication-token-webhook=true",
    "authorization-mode=Webhook",
    "cgroup-driver=cgroupfs",
    `client-ca-file=${pki}/ca.crt`,
    `cluster-dns=${network.clusterDns}`,
    "cluster-domain=cluster.local",
    `container-runtime-endpoint=unix://${K3S.containerdSocket}`,
    // By it the kubelet's cAdvisor finds what each container uses: the shim itself does not tell CPU under cgroup v1.
    `containerd=${K3S.containerdSocket}`,
    "eviction-hard=imagefs.available<5%,nodefs.available<5%",
    "eviction-minimum-reclaim=imagefs.available=10%,nodefs.available=10%",
    "fail-swap-on=false",
    "healthz-bind-address=127.0.0.1",
    `hostname-override=${agent.nodeName}`,
    `kubeconfig=${pki}/kubelet.kubeconfig`,
    `node-ip=${agent.nodeIp}`,
    ...(agent.nodeLabels.length > 0 ? [`node-labels=${agent.nodeLabels.join(",")}`] : []),
    ...(agent.protectKernelDefaults ? ["protect-kernel-defaults=true"] : []),
    "read-only-port=0",
    ...(agent.nodeTaints.length > 0 ? [`register-with-taints=${agent.nodeTaints.join(",")}`] : []),
    "resolv-conf=/etc/resolv.conf",
    `tls-cert-file=${pki}/serving-kubelet.crt`,
    `tls-private-key-file=${pki}/serving-kubelet.key`,
    ...agent.kubeletArgs,
  ].map((flag) => `--${flag}`);
}

/** kube-proxy's flags as K3s sets them: the machine's own connection limits stay as they are. */
export function kubeProxyFlags(agent: AgentConfig, network: ClusterNetwork): string[] {
  return [
    `cluster-cidr=${network.clusterCidr}`,
    "conntrack-max-per-core=0",
    "conntrack-tcp-timeout-close-wait=0s",
    "conntrack-tcp-timeout-established=0s",
    "healthz-bind-address=127.0.0.1",
    `hostname-override=${agent.nodeName}`,
    `kubeconfig=${K3S.agentDir}/kube-proxy.kubeconfig`,
    "proxy-mode=iptables",
  ].map((flag) => `--${flag}`);
}

/** kube-router as the NetworkPolicy controller alone, which is what K3s has built in. */
export function kubeRouterFlags(agent: AgentConfig, network: ClusterNetwork): string[] {
  return [
    `hostname-override=${agent.nodeName}`,
    `kubeconfig=${K3S.agentDir}/kube-router.kubeconfig`,
    "metrics-port=0",
    "run-firewall=true",
    "run-loadbalancer=false",
    "run-router=false",
    "run-service-proxy=false",
    `service-cluster-ip-range=${network.serviceCidr}`,
  ].map((flag) => `--${flag}`);
}

export interface ContainerdOptions {
  readonly sandboxImage: string;
  /** Binaries of CNI's plugins. */
  readonly cniBinDir: string;
  /** Where the kernel does not let this process lower OOM scores, containerd must not try. */
  readonly restrictOomScoreAdj: boolean;
  /**
   * Whether groups of processes are made by systemd, as K3s sets it where systemd has started it.
   * @default false
   */
  readonly systemdCgroup?: boolean;
  /**
   * Whether `containerd-shim-wasmedge-v1` was found.
   * @default true
   */
  readonly wasmedge?: boolean;
}

/** containerd's configuration as K3s v1.30 writes it. */
export function containerdConfig(options: ContainerdOptions): string {
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  const runtime = (name: string, type: string) => `
[${cri}.containerd.runtimes.${name}]
  runtime_type = "${type}"

[${cri}.containerd.runtimes.${name}.options]
  SystemdCgroup = ${options.systemdCgroup ?? false}
`;
  return `version = 2

[plugins."io.containerd.internal.v1.opt"]
  path = "${K3S.agentDir}/containerd"

[${cri}]
  stream_server_address = "127.0.0.1"
  stream_server_port = "10010"
  enable_selinux = false
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  sandbox_image = "${options.sandboxImage}"
${options.restrictOomScoreAdj ? "  restrict_oom_score_adj = true\n" : ""}
[${cri}.containerd]
  snapshotter = "overlayfs"
  disable_snapshot_annotations = true

[${cri}.cni]
  bin_dir = "${options.cniBinDir}"
  conf_dir = "${K3S.agentDir}/etc/cni/net.d"
${runtime("runc", "io.containerd.runc.v2")}${
    options.wasmedge === false ? "" : runtime('"wasmedge"', "io.containerd.wasmedge.v1")
  }
[${cri}.registry]
  config_path = "${K3S.certsDir}"
`;
}

/** `registries.yaml`, as K3s takes it: every image comes from this one registry. */
export function registriesYaml(endpoint: string): string {
  return `mirrors:\n  "*":\n    endpoint: ["${endpoint}"]\n`;
}

/** The mirror file that K3s makes of it for containerd; `_default` stands for every registry. */
export function hostsToml(registries: string): string {
  const { mirrors } = parse(registries) as { mirrors: Record<string, { endpoint: string[] }> };
  const endpoints = mirrors["*"]?.endpoint ?? [];
  return endpoints.map((url) => `[host."${url}/v2"]\n  capabilities = ["pull", "resolve"]\n`).join("\n");
}

/** The pod network that flannel sets up on a single host: a bridge, with addresses from the node's own share. */
export function cniConfig(podCidr: string): string {
  return `${JSON.stringify(
    {
      name: "cbr0",
      cniVersion: "1.0.0",
      plugins: [
        {
          type: "bridge",
          bridge: "cni0",
          isDefaultGateway: true,
          hairpinMode: true,
          forceAddress: true,
          ipam: { type: "host-local", ranges: [[{ subnet: podCidr }]] },
        },
        { type: "portmap", capabilities: { portMappings: true } },
      ],
    },
    undefined,
    2,
  )}\n`;
}

function text(config: Document, key: string): string {
  const value = config[key];
  if (typeof value === "string") return value;
  throw new Error(`K3s config.yaml: ${key} is missing`);
}

function list(config: Document, key: string): string[] {
  const value = config[key] ?? [];
  return (Array.isArray(value) ? value : [value]).map(String);
}
