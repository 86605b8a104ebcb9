import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { k3sAgentConfig, k3sServerConfig, type K3sConfig } from "../../components/cluster/k3s-config";
import { admissionConfig, auditPolicy, K3S_FOLDER } from "../../components/cluster/k3s-files";
import { parseConfig, type StackConfig } from "../../infra/config";
import { planStack, type Plan } from "../../infra/plan";
import { ProblemsError } from "../../infra/problems";
import { ensureTools } from "../../local/tools/resolve";
import { CANNOT_RUN, hostTools } from "../support/hosts/hosts";
import { k3s, rawConfig } from "../unit/infra/support";

/** Clusters of hosts, from far too small to large. */
const clusters = fc.record({
  servers: fc.constantFrom(1, 3, 5),
  agents: fc.integer({ min: 1, max: 60 }),
  cores: fc.integer({ min: 4, max: 64 }),
  memoryGi: fc.integer({ min: 16, max: 256 }),
  max: fc.integer({ min: 1, max: 8000 }),
  clientQps: fc.integer({ min: 5, max: 1000 }),
  flannelBackend: fc.constantFrom("wireguard-native", "vxlan", "host-gw"),
});
type Cluster = typeof clusters extends fc.Arbitrary<infer T> ? T : never;

function configOf({ servers, agents, cores, memoryGi, max, clientQps, flannelBackend }: Cluster): StackConfig {
  return parseConfig(
    rawConfig({
      cluster: k3s(servers, agents, { agentShape: { cpu: cores, memory: `${memoryGi}Gi` }, flannelBackend }),
      controlPlane: { clientQps },
      functions: [
        {
          scaling: { min: Math.min(2, max), initial: Math.min(2, max), max },
          workload: { peakRequestsPerSecond: max * 20 },
        },
      ],
    }),
  );
}

/** What the program says once it has taken every flag, and lacks only what is kept from it here. */
const TAKEN = {
  "kube-apiserver": "creating storage factory: open /nonexistent",
  "kube-controller-manager": "stat /nonexistent",
  "kube-scheduler": "stat /nonexistent",
  kubelet: "invalid kubeconfig: stat /nonexistent",
} as const;
type Program = keyof typeof TAKEN;

describe.skipIf(CANNOT_RUN)("any plan that holds", () => {
  const folder = mkdtempSync(join(tmpdir(), "plans-"));
  let programs: Readonly<Record<Program, string>>;

  beforeAll(async () => {
    programs = await ensureTools(Object.keys(TAKEN) as Program[], hostTools());
    writeFileSync(join(folder, "admission.yaml"), admissionConfig());
    writeFileSync(join(folder, "audit-policy.yaml"), auditPolicy());
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileSync(join(folder, "service.key"), privateKey.export({ type: "pkcs1", format: "pem" }));
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Its flags as K3s gives them, with what it lacks here. */
  function flagsOf(program: Program, config: K3sConfig): string[] {
    const own: Readonly<Record<Program, readonly string[]>> = {
      "kube-apiserver": [
        ...["etcd-servers=https://127.0.0.1:1", "etcd-cafile=/nonexistent", "authorization-mode=Node,RBAC"],
        ...[`cert-dir=${folder}`, "service-account-issuer=https://kubernetes.default.svc"],
        ...["service-account-key-file", "service-account-signing-key-file"].map(
          (flag) => `${flag}=${join(folder, "service.key")}`,
        ),
        `service-cluster-ip-range=${String(config["service-cidr"])}`,
      ],
      "kube-controller-manager": ["kubeconfig=/nonexistent", `cluster-cidr=${String(config["cluster-cidr"])}`],
      "kube-scheduler": ["kubeconfig=/nonexistent"],
      kubelet: ["kubeconfig=/nonexistent", "container-runtime-endpoint=unix:///nonexistent"],
    };
    const key = program === "kubelet" ? "kubelet-arg" : `${program}-arg`;
    return [...own[program], ...(config[key] as readonly string[])].map((flag) =>
      `--${flag}`.replaceAll(K3S_FOLDER, folder).replace("/var/lib/rancher/k3s/server/logs", folder),
    );
  }

  function take(program: Program, config: K3sConfig): void {
    const { stderr } = spawnSync(programs[program], flagsOf(program, config), { encoding: "utf8", timeout: 60_000 });
    expect(stderr, `${program} ${flagsOf(program, config).join(" ")}`).toContain(TAKEN[program]);
  }

  it("gives every program flags that it takes, and networks and kubelets that hold its pods", () => {
    let held = 0;
    const check = (config: StackConfig, plan: Plan, { servers, agents }: Cluster) => {
      const node = { name: "node", address: "192.0.2.1", tokenFile: `${K3S_FOLDER}/token` };
      const server = k3sServerConfig(config, plan, node);
      const agent = k3sAgentConfig(config, plan, { ...node, server: "https://192.0.2.1:6443" });
      for (const program of ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"] as const)
        take(program, server);
      take("kubelet", agent);

      const value = (args: K3sConfig[string] | undefined, flag: string) => {
        const found = (args as readonly string[]).find((one) => one.startsWith(`${flag}=`));
        return Number(found?.split("=")[1]);
      };
      const maxPods = value(agent["kubelet-arg"], "max-pods");
      const mask = value(server["kube-controller-manager-arg"], "node-cidr-mask-size");
      expect(maxPods).toBe(plan.topology.maxPodsPerAgent);
      // Without the network's, the bridge's and the broadcast address.
      expect(2 ** (32 - mask) - 3).toBeGreaterThanOrEqual(maxPods);
      const prefix = Number(String(server["cluster-cidr"]).split("/")[1]);
      expect(2 ** (mask - prefix)).toBeGreaterThanOrEqual(servers + agents);
      expect(maxPods * Math.max(1, agents - 1)).toBeGreaterThanOrEqual(
        plan.capacity.pods.total - plan.capacity.pods.system,
      );
    };
    fc.assert(
      fc.property(clusters, (cluster) => {
        const config = configOf(cluster);
        let plan: Plan;
        try {
          plan = planStack(config);
        } catch (error) {
          if (error instanceof ProblemsError) return;
          throw error;
        }
        held++;
        check(config, plan, cluster);
      }),
      { numRuns: 30 },
    );
    // Nothing is said of plans that hold where none does.
    expect(held).toBeGreaterThan(5);
  });
});
