import { describe, expect, it } from "vitest";
import { NodeExporter } from "../../../../components/observability/node-exporter";
import { names, register } from "../../../support/mocks";
import {
  containerOf,
  labelsOf,
  PART,
  RESTRICTED_CONTAINER,
  restrictedPod,
  selectorOf,
  SIZED,
  workload,
  type ContainerSpec,
} from "./support";

const NAME = "node-exporter";

async function create() {
  const { resources } = await register(
    () =>
      new NodeExporter(NAME, {
        ...PART,
        namespace: "monitoring-hosts",
        image: "quay.io/prometheus/node-exporter:v1",
        sized: SIZED,
      }),
  );
  return resources;
}

function excluded({ args }: ContainerSpec, flag: string): RegExp {
  const found = args.find((arg) => arg.startsWith(`--${flag}=`));
  if (found === undefined) throw new Error(`there is no --${flag}`);
  return new RegExp(found.slice(flag.length + 3));
}

describe("node-exporter", () => {
  it("is a DaemonSet on every node, whatever that is set aside for", async () => {
    const resources = await create();
    expect(names(resources).filter((name) => name.startsWith("kubernetes:"))).toEqual([
      "kubernetes:apps/v1:DaemonSet node-exporter",
      "kubernetes:core/v1:ServiceAccount node-exporter-account",
    ]);
    for (const { type, inputs } of resources.filter((one) => one.type.startsWith("kubernetes:"))) {
      expect(inputs["metadata"], type).toMatchObject({ namespace: "monitoring-hosts", labels: labelsOf(NAME) });
    }
    const spec = workload(resources, "DaemonSet", NAME);
    expect(spec).toMatchObject({
      selector: { matchLabels: selectorOf(NAME) },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } },
    });
    expect(spec.template.metadata.labels).toEqual(labelsOf(NAME));
    expect(spec.template.spec).toMatchObject({
      tolerations: [{ operator: "Exists" }],
      priorityClassName: "wasm-platform",
    });
  });

  it("is restricted but for what it is there for: the host's network, processes and files, of which it may write none", async () => {
    const spec = workload(await create(), "DaemonSet", NAME);
    const { hostNetwork, hostPID, hostIPC, volumes, ...others } = spec.template.spec;
    expect({ hostNetwork, hostPID, hostIPC }).toEqual({ hostNetwork: true, hostPID: true, hostIPC: undefined });
    expect(volumes).toEqual([{ name: "root", hostPath: { path: "/", type: "Directory" } }]);
    expect(others).toMatchObject({
      serviceAccountName: NAME,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: restrictedPod(65_534),
    });
    const container = containerOf(spec);
    expect(container.securityContext).toEqual(RESTRICTED_CONTAINER);
    expect(container.volumeMounts).toEqual([
      { name: "root", mountPath: "/host", readOnly: true, mountPropagation: "HostToContainer" },
    ]);
  });

  it("listens at the address that the cluster knows the node by, and at no other", async () => {
    const { args, env, ports } = containerOf(workload(await create(), "DaemonSet", NAME));
    expect(args).toContain("--web.listen-address=$(HOST_ADDRESS):9100");
    expect(env).toEqual([{ name: "HOST_ADDRESS", valueFrom: { fieldRef: { fieldPath: "status.hostIP" } } }]);
    expect(ports).toEqual([{ name: "metrics", containerPort: 9100, hostPort: 9100, protocol: "TCP" }]);
  });

  it("reads the host's files, not its own, and asks neither systemd nor a folder that nobody fills", async () => {
    const { args } = containerOf(workload(await create(), "DaemonSet", NAME));
    expect(args).toEqual(
      expect.arrayContaining([
        "--path.procfs=/host/proc",
        "--path.sysfs=/host/sys",
        "--path.rootfs=/host",
        "--no-collector.systemd",
        "--no-collector.textfile",
      ]),
    );
    expect(args.filter((arg) => arg.startsWith("--collector.textfile"))).toEqual([]);
  });

  it("tells of the host's file systems and interfaces, and of no pod's", async () => {
    const container = containerOf(workload(await create(), "DaemonSet", NAME));
    const mounts = excluded(container, "collector.filesystem.mount-points-exclude");
    for (const mount of ["/", "/var", "/var/lib/rancher", "/var/lib/kubelet", "/home", "/boot/efi"]) {
      expect(mounts.test(mount), mount).toBe(false);
    }
    const others = [
      "/proc",
      "/sys/fs/cgroup",
      "/dev/shm",
      "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/x/rootfs",
      "/var/lib/kubelet/pods/x/volumes/y",
    ];
    for (const mount of others) expect(mounts.test(mount), mount).toBe(true);
    for (const flag of ["collector.netdev.device-exclude", "collector.netclass.ignored-devices"]) {
      const devices = excluded(container, flag);
      for (const device of ["eth0", "ens3", "bond0"]) expect(devices.test(device), device).toBe(false);
      for (const device of ["veth1a2b", "cni0", "flannel.1", "lo"]) expect(devices.test(device), device).toBe(true);
    }
  });
});
