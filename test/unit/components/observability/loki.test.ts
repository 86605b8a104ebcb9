import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Loki, type LokiArgs } from "../../../../components/observability/loki";
import { LARGEST_BATCH, LONGEST_LINE } from "../../../../components/observability/collector-config";
import { lokiConfig, type LokiConfigArgs } from "../../../../components/observability/loki-config";
import { parseConfig } from "../../../../infra/config";
import { find, names, register, RESOURCE_VERSION, secret, type Registered } from "../../../support/mocks";
import { rawConfig } from "../../infra/support";

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const SELECTOR = {
  "app.kubernetes.io/name": "loki",
  "app.kubernetes.io/component": "logs",
  "app.kubernetes.io/part-of": "wasm-functions",
};
const BUCKET = parseConfig(
  rawConfig({
    observability: {
      logs: {
        objectStorage: {
          endpoint: "http://s3.example.com:9000/store",
          bucket: "stack-logs",
          addresses: ["198.51.100.30/32"],
          port: 9000,
        },
      },
    },
    logStorage: { accessKey: "<secret>", secretKey: "<secret>" },
  }),
).observability.logs.objectStorage;
const ARGS: LokiConfigArgs = {
  retention: 7 * 86_400_000,
  logs: { linesPerSecond: 450, bytesPerDay: 86_400 * 2 * MiB },
  loki: { replicas: 1, limits: { cpu: 1000, memory: GiB } },
  peers: "loki-peers.monitoring.svc.cluster.local",
  nodes: 13,
  functions: 4,
};
const config = (more: Partial<LokiConfigArgs> = {}) => lokiConfig({ ...ARGS, ...more });
const several = { objectStorage: BUCKET, loki: { ...ARGS.loki, replicas: 3 } };

const CLIENTS = [
  { namespace: "monitoring-hosts", labels: { app: "collector" } },
  { namespace: "monitoring", labels: { app: "grafana" } },
];
function create(more: Partial<LokiArgs> = {}) {
  return register(
    () =>
      new Loki("loki", {
        ...ARGS,
        loki: {
          replicas: 1,
          requests: { cpu: 250, memory: GiB / 2 },
          limits: { cpu: 1000, memory: GiB },
          store: "filesystem",
          storage: 10 * GiB,
        },
        environment: "test",
        namespace: "monitoring",
        namespaceName: "monitoring",
        image: "docker.io/grafana/loki:3.4.2",
        storage: { kind: "persistent" },
        priorityClassName: "wasm-platform",
        clients: CLIENTS,
        ...more,
      }),
  );
}
const withBucket = (more: Partial<LokiArgs> = {}) =>
  create({
    objectStorage: BUCKET,
    loki: {
      replicas: 3,
      requests: { cpu: 250, memory: GiB / 2 },
      limits: { cpu: 1000, memory: GiB },
      store: "objectStorage",
      storage: 10 * GiB,
    },
    ...more,
  });

interface StatefulSetSpec {
  readonly replicas: number;
  readonly volumeClaimTemplates?: readonly object[];
  readonly template: {
    readonly metadata: { readonly annotations?: object };
    readonly spec: {
      readonly securityContext: object;
      readonly containers: readonly {
        readonly args: readonly string[];
        readonly env: readonly object[];
        readonly resources: { readonly limits: Readonly<Record<string, string>> };
        readonly securityContext: object;
      }[];
      readonly volumes: readonly { readonly name: string }[];
    };
  };
}
const statefulSet = (resources: readonly Registered[]) =>
  find(resources, "kubernetes:apps/v1:StatefulSet", "loki").inputs["spec"] as StatefulSetSpec;
const policy = (resources: readonly Registered[], name: string) =>
  find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", name).inputs["spec"];

