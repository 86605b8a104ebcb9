import { describe, expect, it } from "vitest";
import { triggerMetrics } from "../../../../components/autoscaling/names";
import { WasmFunction, type WasmFunctionArgs } from "../../../../components/functions/wasm-function";
import { parseConfig, type FunctionConfig } from "../../../../infra/config";
import { withFunction } from "../../infra/support";
import { find, names, register, RESOURCE_VERSION, secret, valueOf } from "../../../support/mocks";

const SELECTOR = {
  "app.kubernetes.io/name": "checkout",
  "app.kubernetes.io/component": "function",
  "app.kubernetes.io/part-of": "wasm-functions",
};
const LABELS = {
  ...SELECTOR,
  "app.kubernetes.io/managed-by": "pulumi",
  "app.kubernetes.io/version": "1.4.2",
  environment: "test",
  "wasm-functions.dev/tenant": "shop",
};
const metadata = (name: string) => ({ name, namespace: "shop", labels: LABELS });

const DATABASE = { addresses: ["198.51.100.10/32", "198.51.100.11/32"], port: 6432 };
const URL = "postgres://shop:geheim@198.51.100.10:6432/shop";

function functionConfig(overrides: object = {}): FunctionConfig {
  return parseConfig({
    cluster: { kind: "existing", kubeconfig: "kubeconfig" },
    functions: [{ name: "checkout", image: "registry.example.com/shop/checkout:1.4.2", ...overrides }],
  }).functions[0]!;
}

function create(overrides: object = {}, args: Partial<WasmFunctionArgs> = {}) {
  return register(
    () =>
      new WasmFunction("checkout", {
        fn: functionConfig(overrides),
        environment: "test",
        namespace: "shop",
        serviceAccountName: "functions",
        runtimeClassName: "wasmedge",
        priorityClassName: "wasm-function",
        gateway: { namespace: "gateway", name: "traefik" },
        lostNodeToleration: { notReady: 10, unreachable: 20 },
        secondsToMax: 126,
        ...args,
      }),
  );
}

const BUFFER_LABELS = {
  ...LABELS,
  "app.kubernetes.io/name": "checkout-buffer",
  "app.kubernetes.io/component": "buffer",
};

type Created = Awaited<ReturnType<typeof create>>;

const DEPLOYMENT = ["kubernetes:apps/v1:Deployment", "checkout"] as const;

function podTemplate({ resources }: Created) {
  const { spec } = find(resources, ...DEPLOYMENT).inputs as { spec: { template: PodTemplate } };
  return spec.template;
}

interface PodTemplate {
  metadata: { annotations: Record<string, string> };
  spec: { containers: [{ volumeMounts: unknown }]; volumes: unknown; imagePullSecrets?: unknown };
}

