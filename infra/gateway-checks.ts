import { bounds, parseRange } from "./addresses";
import { duplicates } from "./config-fields";
import type { GatewayConfig } from "./config";
import type { stackSchema } from "./config-schema";
import type { Problem } from "./problems";
import { partsProblems } from "./secret-parts";
import type { z } from "zod";

type Parsed = z.output<typeof stackSchema>;
type Route = Parsed["routes"][number];

/** What of gateway, routes and authorization does not go together, or with the rest of the stack. */
export function gatewayProblems(config: Parsed): Problem[] {
  return [
    ...routeProblems(config),
    ...addressProblems(config),
    ...proxyProblems(config),
    ...certificateProblems(config),
    ...poolProblems(config),
    ...entryProblems(config),
    ...budgetStoreProblems(config),
    ...podsServiceProblems(config),
  ];
}

/** `routes[1]`, as the stack's file has it. */
function at(config: Parsed, route: Route): string {
  return `routes[${config.routes.indexOf(route)}]`;
}

function routeProblems(config: Parsed): Problem[] {
  const names = config.functions.map((fn) => fn.name);
  return [
    ...config.routes.flatMap((route) =>
      route.to
        .filter((target) => !names.includes(target.function))
        .map((target) => ({
          path: `${at(config, route)}.to`,
          value: target.function,
          limit: "is no function of this stack",
          fix: `use one of ${names.join(", ")}`,
        })),
    ),
    ...duplicates(config.routes, (route) => JSON.stringify([route.host, route.path, route.match])).map((route) => ({
      path: `${at(config, route)}.path`,
      value: route.path,
      limit: "is routed twice",
      fix: "name both functions in one route's `to`, or give it another host or path",
    })),
  ];
}

/**
 * Whether the gateway sees who connects: else it is a node, and a budget by address would be one for everybody. What proxies
 * say does not help there, as whoever passes on their packets would have to be believed, and anybody's come by it.
 */
export function seesAddresses({ entry }: Pick<GatewayConfig, "entry">): boolean {
  return entry.kind !== "servicelb" && entry.trafficPolicy === "local";
}

function proxyProblems(config: Parsed): Problem[] {
  if (seesAddresses(config.gateway)) return [];
  return (["proxyProtocol", "trustedProxies"] as const)
    .filter((key) => config.gateway[key].length > 0)
    .map((key) => ({
      path: `gateway.${key}`,
      value: `a list of ${config.gateway[key].length}`,
      limit: "the gateway sees a node's address in the place of theirs, so they would never be believed",
      fix: "set gateway.entry.trafficPolicy: local, with another entry than servicelb",
    }));
}

function addressProblems(config: Parsed): Problem[] {
  if (seesAddresses(config.gateway)) return [];
  const { entry } = config.gateway;
  const lost =
    entry.kind === "servicelb" ? "servicelb puts a node's address" : "trafficPolicy cluster puts a node's address";
  return config.routes
    .filter((route) => route.auth === "none")
    .map((route) => ({
      path: `${at(config, route)}.auth`,
      value: "none",
      limit: `clients without a token are limited by their address, and ${lost} in its place`,
      fix:
        entry.kind === "servicelb"
          ? "ask for a token, or use another gateway.entry"
          : "ask for a token, or set gateway.entry.trafficPolicy: local",
    }));
}

const CERTIFICATE = ["certificate", "key"];

function certificateProblems(config: Parsed): Problem[] {
  const { tls } = config.gateway;
  const given = Object.keys(config.gatewayTls);
  if (tls.kind === "selfSigned") {
    return [
      ...(given.length > 0
        ? [
            {
              path: "gateway.tls.kind",
              value: "selfSigned",
              limit: "gatewayTls has a certificate, which would not be used",
              fix: "set kind: certificate, or drop gatewayTls",
            },
          ]
        : []),
      ...(config.platform.protect
        ? [
            {
              path: "gateway.tls.kind",
              value: "selfSigned",
              limit: "no client can tell such a certificate from an impostor's, and this stack is protected",
              fix: "set kind: certificate, with the secret gatewayTls or a Secret that cert-manager keeps",
            },
          ]
        : []),
    ];
  }
  return partsProblems("gatewayTls", given, CERTIFICATE, given.length > 0);
}

function budgetStoreProblems(config: Parsed): Problem[] {
  const given = Object.keys(config.budgetStore);
  if (config.authorization.budgets.kind === "shared") return partsProblems("budgetStore", given, ["password"], true);
  return given.length === 0
    ? []
    : [
        {
          path: "budgetStore",
          value: "set",
          limit: "budgets are divided among the replicas, and kept in no store",
          fix: "drop it, or set authorization.budgets.kind: shared",
        },
      ];
}

/** Nobody gives an address on a cluster that `make up` starts: an `up` would wait for it in vain. */
function entryProblems({ cluster, gateway }: Parsed): Problem[] {
  if (cluster.kind !== "existing" || cluster.embedded === undefined || gateway.entry.kind === "nodePort") return [];
  return [
    {
      path: "gateway.entry.kind",
      value: gateway.entry.kind,
      limit: "on a cluster that `make up` starts nobody gives a Service an address",
      fix: "set kind: nodePort",
    },
  ];
}

/** MetalLB's addresses are of the nodes' network: one that pods or Services have would be answered by two. */
function poolProblems({ gateway, cluster }: Parsed): Problem[] {
  if (gateway.entry.kind !== "metallb") return [];
  const networks = {
    "cluster.network.podCidr": cluster.network.podCidr,
    "cluster.network.serviceCidr": cluster.network.serviceCidr,
  };
  return gateway.entry.addresses.flatMap((range) => {
    const parsed = parseRange(range);
    if ("error" in parsed) return [{ path: "gateway.entry.addresses", value: range, ...parsed.error }];
    const { first, last } = parsed.ok;
    return Object.entries(networks)
      .filter(([, network]) => first <= bounds(network).last && last >= bounds(network).first)
      .map(([name, network]) => ({
        path: "gateway.entry.addresses",
        value: range,
        limit: `lies in ${name} ${network.text}`,
        fix: "use addresses of the nodes' own network that nobody else has",
      }));
  });
}

/** The most characters that a Service's name may have. */
const SERVICE_NAME = 63;

/** Kong finds a function's pods by a second Service: its name has to be one, and no other function's. */
function podsServiceProblems({ gateway, functions }: Parsed): Problem[] {
  if (gateway.kind !== "kong") return [];
  const fix = (change: string) => `${change}, or use gateway.kind: traefik`;
  return functions.flatMap(({ name }) => {
    const service = `${name}-pods`;
    const found = { path: `functions.${name}.name`, value: name };
    return [
      ...(service.length > SERVICE_NAME
        ? [
            {
              ...found,
              limit: `Kong finds its pods by the Service ${service}, of ${service.length} characters; ${SERVICE_NAME} are the most`,
              fix: fix(`shorten it to ${SERVICE_NAME - "-pods".length}`),
            },
          ]
        : []),
      ...(functions.some((other) => other.name === service)
        ? [
            {
              ...found,
              limit: `Kong finds its pods by the Service ${service}, which is a function's`,
              fix: fix("rename one of the two"),
            },
          ]
        : []),
    ];
  });
}