describe("what Loki is told", () => {
  it("keeps lines for as long as is said", () => {
    expect(config().limits_config.retention_period).toBe("168h");
    expect(config().compactor).toEqual({ retention_enabled: true, delete_request_store: "filesystem" });
  });

  it("refuses no line for good: none is too old, and none of the collector's too long", () => {
    const { limits_config, ingester } = config();
    expect(limits_config.reject_old_samples).toBe(false);
    expect(limits_config.max_line_size).toBe(`${(2 * LONGEST_LINE) / 1024}KB`);
    expect(ingester.max_chunk_age).toBe("24h");
  });

  it("takes twenty times the load, and a request of the collector's at any rate", () => {
    expect(config().limits_config).toMatchObject({ ingestion_rate_mb: 40, per_stream_rate_limit: "40MB" });
    const quiet = config({ logs: { linesPerSecond: 1, bytesPerDay: 1000 } }).limits_config;
    expect(quiet.ingestion_rate_mb).toBe(16);
    expect(quiet.ingestion_burst_size_mb).toBeGreaterThanOrEqual(LARGEST_BATCH / MiB);
  });

  it("has room for the streams of every node", () => {
    expect(config().limits_config.max_global_streams_per_user).toBe(5000);
    expect(config({ nodes: 100, functions: 60 }).limits_config.max_global_streams_per_user).toBe(2 * 100 * (60 + 40));
  });

  it("makes labels of what has few values, and of nothing else", () => {
    expect(config().limits_config.otlp_config.resource_attributes).toEqual({
      ignore_defaults: true,
      attributes_config: [{ action: "index_label", attributes: ["node", "namespace", "component", "function"] }],
    });
    expect(config().limits_config.discover_service_name).toEqual([]);
  });

  it("is alone with a volume, and several with a bucket and copies", () => {
    expect(config().common).toMatchObject({ replication_factor: 1, ring: { kvstore: { store: "inmemory" } } });
    expect(config()).not.toHaveProperty("memberlist");
    expect(config(several).common).toMatchObject({ replication_factor: 3, ring: { kvstore: { store: "memberlist" } } });
    expect(config(several).memberlist?.join_members).toEqual(["loki-peers.monitoring.svc.cluster.local:7946"]);
    expect(config({ objectStorage: BUCKET }).common.replication_factor).toBe(1);
  });

  it("knows where the bucket is, and not what opens it", () => {
    expect(config(several).common.storage).toEqual({
      s3: {
        endpoint: "s3.example.com:9000/store",
        bucketnames: "stack-logs",
        region: "us-east-1",
        insecure: true,
        s3forcepathstyle: true,
      },
    });
    expect(config(several).ingester.wal.flush_on_shutdown).toBe(true);
  });

  it("tells nobody of itself", () => {
    expect(config().analytics).toEqual({ reporting_enabled: false });
  });
});