function configMap({ resources }: Created) {
  const found = resources.filter((resource) => resource.type === "kubernetes:core/v1:ConfigMap");
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe("WasmFunction", () => {
  it("is a Deployment with config, Service, autoscaler, disruption budget and a way in", async () => {
    const created = await create();
    expect(names(created.resources)).toEqual([
      "kubernetes:apps/v1:Deployment checkout",
      "kubernetes:autoscaling/v2:HorizontalPodAutoscaler checkout-hpa",
      `kubernetes:core/v1:ConfigMap ${configMap(created).name}`,
      "kubernetes:core/v1:Service checkout",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy checkout-from-gateway",
      "kubernetes:policy/v1:PodDisruptionBudget checkout",
      "wasm-functions:functions:WasmFunction checkout",
    ]);
    const { result } = created;
    expect({
      namespace: await valueOf(result.namespace),
      serviceName: await valueOf(result.serviceName),
      url: await valueOf(result.url),
      deploymentName: await valueOf(result.deploymentName),
      autoscalerName: await valueOf(result.autoscalerName),
      image: await valueOf(result.image),
    }).toEqual({
      namespace: "shop",
      serviceName: "checkout",
      url: "http://checkout.shop.svc.cluster.local",
      deploymentName: "checkout",
      autoscalerName: "checkout-hpa",
      image: "registry.example.com/shop/checkout:1.4.2",
    });
  });

  it("runs restricted pods that drain by HTTP, tolerate a lost node briefly and spread over agents", async () => {
    const created = await create();
    expect(find(created.resources, ...DEPLOYMENT).inputs).toEqual({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: metadata("checkout"),
      spec: {
        replicas: 100,
        selector: { matchLabels: SELECTOR },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: 0 } },
        progressDeadlineSeconds: 300,
        revisionHistoryLimit: 5,
        template: {
          metadata: { labels: LABELS, annotations: {} },
          spec: {
            runtimeClassName: "wasmedge",
            priorityClassName: "wasm-function",
            serviceAccountName: "functions",
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 40,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 65532,
              runAsGroup: 65532,
              fsGroup: 65532,
              seccompProfile: { type: "RuntimeDefault" },
            },
            tolerations: [
              { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 10 },
              { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 20 },
            ],
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: "kubernetes.io/hostname",
                whenUnsatisfiable: "ScheduleAnyway",
                labelSelector: { matchLabels: SELECTOR },
                matchLabelKeys: ["pod-template-hash"],
              },
            ],
            containers: [
              {
                name: "function",
                image: "registry.example.com/shop/checkout:1.4.2",
                imagePullPolicy: "IfNotPresent",
                ports: [
                  { name: "http", containerPort: 8080, protocol: "TCP" },
                  { name: "drain", containerPort: 8081, protocol: "TCP" },
                ],
                startupProbe: {
                  httpGet: { path: "/healthz", port: "http" },
                  periodSeconds: 1,
                  timeoutSeconds: 2,
                  failureThreshold: 60,
                },
                livenessProbe: {
                  httpGet: { path: "/healthz", port: "http" },
                  periodSeconds: 10,
                  timeoutSeconds: 5,
                  failureThreshold: 3,
                },
                readinessProbe: {
                  httpGet: { path: "/readyz", port: "http" },
                  periodSeconds: 3,
                  timeoutSeconds: 2,
                  failureThreshold: 2,
                },
                lifecycle: { preStop: { httpGet: { path: "/drain", port: "drain" } } },
                resources: {
                  requests: { cpu: "10m", memory: "32Mi", "ephemeral-storage": "8Mi" },
                  limits: { cpu: "100m", memory: "64Mi", "ephemeral-storage": "16Mi" },
                },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  capabilities: { drop: ["ALL"] },
                  privileged: false,
                  readOnlyRootFilesystem: true,
                  runAsNonRoot: true,
                },
                volumeMounts: [{ name: "config", mountPath: "/etc/wasm-function", readOnly: true }],
              },
            ],
            volumes: [
              {
                name: "config",
                configMap: { name: configMap(created).name, items: [{ key: "config.yaml", path: "config.yaml" }] },
              },
            ],
          },
        },
      },
    });
  });

  it("leaves the replica count to the autoscaler after the first creation, and gives a rollout its time", async () => {
    const { resources } = await create({}, { secondsToMax: 126.4 });
    expect(find(resources, ...DEPLOYMENT).options).toEqual({
      ignoreChanges: ["spec.replicas"],
      customTimeouts: { create: "680s", update: "680s", delete: "600s" },
    });
  });

  it("never gives a rollout less than the API takes to call it failed", async () => {
    const { resources } = await create({}, { secondsToMax: 1 });
    expect(find(resources, ...DEPLOYMENT).options.customTimeouts?.update).toBe("600s");
  });

  it("gives a pod time to be forgotten and to finish its longest request", async () => {
    const created = await create({ requestTimeout: "10s", drain: { propagation: "2500ms" } });
    expect(podTemplate(created).spec).toMatchObject({ terminationGracePeriodSeconds: 18 });
  });

  it("is configured by an immutable file, named by its content", async () => {
    const created = await create();
    const { name, inputs } = configMap(created);
    expect(name).toMatch(/^checkout-config-[0-9a-f]{10}$/);
    expect(inputs).toEqual({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: metadata(name),
      immutable: true,
      data: {
        "config.yaml": [
          "server:",
          "  port: 8080",
          '  host: "0.0.0.0"',
          '  timeout: "30s"',
          "function:",
          "  max_concurrent_requests: 1000",
          '  request_timeout: "30s"',
          "rate_limit:",
          "  requests_per_second: 100",
          "  burst_size: 200",
          "health:",
          '  liveness_path: "/healthz"',
          '  readiness_path: "/readyz"',
          "drain:",
          '  path: "/drain"',
          "  port: 8081",
          '  propagation: "5s"',
          "",
        ].join("\n"),
      },
    });
  });

  it("rolls the pods when its config changes, and not when the autoscaler's does", async () => {
    const before = configMap(await create());
    const reconfigured = configMap(await create({ maxConcurrentRequests: 500 }));
    const rescaled = configMap(await create({ scaling: { max: 200 } }));
    expect(reconfigured.name).not.toBe(before.name);
    expect(rescaled.name).toBe(before.name);
  });

  it("has a name for its pods' own addresses where the gateway goes by DNS", async () => {
    const { resources } = await create({}, { headless: true });
    expect(find(resources, "kubernetes:core/v1:Service", "checkout-pods").inputs).toEqual({
      apiVersion: "v1",
      kind: "Service",
      metadata: { ...metadata("checkout-pods"), annotations: { "pulumi.com/skipAwait": "true" } },
      spec: {
        type: "ClusterIP",
        clusterIP: "None",
        selector: SELECTOR,
        ports: [{ name: "http", protocol: "TCP", port: 8080, targetPort: "http" }],
      },
    });
  });

  it("publishes its http port alone, and waits for the Deployment instead of the Service", async () => {
    const { resources } = await create();
    expect(find(resources, "kubernetes:core/v1:Service", "checkout").inputs).toEqual({
      apiVersion: "v1",
      kind: "Service",
      metadata: { ...metadata("checkout"), annotations: { "pulumi.com/skipAwait": "true" } },
      spec: {
        type: "ClusterIP",
        selector: SELECTOR,
        ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: "http" }],
      },
    });
    expect(JSON.stringify(find(resources, ...DEPLOYMENT).inputs)).not.toContain("skipAwait");
  });

  it("scales on CPU, up and down by whichever policy allows more", async () => {
    const { resources } = await create();
    expect(find(resources, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "checkout-hpa").inputs).toEqual({
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: metadata("checkout-hpa"),
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "checkout" },
        minReplicas: 10,
        maxReplicas: 5000,
        metrics: [
          { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } } },
        ],
        behavior: {
          scaleUp: {
            stabilizationWindowSeconds: 0,
            selectPolicy: "Max",
            policies: [
              { type: "Percent", value: 900, periodSeconds: 15 },
              { type: "Pods", value: 1000, periodSeconds: 15 },
            ],
          },
          scaleDown: {
            stabilizationWindowSeconds: 120,
            selectPolicy: "Max",
            policies: [
              { type: "Percent", value: 10, periodSeconds: 15 },
              { type: "Pods", value: 1, periodSeconds: 15 },
            ],
          },
        },
      },
    });
  });

  it("gives way to a node drain, and to the eviction of broken pods", async () => {
    const { resources } = await create({ disruption: { maxUnavailable: 3 } });
    expect(find(resources, "kubernetes:policy/v1:PodDisruptionBudget", "checkout").inputs).toEqual({
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: metadata("checkout"),
      spec: { maxUnavailable: 3, unhealthyPodEvictionPolicy: "AlwaysAllow", selector: { matchLabels: SELECTOR } },
    });
  });

  it("is reached from the gateway's pods alone, on its http port", async () => {
    const { resources } = await create({ server: { port: 9090 } });
    expect(find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "checkout-from-gateway").inputs).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: metadata("checkout-from-gateway"),
      spec: {
        podSelector: { matchLabels: SELECTOR },
        policyTypes: ["Ingress"],
        ingress: [
          {
            from: [
              {
                namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "gateway" } },
                podSelector: { matchLabels: { "app.kubernetes.io/name": "traefik" } },
              },
            ],
            ports: [{ protocol: "TCP", port: 9090 }],
          },
        ],
      },
    });
  });

  it("pulls its image with the tenant's secret, where there is one", async () => {
    const created = await create({}, { pullSecretName: "registry-pull" });
    expect(podTemplate(created).spec.imagePullSecrets).toEqual([{ name: "registry-pull" }]);
  });

  it("carries the start of the digest as version of an image without tag", async () => {
    const digest = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    const { resources } = await create({ image: `registry.example.com/shop/checkout@sha256:${digest}` });
    expect(find(resources, "kubernetes:core/v1:Service", "checkout").inputs["metadata"]).toMatchObject({
      labels: { "app.kubernetes.io/version": "5f70bf18a086" },
    });
  });
});

