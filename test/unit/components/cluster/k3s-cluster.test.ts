import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import { K3sCluster } from "../../../../components/cluster/k3s-cluster";
import { parseConfig, SECRET_PRESENT, type K3sClusterConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import { find, register, secret, valueOf, type Registered } from "../../../support/mocks";
import { k3s, type Raw } from "../../infra/support";

const COMMAND = "command:remote:Command";
const HOST_KEY = `ssh-ed25519 ${"A".repeat(68)}`;
const BASTION = { host: "203.0.113.1", user: "jump", key: "bastion", hostKey: HOST_KEY };

/** Three servers; an agent behind a bastion, entered as a user, and one of another architecture. */
const CLUSTER = k3s(3, 0, {
  agents: [
    {
      name: "agent-0",
      host: "192.0.2.10",
      port: 2222,
      user: "deploy",
      key: "agents",
      hostKey: HOST_KEY,
      bastion: BASTION,
    },
    { name: "agent-1", host: "192.0.2.11", architecture: "arm64", hostKeyUnchecked: true },
  ],
  shim: { sha256: { amd64: "ab".repeat(32) } },
  mirrors: { "registry.example.com": ["https://mirror.example.com"] },
});

async function make(cluster: object): Promise<{ resources: readonly Registered[]; kubeconfig: string }> {
  const s3 = JSON.stringify(cluster).includes('"s3"');
  const config = parseConfig({
    cluster,
    ...(s3 && { snapshotStorage: { accessKey: SECRET_PRESENT, secretKey: SECRET_PRESENT } }),
    functions: [{ scaling: { min: 2, initial: 2, max: 20 }, workload: { peakRequestsPerSecond: 400 } }],
  });
  const key = (name: string) => pulumi.secret(`private key ${name}`);
  const sshKeys = { default: key("default"), agents: key("agents"), bastion: key("bastion") };
  const snapshotStorage = s3 ? { accessKey: key("of the bucket"), secretKey: key("to the bucket") } : {};
  const { result, resources } = await register(() =>
    valueOf(
      new K3sCluster("k3s", {
        config,
        cluster: config.cluster as K3sClusterConfig,
        plan: planStack(config),
        sshKeys,
        snapshotStorage,
      }).kubeconfig,
    ),
  );
  return { resources, kubeconfig: result };
}

describe("a K3s cluster", () => {
  let resources: readonly Registered[] = [];
  let kubeconfig = "";
  beforeAll(async () => ({ resources, kubeconfig } = await make(CLUSTER)));

  const step = (name: string) => find(resources, COMMAND, `k3s-${name}`);
  const text = (name: string, input: "create" | "delete" = "create") => String(step(name).inputs[input]);
  const commands = () => resources.filter(({ type }) => type === COMMAND);
  const after = (name: string) =>
    step(name)
      .dependencies.map((urn) => urn.split("::k3s-")[1] ?? urn)
      .sort();
  /** Everything that has to be done before it, at whatever distance. */
  const before = (name: string): Set<string> =>
    new Set(after(name).flatMap((each) => [each, ...(each.includes("token") ? [] : before(each))]));

  it("takes these steps, and no other", () => {
    const server = (name: string) => ["restore", "prepare", "k3s", "roll", "node"].map((part) => `k3s-${name}-${part}`);
    const agent = (name: string) => [...server(name), `k3s-${name}-shim`, `k3s-${name}-drain`];
    expect(
      commands()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(
      [
        ...["server-0", "server-1", "server-2"].flatMap(server),
        ...["agent-0", "agent-1"].flatMap(agent),
        "k3s-kubeconfig",
      ].sort(),
    );
  });

  it("makes servers one after the other, each ready before the next, then agents side by side", () => {
    expect(before("server-1-k3s")).toContain("server-0-node");
    expect(before("server-2-k3s")).toContain("server-1-node");
    expect([...before("server-1-k3s")].filter((name) => name.startsWith("server-2"))).toEqual([]);
    for (const agent of ["agent-0-k3s", "agent-1-k3s"]) {
      expect(before(agent)).toContain("server-2-node");
    }
    expect([...before("agent-1-k3s")].filter((name) => name.startsWith("agent-0"))).toEqual([]);
  });

  it("has the shim and the kernel's settings on an agent before K3s starts", () => {
    expect(before("agent-0-k3s")).toContain("agent-0-shim");
    expect(before("agent-0-shim")).toContain("agent-0-prepare");
    expect(before("server-0-k3s")).toContain("server-0-prepare");
  });

  it("lets nodes take their turn one at a time: ready before the next, an agent drained before", () => {
    expect(before("agent-0-roll")).toContain("agent-0-drain");
    expect(before("agent-0-drain")).toContain("agent-0-k3s");
    expect(after("agent-1-drain")).toContain("agent-0-node");
    expect(before("server-2-roll")).toContain("server-1-node");
    for (const part of ["drain", "roll", "node"]) expect(text(`agent-0-${part}`)).not.toBe(text(`agent-1-${part}`));
  });

  it("drains a node that leaves, then makes its host bare: deletions go the other way round", () => {
    expect(text("agent-0-node", "delete")).toContain("k3s kubectl drain");
    expect(before("agent-0-node")).toContain("agent-0-restore");
    // The cluster's own server is the last: others are drained from it.
    expect(before("agent-0-node")).toContain("server-0-node");
  });

  it("deletes nothing with what sets a host up: a replaced command would", () => {
    const deleting = commands().filter(({ inputs }) => inputs["delete"] !== undefined);
    expect(deleting.map(({ name }) => name.split("-").at(-1)).sort()).toEqual(
      [...Array<string>(5).fill("node"), ...Array<string>(5).fill("restore")].sort(),
    );
    expect(deleting.filter(({ name }) => !name.endsWith("-node")).map(({ inputs }) => inputs["create"])).toEqual(
      Array(5).fill("true"),
    );
    expect(commands().filter(({ inputs, options }) => "triggers" in inputs || options.deleteBeforeReplace)).toEqual([]);
  });

  it("enters a host as the config says, through its bastion, and believes no other key", () => {
    expect(step("agent-0-k3s").inputs["connection"]).toEqual(
      secret({
        host: "192.0.2.10",
        port: 2222,
        user: "deploy",
        privateKey: "private key agents",
        hostKey: HOST_KEY,
        dialErrorLimit: 10,
        perDialTimeout: 15,
        proxy: {
          host: "203.0.113.1",
          port: 22,
          user: "jump",
          privateKey: "private key bastion",
          hostKey: HOST_KEY,
          dialErrorLimit: 10,
          perDialTimeout: 15,
        },
      }),
    );
    expect(text("agent-0-k3s")).toMatch(/^sudo -n bash -c '/);
    expect(text("agent-1-k3s")).toMatch(/^bash -c '/);
  });

  it("has the tokens in standard input alone, as secrets, with the cluster's authority for whoever joins", () => {
    const [server, agent] = ["secret of k3s-server-token", "secret of k3s-agent-token"];
    const authority = "K10stdout of k3s-server-0-k3s";
    expect(step("server-0-k3s").inputs["stdin"]).toEqual(secret(`${server}\n${agent}\n\n\n`));
    expect(step("server-2-k3s").inputs["stdin"]).toEqual(secret(`${authority}::server:${server}\n${agent}\n\n\n`));
    expect(step("agent-1-k3s").inputs["stdin"]).toEqual(secret(`${authority}::node:${agent}\n`));
    const plain = JSON.stringify(resources, (key, value: unknown) => (key === "secret" ? "…" : value));
    expect(plain).not.toContain("secret of");
    expect(plain).not.toContain("private key");
  });

  it("logs nothing that hosts print", () => {
    expect(new Set(commands().map(({ inputs }) => inputs["logging"]))).toEqual(new Set(["none"]));
  });

  it("downloads what the host's architecture takes, and holds it to its sum", () => {
    expect(text("agent-0-k3s")).toContain("v1.30.4%2Bk3s1/k3s'");
    expect(text("agent-1-k3s")).toContain("v1.30.4%2Bk3s1/k3s-arm64'");
    expect(text("agent-1-k3s")).toContain("sha256sum-arm64.txt");
    expect(text("agent-0-shim")).toContain(
      "containerd-shim-wasmedge%2Fv0.6.0/containerd-shim-wasmedge-x86_64-linux-musl.tar.gz",
    );
    expect(text("agent-0-shim")).toContain(`SHA256='\\''${"ab".repeat(32)}'\\''`);
    // Of that architecture the config has none, so that the signature decides.
    expect(text("agent-1-shim")).toContain(`SHA256='\\'''\\''`);
  });

  it("gives servers what their config names, and agents the registries alone", () => {
    expect(text("server-0-k3s")).toContain("kind: AdmissionConfiguration");
    expect(text("server-0-k3s")).toContain("kind: Policy");
    expect(text("agent-0-k3s")).not.toContain("kind: AdmissionConfiguration");
    expect(text("agent-0-k3s")).toContain("https://mirror.example.com");
  });

  it("gives the kubeconfig of the first server, as a secret", () => {
    expect(kubeconfig).toBe("stdout of k3s-kubeconfig\n");
    expect(text("kubeconfig")).toBe("cat /etc/rancher/k3s/k3s.yaml");
  });
});

it("makes a cluster of one server with the same steps", async () => {
  const { resources } = await make(k3s(1, 1));
  const steps = resources.filter(({ type }) => type === COMMAND).map(({ name }) => name);
  expect(steps).toHaveLength(5 + 7 + 1);
});

it("brings K3s's own images before K3s starts, where the config wants them", async () => {
  const { resources } = await make(k3s(1, 1, { k3s: { airgapImages: true } }));
  for (const host of ["server-0", "agent-0"]) {
    const images = find(resources, COMMAND, `k3s-${host}-images`);
    expect(images.inputs["create"]).toContain("v1.30.4%2Bk3s1/k3s-airgap-images-amd64.tar.zst");
    const before = find(resources, COMMAND, `k3s-${host}-k3s`).dependencies;
    expect(before.some((urn) => urn.endsWith(`::k3s-${host}-images`))).toBe(true);
  }
});

it("has the keys of the snapshots' bucket in standard input alone", async () => {
  const { resources } = await make(k3s(1, 1, { snapshots: { s3: { bucket: "etcd-snapshots", folder: "prod" } } }));
  const { inputs } = find(resources, COMMAND, "k3s-server-0-k3s");
  expect(JSON.stringify(inputs["stdin"])).toContain("private key of the bucket\\nprivate key to the bucket");
  expect(inputs["create"]).toContain("etcd-s3-bucket: etcd-snapshots");
  expect(JSON.stringify(find(resources, COMMAND, "k3s-agent-0-k3s").inputs)).not.toContain("etcd-snapshots");
});

describe("a changed config", () => {
  const CHANGES: readonly (readonly [string, Raw, readonly string[]])[] = [
    [
      "of K3s's files restarts nodes, and drains none",
      { mirrors: { "*": ["https://mirror.example.com"] } },
      ["k3s", "roll", "node"],
    ],
    ["of K3s's version drains agents before", { version: "v1.31.1+k3s1" }, ["k3s", "drain", "roll", "node"]],
    ["of the shim's version does too", { shim: { version: "v0.6.1" } }, ["shim", "drain", "roll", "node"]],
    ["of the agents' token restarts nodes", { agentTokenGeneration: 2 }, ["roll", "node"]],
    ["of where K3s comes from drains none", { k3s: { url: "https://mirror.example.com" } }, ["k3s", "roll", "node"]],
    [
      "of the user that enters drains and restarts none",
      { agents: (k3s(1, 2)["agents"] as Raw[]).map((host) => ({ ...host, port: 23 })) },
      [],
    ],
  ];

  it.each(CHANGES)("%s", async (_, change, expected) => {
    const inputs = async (cluster: object) => {
      const { resources } = await make(cluster);
      const own = resources.filter(({ name, type }) => type === COMMAND && name.startsWith("k3s-agent-0-"));
      return new Map(own.map(({ name, inputs }) => [name.replace("k3s-agent-0-", ""), inputs["create"]]));
    };
    const [before, after] = [await inputs(k3s(1, 2)), await inputs(k3s(1, 2, change))];
    expect([...before.keys()].filter((part) => before.get(part) !== after.get(part)).sort()).toEqual(
      [...expected].sort(),
    );
  });
});

it.each([
  [1, ["agent-2"]],
  [2, ["agent-1"]],
  [4, []],
])("has %d agents away at once", async (maxUnavailable, before) => {
  const { resources } = await make(k3s(1, 4, { rollout: { maxUnavailable } }));
  const drain = find(resources, COMMAND, "k3s-agent-3-drain");
  const waitsFor = drain.dependencies.map((urn) => /::k3s-(agent-\d+)-node$/.exec(urn)?.[1]);
  expect(waitsFor.filter((name) => name !== undefined)).toEqual(before);
});
