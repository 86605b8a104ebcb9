import type { AuthorizationConfig, FunctionConfig, GatewayConfig, RouteConfig } from "../../infra/config";
import type { AuthorizerSettings, BudgetSettings, RouteSettings } from "../../programs/authorizer/settings";
import { routeName } from "../route-name";

/** Ports of the authorizer's container; `admin` has health and metrics, which gateways do not reach. */
export const AUTHORIZER_PORTS = { gate: 9000, admin: 9001 } as const;
/** While it is told to leave, it goes on answering for so long, until no gateway asks it any more: seconds. */
export const PROPAGATION_SECONDS = 5;
/** Where the store's password is mounted. */
export const STORE_FOLDER = "/run/secrets/store";

export interface SettingsArgs {
  readonly authorization: AuthorizationConfig;
  readonly gateway: GatewayConfig;
  readonly routes: readonly RouteConfig[];
  readonly functions: readonly FunctionConfig[];
  /** The issuer's public keys, where the config names a file that has them. */
  readonly keys?: readonly Readonly<Record<string, unknown>>[] | undefined;
  /** A DNS name that has an address for each replica. */
  readonly peers: string;
  /** Clients and tokens that one replica keeps in memory, from the plan. */
  readonly remembered: number;
  /** Whether the gateway sees clients' own addresses, from the plan. */
  readonly seesAddresses: boolean;
}

/** What the authorizer is told, of the platform's config. */
export function authorizerSettings(args: SettingsArgs): AuthorizerSettings {
  const { authorization, gateway } = args;
  const tokens = tokenSettings(args);
  return {
    port: AUTHORIZER_PORTS.gate,
    adminPort: AUTHORIZER_PORTS.admin,
    ...(tokens && { tokens }),
    routes: args.routes.map((route) => routeSettings(route, args.functions)),
    trustedProxies: gateway.trustedProxies.map((network) => network.text),
    seesAddresses: args.seesAddresses,
    budgets: budgetSettings(authorization, args.peers),
    remembered: args.remembered,
    logSampling: authorization.logSampling,
    propagation: PROPAGATION_SECONDS * 1000,
    replicas: authorization.replicas.min,
  };
}

function tokenSettings({ authorization: { jwt }, keys }: SettingsArgs): AuthorizerSettings["tokens"] {
  if (jwt === undefined) return undefined;
  return {
    issuer: jwt.issuer,
    audience: jwt.audience,
    algorithms: jwt.algorithms,
    rolesClaim: jwt.rolesClaim,
    clockToleranceSeconds: jwt.clockTolerance / 1000,
    keys: jwt.keysUrl !== undefined ? { url: jwt.keysUrl } : (jwt.keys ?? keys ?? []),
  };
}

/** A route's budget is that of the function it leads to; of several, of the first: they are versions of one. */
function routeSettings(route: RouteConfig, functions: readonly FunctionConfig[]): RouteSettings {
  const { host, path, match, methods, auth, roles, to } = route;
  const fn = functions.find(({ name }) => name === to[0]?.function);
  if (fn === undefined) throw new Error(`route ${path} leads to no function`);
  return {
    name: routeName(route),
    ...(host !== undefined && { host }),
    path,
    match,
    methods,
    public: auth === "none",
    roles,
    limit: { name: fn.name, requestsPerSecond: fn.rateLimit.requestsPerSecond, burst: fn.rateLimit.burst },
  };
}

function budgetSettings({ budgets }: AuthorizationConfig, peers: string): BudgetSettings {
  if (budgets.kind === "divided") return { kind: "divided", peers };
  const { host, port, username, tls, ca, prefix, lease } = budgets;
  return {
    kind: "shared",
    peers,
    host,
    port,
    ...(username !== undefined && { username }),
    ...(tls && { tls: { ...(ca !== undefined && { ca }) } }),
    prefix,
    lease,
    passwordFile: `${STORE_FOLDER}/password`,
  };
}