describe("WasmFunction with a database", () => {
  it("reaches its addresses and nothing else", async () => {
    const { resources } = await create({ database: DATABASE });
    expect(find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "checkout-to-database").inputs).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: metadata("checkout-to-database"),
      spec: {
        podSelector: { matchLabels: SELECTOR },
        policyTypes: ["Egress"],
        egress: [
          {
            to: [{ ipBlock: { cidr: "198.51.100.10/32" } }, { ipBlock: { cidr: "198.51.100.11/32" } }],
            ports: [{ protocol: "TCP", port: 6432 }],
          },
        ],
      },
    });
  });

  it("gets the connection as a file from a secret, whose rotation rolls the pods", async () => {
    const created = await create({ database: DATABASE }, { databaseUrl: URL });
    expect(find(created.resources, "kubernetes:core/v1:Secret", "checkout-database").inputs).toEqual({
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata("checkout-database"),
      type: "Opaque",
      stringData: secret({ url: URL }),
    });
    const template = podTemplate(created);
    expect(template.metadata.annotations).toEqual({ "wasm-functions.dev/database-secret-version": RESOURCE_VERSION });
    expect(template.spec.containers[0].volumeMounts).toEqual([
      { name: "config", mountPath: "/etc/wasm-function", readOnly: true },
      { name: "database", mountPath: "/run/secrets/database", readOnly: true },
    ]);
    expect(template.spec.volumes).toContainEqual({
      name: "database",
      secret: { secretName: "checkout-database", items: [{ key: "url", path: "url" }], defaultMode: 0o440 },
    });
    expect(configMap(created).inputs["data"]).toEqual({
      "config.yaml": expect.stringContaining('database:\n  url_file: "/run/secrets/database/url"\n') as string,
    });
  });

  it("tells the connection to no object but the secret", async () => {
    const { resources } = await create({ database: DATABASE }, { databaseUrl: URL });
    const others = resources.filter((resource) => resource.type !== "kubernetes:core/v1:Secret");
    expect(JSON.stringify(others)).not.toContain("geheim");
  });

  it("mounts a secret that someone else makes, and makes none", async () => {
    const created = await create({ database: { ...DATABASE, secretName: "vault-checkout" } });
    expect(created.resources.filter((resource) => resource.type === "kubernetes:core/v1:Secret")).toEqual([]);
    expect(podTemplate(created).spec.volumes).toContainEqual({
      name: "database",
      secret: { secretName: "vault-checkout", items: [{ key: "url", path: "url" }], defaultMode: 0o440 },
    });
    expect(podTemplate(created).metadata.annotations).toEqual({});
  });
});

