import { Authorizer } from "../components/authorization/authorizer";
import { ApiGateway } from "../components/gateway/api-gateway";
import { ADDRESS_POOL_ANNOTATION, MetalLb } from "../components/gateway/metallb";
import type { WasmFunction } from "../components/functions/wasm-function";
import { selectorLabels } from "../components/labels";
import { PlatformNamespace } from "../components/platform/platform-namespace";
import type { WasmRuntime } from "../components/runtime/wasm-runtime";
import type { Tenant } from "../components/tenancy/tenant";
import { apiServerPeers } from "./api-server";
import type { StackConfig } from "./config";
import type { Guarded } from "./guarded";
import { platformImages } from "./images";
import { byName, of } from "./outputs";
import type { Plan } from "./plan";
import type { StackSecrets } from "./read-config";
import type { TokenKeys } from "./token-keys";
import { prometheusPeer } from "./watching";

export interface WayInArgs {
  readonly config: StackConfig;
  readonly plan: Plan;
  readonly secrets: StackSecrets;
  readonly keys: TokenKeys["keys"];
  /** MetalLB's manifest, where it gives the gateway's address. */
  readonly metallb: string | undefined;
  readonly runtime: WasmRuntime;
  /** By name. */
  readonly tenants: Readonly<Record<string, Tenant>>;
  /** By name: a route leads to one when its pods are ready. */
  readonly deployed: Readonly<Record<string, WasmFunction>>;
  readonly guarded: Guarded;
}

/** What stands between clients and functions: a namespace of its own, the authorizer, who gives an address, the gateway. */
export function wayIn({
  config,
  plan,
  secrets,
  keys,
  metallb,
  runtime,
  tenants,
  deployed,
  guarded,
}: WayInArgs): ApiGateway {
  const { gateway, routes, functions, authorization } = config;
  const { requestPath } = plan;
  const { environment } = config.platform;
  const platform = new PlatformNamespace(gateway.namespace, { environment }, guarded);
  const common = {
    ...{ environment, gateway, routes, functions },
    namespace: platform.namespace,
    priorityClassName: runtime.platformPriorityClassName,
    prometheus: prometheusPeer(config),
  };
  const images = platformImages(config);
  const authorizer = new Authorizer(
    "authorizer",
    {
      ...common,
      authorization,
      keys,
      remembered: requestPath.remembered,
      seesAddresses: requestPath.seesAddresses,
      namespaceName: gateway.namespace,
      gatewayLabels: selectorLabels({ name: gateway.kind, component: "gateway" }),
      image: images.node,
      maxReplicas: requestPath.authorizer.max,
      storePassword: secrets.budgetStore["password"],
    },
    { provider: guarded.provider, dependsOn: [platform] },
  );
  const { entry } = gateway;
  const pool =
    entry.kind === "metallb" && metallb !== undefined
      ? new MetalLb("metallb", { environment, addresses: entry.addresses, manifest: metallb }, guarded)
      : undefined;
  return new ApiGateway(
    "gateway",
    {
      ...common,
      tenantNamespaces: byName(config.tenants, ({ name }) => of(tenants, name).namespace),
      authorizer: {
        namespace: gateway.namespace,
        labels: authorizer.podLabels,
        url: authorizer.url,
        addressUrl: authorizer.addressUrl,
        port: authorizer.port,
      },
      images,
      maxReplicas: requestPath.gateway.max,
      helper: requestPath.helper,
      apiServer: apiServerPeers(config),
      serviceAnnotations: pool && { [ADDRESS_POOL_ANNOTATION]: pool.poolName },
      certificate: secrets.gatewayTls,
    },
    {
      provider: guarded.provider,
      dependsOn: [platform, authorizer, ...Object.values(tenants), ...Object.values(deployed), ...(pool ? [pool] : [])],
    },
  );
}
