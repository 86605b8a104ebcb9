import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Sized } from "../../infra/plan/types";
import { CONTAINER, probes, resources } from "../workload";
import { account, part, podFrame, type PartArgs } from "./pods";

/** `nobody` of the official image. */
const USER = 65534;
export const NODE_EXPORTER_PORT = 9100;

/** Virtual file systems, and each pod's own: thousands, of which the host's say all. */
const OTHER_MOUNTS = "^/(dev|proc|sys|run/k3s/containerd|run/containerd|var/lib/(kubelet|containerd|rancher)/.+)($|/)";
const OTHER_DEVICES = "^(veth|cali|cni|flannel|lo).*$";

/** On every node, servers too. */
const EVERYWHERE = [{ operator: "Exists" }];

export interface NodeExporterArgs extends PartArgs {
  readonly sized: Sized;
}

/**
 * node-exporter, on every node: what the host itself is at. It sees the host's processes' and network's numbers, so that it
 * is in the host's network and process namespaces, with the root file system to read: without any capability, as nobody.
 */
export class NodeExporter extends pulumi.ComponentResource {
  constructor(name: string, args: NodeExporterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:observability:NodeExporter", name, {}, opts);
    const { selector, common, metadata } = part(name, args);
    const inside = { parent: this };
    const identity = account(name, metadata(name), inside);
    new k8s.apps.v1.DaemonSet(
      name,
      {
        metadata: metadata(name),
        spec: {
          selector: { matchLabels: selector },
          updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } },
          template: {
            metadata: { labels: common },
            spec: {
              ...podFrame(USER, identity.metadata.name, args.priorityClassName),
              hostNetwork: true,
              hostPID: true,
              tolerations: EVERYWHERE,
              containers: [container(args)],
              volumes: [{ name: "root", hostPath: { path: "/", type: "Directory" } }],
            },
          },
        },
      },
      inside,
    );
    this.registerOutputs({});
  }
}

function container({ image, sized }: NodeExporterArgs): k8s.types.input.core.v1.Container {
  return {
    ...CONTAINER,
    name: "node-exporter",
    image,
    command: ["/bin/node_exporter"],
    args: [
      "--path.procfs=/host/proc",
      "--path.sysfs=/host/sys",
      "--path.rootfs=/host",
      "--path.udev.data=/host/run/udev/data",
      // Nobody writes files for it; where its folder is missing, each scrape logs an error.
      "--no-collector.textfile",
      // It would ask systemd over its socket, which the pod has not.
      "--no-collector.systemd",
      `--collector.filesystem.mount-points-exclude=${OTHER_MOUNTS}`,
      `--collector.netdev.device-exclude=${OTHER_DEVICES}`,
      `--collector.netclass.ignored-devices=${OTHER_DEVICES}`,
      // The address that the cluster knows the node by, and no other.
      `--web.listen-address=$(HOST_ADDRESS):${NODE_EXPORTER_PORT}`,
    ],
    env: [{ name: "HOST_ADDRESS", valueFrom: { fieldRef: { fieldPath: "status.hostIP" } } }],
    ports: [{ name: "metrics", containerPort: NODE_EXPORTER_PORT, hostPort: NODE_EXPORTER_PORT, protocol: "TCP" }],
    ...probes({ ready: "/", live: "/" }, "metrics"),
    resources: resources(sized),
    volumeMounts: [{ name: "root", mountPath: "/host", readOnly: true, mountPropagation: "HostToContainer" }],
  };
}