describe("pods that keep room for a function's", () => {
  const create5 = () =>
    create(
      { scaling: { buffer: 5 }, database: DATABASE },
      { bufferPriorityClassName: "wasm-buffer", databaseUrl: URL },
    );

  it("are its own once more, of lower priority, which nobody waits for, and which leave at once", async () => {
    const { resources } = await create5();
    const { metadata: own, spec } = find(resources, "kubernetes:apps/v1:Deployment", "checkout-buffer").inputs as {
      metadata: object;
      spec: { template: { spec: object }; selector: object };
    };
    expect(own).toEqual({
      ...{ name: "checkout-buffer", namespace: "shop", labels: BUFFER_LABELS },
      annotations: { "pulumi.com/skipAwait": "true" },
    });
    expect(spec).toMatchObject({
      replicas: 5,
      strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "100%" } },
      template: { metadata: { labels: BUFFER_LABELS } },
    });
    const different = { terminationGracePeriodSeconds: 0, priorityClassName: "wasm-buffer" };
    const { topologySpreadConstraints, ...rest } = spec.template.spec as Record<string, unknown>;
    expect(topologySpreadConstraints).toMatchObject([{ labelSelector: spec.selector }]);
    const { spec: pods } = find(resources, ...DEPLOYMENT).inputs as { spec: { template: { spec: object } } };
    expect(rest).toEqual({ ...omit(pods.template.spec, "topologySpreadConstraints"), ...different });
  });

  it("are behind no Service, counted by no budget and no autoscaler, and reach no database", async () => {
    const { resources } = await create5();
    const selectors = resources.flatMap(({ inputs }) => {
      const spec = (inputs["spec"] ?? {}) as Record<string, { matchLabels?: object } | undefined>;
      const selector = spec["selector"] ?? spec["podSelector"];
      return selector === undefined ? [] : [selector.matchLabels ?? selector];
    });
    const has = (selector: object) =>
      Object.entries(selector).every(([key, value]) => BUFFER_LABELS[key as keyof typeof BUFFER_LABELS] === value);
    // Of two Deployments, a Service, a budget and two policies it is their own Deployment's alone.
    expect([selectors.filter(has).length, selectors.length]).toEqual([1, 6]);
  });

  it("are none unless asked for", async () => {
    const { resources } = await create();
    expect(names(resources).filter((name) => name.includes("buffer"))).toEqual([]);
  });
});

