import { createHash } from "node:crypto";
import { join } from "node:path";
import { stringify } from "yaml";
import { k3sAgentConfig, k3sServerConfig } from "../../components/cluster/k3s-config";
import { GATEKEEPER } from "../../components/admission/names";
import { addressAt } from "../../infra/addresses";
import type { StackConfig } from "../../infra/config";
import { ProblemsError } from "../../infra/problems";
import {
  componentKubeconfig,
  controlPlaneStatus,
  pkiFolder,
  startControlPlane,
  stopControlPlane,
} from "../control-plane/control-plane";
import { asksGatekeeper } from "../control-plane/gatekeeper";
import { apply, applyOnceAdmitted, type Kubectl } from "../control-plane/kubectl";
import type { NodesSide } from "../control-plane/kwokctl-config";
import type { EmbeddedCluster, EmbeddedOptions } from "../embedded";
import { assembleImage, type ReadyImage } from "../images/assemble";
import { functionImage, FUNCTIONS_REGISTRY } from "../images/function";
import { IMAGES, imagesOf } from "../images/table";
import type { Paths } from "../paths";
import { TOOL_GROUPS } from "../tools/catalog";
import type { ToolsOptions } from "../tools/session";
import { addOns } from "./add-ons";
import { readAuthority } from "./credentials";
import { parseClusterNetwork } from "./k3s-agent";
import { runningMachine } from "./machine";
import { planLink } from "./network";
import { connectPods, nodeStatus, pushImages, startNode, stopNode } from "./node";
import { assertMachine } from "./preflight";
import { ensureRootFs } from "./root-fs";
import { ensureShim } from "./shim";

/** The node's name in the cluster, and its host name. */
const NODE_NAME = "wasm-node";

/** Until Gatekeeper's pod answers again on a node that is ready: its container starts, and reads every policy. */
const GATEKEEPER_SECONDS = 90;

/** What the node's folder and group are called. */
export function nodePlaces(paths: Paths): { folder: string; cgroup: string } {
  const id = createHash("sha256").update(paths.state).digest("hex").slice(0, 10);
  return { folder: join(paths.state, "node"), cgroup: `wasm-functions-${id}` };
}

/** A control plane with one real node on this machine, in namespaces of its own: functions run. */
export function realNode({ paths, config, plan, progress, signal }: EmbeddedOptions): EmbeddedCluster {
  const { podCidr, serviceCidr } = config.cluster.network;
  const { folder, cgroup } = nodePlaces(paths);
  const pki = pkiFolder(paths);
  const link = planLink(folder, [podCidr.text]);
  const options: ToolsOptions = { paths, progress, signal };
  let parts: Promise<Parts> | undefined;
  // The kernel's settings are this machine's own: what of them is not the namespace's is left as it is.
  const protectKernelDefaults = false;
  const agent = { name: NODE_NAME, address: link.node, protectKernelDefaults };
  const serverConfig = stringify(k3sServerConfig(config, plan, { name: "embedded", address: link.host }));
  const network = parseClusterNetwork(serverConfig);
  const delegated = delegatedFlags(componentKubeconfig(paths));
  const nodes: NodesSide = {
    kwok: undefined,
    processes: [],
    // The second is the address of the Service `kubernetes`.
    certificateNames: [link.host, addressAt(serviceCidr, 1), "kubernetes.default.svc", "kubernetes.default"],
    flags: {
      "kube-apiserver": {
        "advertise-address": link.host,
        "service-cluster-ip-range": serviceCidr.text,
        // As K3s has it: aggregated APIs are asked at their pods, without a kube-proxy at the server.
        "enable-aggregator-routing": true,
        "enable-admission-plugins": "NodeRestriction",
        "kubelet-preferred-address-types": "InternalIP,Hostname",
        "kubelet-client-certificate": join(pki, "admin.crt"),
        "kubelet-client-key": join(pki, "admin.key"),
        "kubelet-certificate-authority": join(pki, "ca.crt"),
        // Whom an aggregated API may believe when it is told who asks.
        "requestheader-client-ca-file": join(pki, "ca.crt"),
        "requestheader-allowed-names": "kwok-admin",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
      },
      "kube-scheduler": delegated,
      "kube-controller-manager": {
        ...delegated,
        "allocate-node-cidrs": true,
        "cluster-cidr": network.clusterCidr,
        "service-cluster-ip-range": serviceCidr.text,
        "node-cidr-mask-size": plan.topology.nodeCidrMaskSize,
      },
    },
  };

  return {
    tools: [...TOOL_GROUPS.local, ...TOOL_GROUPS.node],
    async check() {
      assertOneAgent(plan.topology.agents);
      // What runs already has passed, and holds the very routes that would be in its way.
      if (runningMachine(folder) === undefined) await assertMachine(config, link, paths);
    },
    async prepare() {
      await makeParts();
    },
    async start(onStep) {
      const { rootFs, shim, images } = await makeParts();
      const plane = await startControlPlane({ paths, config, plan, nodes, daemons: () => Promise.resolve([]), onStep });
      const server = `https://${link.host}:${plane.ports.kubeApiserver}`;
      const added = addOns(
        { coredns: IMAGES.coredns.reference, metricsServer: IMAGES.metricsServer.reference },
        network,
      );
      // Roles and bindings are asked about. A Gatekeeper that was there before can answer only once the node has its pods
      // up again, for which what is stored of these objects will do.
      const guarded = await asksGatekeeper(plane.kubectl);
      if (!guarded) await apply(plane.kubectl, added);
      onStep("starting the node");
      const machine = await startNode({
        folder,
        cgroup,
        link,
        rootFs,
        programs: ["kubelet", "kube-proxy", "kube-router"].map((name) => join(paths.bin, name)),
        shim,
        serverConfig,
        agentConfig: stringify(k3sAgentConfig(config, plan, { ...agent, server })),
        authority: readAuthority(pki),
        ports: plane.ports,
        sandboxImage: IMAGES.pause.reference,
      });
      onStep("putting images into the node's registry");
      await pushImages(machine, folder, images);
      onStep("waiting for the node");
      await connectPods(plane.kubectl, folder, NODE_NAME);
      await waitForNode(plane.kubectl);
      if (guarded) {
        onStep("waiting for Gatekeeper");
        await waitForGatekeeperPods(plane.kubectl);
        await applyOnceAdmitted(plane.kubectl, added, 30);
      }
      await waitForAddOns(plane.kubectl);
      onStep("one real node is ready; its shim was built here, of runwasi's library and WasmEdge 0.14.1");
    },
    async stop() {
      await stopNode(folder, cgroup);
      await stopControlPlane(paths);
    },
    status: () => [...controlPlaneStatus(paths, nodes), ...nodeStatus(folder)],
    address: link.node,
  };

  /** What the node is made of, made or found in the cache once for each command. */
  function makeParts(): Promise<Parts> {
    return (parts ??= partsOf(config, options));
  }
}

