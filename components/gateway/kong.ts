import * as k8s from "@pulumi/kubernetes";
import { CONTAINER, contentHash, probes, resources } from "../workload";
import type { ApiGatewayArgs } from "./api-gateway";
import { KONG_FILES, KONG_PORTS, kongDeclarative, kongEnvironment, kongNginx } from "./kong-config";
import type { GatewayPods, PodContext } from "./pods";
import { PROPAGATION_SECONDS, type RenderArgs } from "./render";

const CONFIG = "/etc/kong/gateway";

/**
 * Kong without a database. Its configuration is a ConfigMap named by its content, so that any change rolls the pods. It
 * finds the functions' pods by DNS, and nothing in the pod holds a credential for the API.
 *
 * It runs as the platform's user, not as its image's own: what it writes is in the two volumes, and the image's files can
 * be read by anybody.
 */
export function kongPods(args: ApiGatewayArgs, config: RenderArgs, context: PodContext): GatewayPods {
  const { metadata, opts } = context;
  const data = {
    "kong.json": `${JSON.stringify(kongDeclarative(config), null, 2)}\n`,
    "nginx.conf": kongNginx(),
  };
  const name = `kong-config-${contentHash(JSON.stringify(data))}`;
  const configMap = new k8s.core.v1.ConfigMap(name, { metadata: metadata(name), immutable: true, data }, opts);

  const certificates = context.certificateSecret;
  const environment = Object.entries(kongEnvironment(config)).map(([key, value]) => ({ name: key, value }));
  return {
    ports: KONG_PORTS,
    callsApi: false,
    dependsOn: [],
    initContainers: [],
    containers: [
      {
        ...CONTAINER,
        name: "kong",
        image: args.images.gateway,
        env: [
          ...environment,
          // Kong reads the certificate when it starts: another one has to roll the pods.
          ...(context.certificateVersion === undefined
            ? []
            : [{ name: "CERTIFICATE_VERSION", value: context.certificateVersion }]),
        ],
        ports: [
          { name: "http", containerPort: KONG_PORTS.http, protocol: "TCP" },
          { name: "https", containerPort: KONG_PORTS.https, protocol: "TCP" },
          { name: "admin", containerPort: KONG_PORTS.admin, protocol: "TCP" },
        ],
        // Not ready before it has its routes.
        ...probes({ ready: "/status/ready", live: "/status" }, "admin"),
        lifecycle: { preStop: { exec: { command: ["/bin/sh", "-c", leave(config.longest)] } } },
        resources: resources(args.gateway.replicas),
        volumeMounts: [
          { name: "config", mountPath: CONFIG, readOnly: true },
          { name: "prefix", mountPath: KONG_FILES.prefix },
          { name: "tmp", mountPath: "/tmp" },
          ...(certificates === undefined
            ? []
            : [{ name: "certificate", mountPath: KONG_FILES.certificates, readOnly: true }]),
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name: configMap.metadata.name } },
      { name: "prefix", emptyDir: { sizeLimit: "32Mi" } },
      { name: "tmp", emptyDir: { sizeLimit: "16Mi" } },
      ...(certificates === undefined
        ? []
        : [{ name: "certificate", secret: { secretName: certificates, defaultMode: 0o440 } }]),
    ],
  };
}

/** Goes on accepting until nobody sends anything any more; then finishes what it has. */
function leave(longest: number): string {
  return `sleep ${PROPAGATION_SECONDS}; kong quit --timeout=${Math.ceil(longest / 1000)}`;
}