describe("a function that is scaled by its requests", () => {
  const requests = { prometheus: "http://prometheus.example.com:9090", query: "sum(requests)" };
  const scaling = { metric: "rps", min: 0, max: 400, activation: 0.5, cooldown: "2m", requestsPerPod: 12.5 };
  const objectives = { availability: "99.9%" };

  it("has a ScaledObject in place of its autoscaler, which KEDA makes under a name of its own", async () => {
    const { resources, result } = await create({ objectives, scaling }, { requests });
    expect(names(resources).filter((name) => name.includes("autoscaling"))).toEqual([]);
    expect(await valueOf(result.autoscalerName)).toBe("checkout-rps-hpa");
    const rules = (percent: number, pods: number, stabilizationWindowSeconds: number) => ({
      stabilizationWindowSeconds,
      selectPolicy: "Max",
      policies: [
        { type: "Percent", value: percent, periodSeconds: 15 },
        { type: "Pods", value: pods, periodSeconds: 15 },
      ],
    });
    const scaled = find(resources, "kubernetes:keda.sh/v1alpha1:ScaledObject", "checkout-scaled-object");
    expect(scaled.inputs).toEqual({
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: metadata("checkout"),
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "checkout" },
        minReplicaCount: 0,
        maxReplicaCount: 400,
        pollingInterval: 15,
        cooldownPeriod: 120,
        advanced: {
          horizontalPodAutoscalerConfig: {
            name: "checkout-rps-hpa",
            behavior: { scaleUp: rules(900, 1000, 0), scaleDown: rules(10, 1, 120) },
          },
        },
        triggers: [
          {
            type: "prometheus",
            metricType: "AverageValue",
            metadata: {
              serverAddress: "http://prometheus.example.com:9090",
              query: "sum(requests)",
              threshold: "12.5",
              activationThreshold: "0.5",
              ignoreNullValues: "false",
            },
          },
        ],
      },
    });
  });

  it("has what is to be there before a known sale asked for beside the requests", async () => {
    const sale = { start: "45 7 * * FRI", end: "0 12 * * FRI", timezone: "Europe/Berlin", replicas: 4000 };
    const { resources } = await create({ scaling: { metric: "rps", prewarm: [sale] } }, { requests });
    const scaled = find(resources, "kubernetes:keda.sh/v1alpha1:ScaledObject", "checkout-scaled-object");
    expect((scaled.inputs["spec"] as { triggers: object[] }).triggers[1]).toEqual({
      type: "cron",
      metadata: { timezone: "Europe/Berlin", start: sale.start, end: sale.end, desiredReplicas: "4000" },
    });
    const { scaling } = parseConfig(withFunction({ scaling: { metric: "rps", prewarm: [sale] } })).functions[0]!;
    expect(triggerMetrics(scaling)).toEqual(["s0-prometheus", "s1-cron-Europe-Berlin-457xxFRI-012xxFRI"]);
  });
});

function omit(object: object, key: string): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

// What it has registered by then comes to whoever is next: so these are the last.
describe("a function is not made", () => {
  it("where nobody counts the requests that it is scaled by", async () => {
    await expect(create({ scaling: { metric: "rps" } })).rejects.toThrow(
      "checkout is scaled by requests, and nobody counts them",
    );
  });

  it("where pods that keep room for it have no priority", async () => {
    await expect(create({ scaling: { buffer: 5 } })).rejects.toThrow(
      "checkout has buffer pods, and they have no priority",
    );
  });
});