describe("Loki", () => {
  it("is a StatefulSet with its Services, budget and policy", async () => {
    const { resources, result } = await create();
    const map = resources.find(({ type }) => type === "kubernetes:core/v1:ConfigMap");
    expect(names(resources).filter((name) => name.startsWith("kubernetes:"))).toEqual([
      "kubernetes:apps/v1:StatefulSet loki",
      `kubernetes:core/v1:ConfigMap ${map?.name}`,
      "kubernetes:core/v1:Service loki",
      "kubernetes:core/v1:Service loki-peers",
      "kubernetes:core/v1:ServiceAccount loki-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy loki-from-clients",
      "kubernetes:policy/v1:PodDisruptionBudget loki-budget",
    ]);
    expect(map?.name).toMatch(/^loki-config-[0-9a-f]{10}$/);
    expect(parse((map?.inputs["data"] as Record<string, string>)["loki.yaml"] ?? "")).toEqual(config());
    expect(result.url).toBe("http://loki.monitoring.svc.cluster.local:3100");
    expect(result.podLabels).toEqual(SELECTOR);
  });

  it("writes to a claim of the class that is named, or of the cluster's own", async () => {
    const claim = (more: object) => ({
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], ...more, resources: { requests: { storage: "10Gi" } } },
    });
    expect(statefulSet((await create()).resources).volumeClaimTemplates).toEqual([claim({})]);
    const named = await create({ storage: { kind: "persistent", className: "fast" } });
    expect(statefulSet(named.resources).volumeClaimTemplates).toEqual([claim({ storageClassName: "fast" })]);
  });

  it("may fill the node by what it keeps, where that is gone with it", async () => {
    const spec = statefulSet((await create({ storage: { kind: "ephemeral" } })).resources);
    expect(spec).not.toHaveProperty("volumeClaimTemplates");
    expect(spec.template.spec.volumes).toContainEqual({ name: "data", emptyDir: { sizeLimit: "10Gi" } });
    expect(spec.template.spec.containers[0]?.resources.limits["ephemeral-storage"]).toBe("10304Mi");
    expect(statefulSet((await create()).resources).template.spec.containers[0]?.resources.limits).toMatchObject({
      "ephemeral-storage": "64Mi",
    });
  });

  it("is restricted", async () => {
    const { spec } = statefulSet((await create()).resources).template;
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10_001, fsGroup: 10_001 });
    expect(spec.containers[0]?.securityContext).toMatchObject({
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    });
  });

  it("is reached by its clients alone", async () => {
    expect(policy((await create()).resources, "loki-from-clients")).toEqual({
      podSelector: { matchLabels: SELECTOR },
      policyTypes: ["Ingress"],
      ingress: [
        {
          from: CLIENTS.map(({ namespace, labels }) => ({
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
            podSelector: { matchLabels: labels },
          })),
          ports: [{ protocol: "TCP", port: 3100 }],
        },
      ],
    });
  });

  it("reaches its peers and the bucket where it has them", async () => {
    const { resources } = await withBucket();
    expect(statefulSet(resources).replicas).toBe(3);
    const ports = [
      { protocol: "TCP", port: 9095 },
      { protocol: "TCP", port: 7946 },
    ];
    const peers = [{ podSelector: { matchLabels: SELECTOR } }];
    expect(policy(resources, "loki-among-peers")).toMatchObject({
      ingress: [{ from: peers, ports }],
      egress: [{ to: peers, ports }],
    });
    expect(policy(resources, "loki-to-bucket")).toMatchObject({
      policyTypes: ["Egress"],
      egress: [{ to: [{ ipBlock: { cidr: "198.51.100.30/32" } }], ports: [{ protocol: "TCP", port: 9000 }] }],
    });
  });

  it("opens the bucket by a file from a Secret, and rolls when that changes", async () => {
    const { resources } = await withBucket({ bucketKeys: { id: "AKIA", secret: "hunter2" } });
    expect(find(resources, "kubernetes:core/v1:Secret", "loki-bucket").inputs["stringData"]).toEqual(
      secret({ credentials: "[default]\naws_access_key_id = AKIA\naws_secret_access_key = hunter2\n" }),
    );
    const { template } = statefulSet(resources);
    expect(template.metadata.annotations).toEqual({ "wasm-functions.dev/bucket-secret-version": RESOURCE_VERSION });
    expect(template.spec.volumes).toContainEqual({
      name: "bucket",
      secret: { secretName: "loki-bucket", defaultMode: 0o440 },
    });
    const [container] = template.spec.containers;
    expect(container?.env).toContainEqual({
      name: "AWS_SHARED_CREDENTIALS_FILE",
      value: "/run/secrets/bucket/credentials",
    });
    expect(JSON.stringify(template)).not.toContain("hunter2");
  });

  it("waits for a Secret that someone else keeps, where it is given no keys", async () => {
    const { resources } = await withBucket();
    expect(resources.some(({ type }) => type === "kubernetes:core/v1:Secret")).toBe(false);
    expect(statefulSet(resources).template.spec.volumes).toContainEqual({
      name: "bucket",
      secret: { secretName: "loki-bucket", defaultMode: 0o440 },
    });
  });
});