/**
 * Whoever asks the scheduler or the controller-manager is known by a token or certificate that the API server knows, and
 * may what its roles let it. kwokctl lets everybody read `/metrics`, which would do on loopback; pods reach these.
 */
export function delegatedFlags(kubeconfigFile: string): Readonly<Record<string, string>> {
  return {
    "authentication-kubeconfig": kubeconfigFile,
    "authorization-kubeconfig": kubeconfigFile,
    "authorization-always-allow-paths": "/healthz,/readyz,/livez",
  };
}

interface Parts {
  readonly rootFs: string;
  readonly shim: string;
  readonly images: readonly ReadyImage[];
}

async function partsOf(config: StackConfig, options: ToolsOptions): Promise<Parts> {
  const rootFs = await ensureRootFs("node", options);
  const shim = await ensureShim(options);
  const images: ReadyImage[] = [];
  for (const image of imagesOf(config)) images.push(await assembleImage(image, options));
  for (const fn of config.functions) {
    if (fn.image.registry === FUNCTIONS_REGISTRY) images.push(await functionImage(fn.image, options));
  }
  return { rootFs, shim, images };
}

function assertOneAgent(agents: number): void {
  if (agents === 1) return;
  throw new ProblemsError("A real node cannot run on this machine", [
    { path: "cluster.agents", value: String(agents), limit: "one real node runs on this machine", fix: "set 1" },
  ]);
}

async function waitForNode(kubectl: Kubectl): Promise<void> {
  await kubectl(["wait", "--for=condition=Ready", `node/${NODE_NAME}`, "--timeout=60s"], { timeout: 70_000 });
}

/** One that does not come back is told of by what it refuses; where it fails open, each object only waits for its timeout. */
async function waitForGatekeeperPods(kubectl: Kubectl): Promise<void> {
  const pods = ["wait", "-n", GATEKEEPER.namespace, "--for=condition=Available", `deployment/${GATEKEEPER.webhook}`];
  const timeout = GATEKEEPER_SECONDS;
  await kubectl([...pods, `--timeout=${timeout}s`], { timeout: (timeout + 10) * 1000 }).catch(() => undefined);
}

/** An `up` that comes before their pods would only wait for them at another place. */
async function waitForAddOns(kubectl: Kubectl): Promise<void> {
  const deployments = ["deployment/coredns", "deployment/metrics-server"];
  try {
    await kubectl(["-n", "kube-system", "wait", "--for=condition=Available", ...deployments, "--timeout=90s"], {
      timeout: 100_000,
    });
  } catch (error) {
    // That it took too long does not say why.
    const pods = await kubectl(["-n", "kube-system", "get", "pods"]).catch(() => "");
    if (error instanceof Error) error.message += `\n${pods.trim()}`;
    throw error;
  }
}
