import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import { CONFIG_KEY } from "../../programs/endpoints/settings";
import { bundle } from "../bundle";
import { CREDENTIALS } from "../security";
import { CONTAINER, contentHash, probes, resources } from "../workload";
import type { ApiGatewayArgs } from "./api-gateway";
import type { GatewayPods, PodContext } from "./pods";
import type { RenderArgs } from "./render";
import { TRAEFIK_FILES, TRAEFIK_PORTS, traefikDynamic, traefikStatic } from "./traefik-config";

const ENDPOINTS_HEALTH_PORT = 9101;
const ROUTES = "gateway-routes";

/**
 * Traefik, configured by files alone. Its static configuration is a ConfigMap named by its content, so that a change
 * rolls the pods; the dynamic one keeps its name and is taken over while Traefik runs. A helper in the pod, the program
 * `endpoints`, writes it with the functions' ready pods: it alone holds a credential for the API.
 */
export function traefikPods(args: ApiGatewayArgs, config: RenderArgs, context: PodContext): GatewayPods {
  const { metadata, opts } = context;
  const staticText = stringify(traefikStatic(config));
  const staticName = `traefik-static-${contentHash(staticText)}`;
  const staticMap = new k8s.core.v1.ConfigMap(
    staticName,
    { metadata: metadata(staticName), immutable: true, data: { "traefik.yaml": staticText } },
    opts,
  );
  const script = bundle("endpoints");
  const scriptName = `gateway-endpoints-${contentHash(script)}`;
  const scriptMap = new k8s.core.v1.ConfigMap(
    scriptName,
    { metadata: metadata(scriptName), immutable: true, data: { "endpoints.js": script } },
    opts,
  );
  const access = grantEndpoints(args, context);
  // Its client keeps but two idle connections to the authorizer, and would look the name up for each new one.
  const dynamic = pulumi
    .output(args.authorizer.addressUrl)
    .apply((authorizer) => JSON.stringify(traefikDynamic({ ...config, authorizer })));
  new k8s.core.v1.ConfigMap(
    ROUTES,
    { metadata: metadata(ROUTES), data: { [CONFIG_KEY]: dynamic } },
    { ...opts, dependsOn: access },
  );

  const certificates = context.certificateSecret;
  const tls =
    certificates === undefined ? [] : [{ name: "certificate", mountPath: TRAEFIK_FILES.certificates, readOnly: true }];
  return {
    ports: { http: TRAEFIK_PORTS.http, https: TRAEFIK_PORTS.https, admin: TRAEFIK_PORTS.admin },
    callsApi: true,
    dependsOn: access,
    containers: [
      {
        ...CONTAINER,
        name: "traefik",
        image: args.images.gateway,
        command: ["/usr/local/bin/traefik", `--configFile=${TRAEFIK_FILES.static}`],
        // A soft limit below the container's: the collector works harder before the kernel kills.
        // With so much room it may collect a fifth as often as by default: its heap is small, and its garbage is large.
        env: [
          { name: "GOMEMLIMIT", value: String(Math.floor(args.gateway.replicas.limits.memory * 0.8)) },
          { name: "GOGC", value: "500" },
        ],
        ports: [
          { name: "http", containerPort: TRAEFIK_PORTS.http, protocol: "TCP" },
          { name: "https", containerPort: TRAEFIK_PORTS.https, protocol: "TCP" },
          { name: "admin", containerPort: TRAEFIK_PORTS.admin, protocol: "TCP" },
        ],
        ...probes({ ready: "/ping", live: "/ping" }, "admin"),
        // While it is told to leave, /ping answers 503, and that is no reason to kill it.
        livenessProbe: { tcpSocket: { port: "admin" }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
        resources: resources(args.gateway.replicas),
        volumeMounts: [
          { name: "static", mountPath: "/etc/traefik/static", readOnly: true },
          { name: "dynamic", mountPath: TRAEFIK_FILES.dynamic, readOnly: true },
          // Where it keeps a response of more than 1 MiB while it passes it on.
          { name: "tmp", mountPath: "/tmp" },
          ...tls,
        ],
      },
    ],
    initContainers: [
      {
        ...CONTAINER,
        name: "endpoints",
        image: args.images.node,
        command: ["node", "/app/endpoints.js"],
        // It runs on beside the gateway, and is ended after it: until then the gateway learns which pods are there.
        restartPolicy: "Always",
        env: [
          { name: "GATEWAY_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
          { name: "GATEWAY_CONFIG_MAP", value: ROUTES },
          { name: "DYNAMIC_FOLDER", value: TRAEFIK_FILES.dynamic },
          { name: "CERTIFICATES_FOLDER", value: certificates === undefined ? "" : TRAEFIK_FILES.certificates },
          { name: "HEALTH_PORT", value: String(ENDPOINTS_HEALTH_PORT) },
        ],
        ports: [{ name: "endpoints", containerPort: ENDPOINTS_HEALTH_PORT, protocol: "TCP" }],
        // The gateway starts when it has its routes; from then on a helper that cannot reach the API harms nobody.
        startupProbe: {
          httpGet: { path: "/", port: "endpoints" },
          periodSeconds: 1,
          timeoutSeconds: 2,
          failureThreshold: 120,
        },
        livenessProbe: { tcpSocket: { port: "endpoints" }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
        resources: resources(args.helper),
        volumeMounts: [
          { name: "script", mountPath: "/app", readOnly: true },
          { name: "dynamic", mountPath: TRAEFIK_FILES.dynamic },
          CREDENTIALS.mount,
          ...tls,
        ],
      },
    ],
    volumes: [
      { name: "static", configMap: { name: staticMap.metadata.name } },
      { name: "script", configMap: { name: scriptMap.metadata.name } },
      { name: "dynamic", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
      { name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } },
      CREDENTIALS.volume,
      ...(certificates === undefined
        ? []
        : [{ name: "certificate", secret: { secretName: certificates, defaultMode: 0o440 } }]),
    ],
  };
}

/** It may read its own ConfigMap, and see which pods are ready in the namespaces that routes lead to: no secret. */
function grantEndpoints(
  args: ApiGatewayArgs,
  { name, namespace, metadata, labels, opts }: PodContext,
): pulumi.Resource[] {
  const grant = (at: string, where: pulumi.Input<string>, rules: k8s.types.input.rbac.v1.PolicyRule[]) => {
    const object = { name: `${name}-${at}`, namespace: where, labels };
    const role = new k8s.rbac.v1.Role(`${name}-${at}`, { metadata: object, rules }, opts);
    return new k8s.rbac.v1.RoleBinding(
      `${name}-${at}`,
      {
        metadata: object,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.metadata.name },
        subjects: [{ kind: "ServiceAccount", name: metadata(name).name, namespace }],
      },
      opts,
    );
  };
  const watch = ["get", "list", "watch"];
  return [
    grant("routes", namespace, [{ apiGroups: [""], resources: ["configmaps"], resourceNames: [ROUTES], verbs: watch }]),
    ...Object.entries(args.tenantNamespaces).map(([tenant, where]) =>
      grant(`endpoints-${tenant}`, where, [
        { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: watch },
      ]),
    ),
  ];
}
