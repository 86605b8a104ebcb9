import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import type { RouteConfig, StackConfig } from "../../../infra/config";
import { ProblemsError } from "../../../infra/problems";
import type { Paths } from "../../paths";
import { issueToken } from "../../tokens/keys";
import type { Api } from "../api";
import { peakOf } from "../curve";
import { SCENARIO_FILE, type Scenario } from "../scenario";
import type { LoadDriverArgs } from "./driver";
import type { LoadTarget } from "./messages";

/** Connections that a client keeps; as many come from proxies in front. */
const CONNECTIONS = 64;
/** Seconds of the peak that may wait, and requests at least and at most: those who wait longer would have gone. */
const WAITING = { seconds: 1, least: 100, most: 2000 };
/** Of a user's rate limit that each one uses at peak: each replica of the authorizer has a part of it, and they are not asked evenly. */
const SHARE_OF_LIMIT = 0.25;
const USERS_AT_LEAST = 10;
/** Seconds that a token lives: twice the time until it is renewed. */
const LIFETIME = 600;

export interface TargetArgs {
  readonly api: Api;
  readonly paths: Paths;
  readonly config: StackConfig;
  readonly scenario: Scenario;
}

/**
 * The way to a function through the gateway of a stack whose own issuer's keys are here.
 *
 * @throws ProblemsError where no route leads there
 */
export async function loadTarget({ api, paths, config, scenario }: TargetArgs): Promise<Omit<LoadDriverArgs, "fn">> {
  const { route, path } = routeOf(config, scenario);
  const peak = peakOf(scenario.curve);
  refuseOneClient(scenario, route, peak);
  const certificate = await certificateOf(api, config);
  const target: LoadTarget = {
    url: `https://${await addressOf(api)}:${portOf(config)}${path}`,
    ...certificate,
    ...(route.host !== undefined && { host: route.host, servername: route.host }),
    connections: CONNECTIONS,
    waiting: Math.round(Math.min(WAITING.most, Math.max(WAITING.least, peak * WAITING.seconds))),
  };
  return { target, tokens: () => tokensOf(paths, config, scenario, route) };
}

/** A route that leads to the function and lets the path through. */
export function routeOf(
  { routes }: StackConfig,
  { fn, path }: Pick<Scenario, "fn" | "path">,
): { readonly route: RouteConfig; readonly path: string } {
  const leads = ({ to, methods }: RouteConfig) =>
    methods.includes("GET") && to.some((target) => target.function === fn.name);
  const [asked] = (path ?? "").split("?");
  const matches = (route: RouteConfig) =>
    path === undefined ||
    asked === route.path ||
    (route.match === "prefix" && asked!.startsWith(`${route.path.replace(/\/$/, "")}/`));
  const leading = routes.filter((each) => leads(each) && matches(each));
  // With tokens there are as many users as it takes.
  const route = leading.find(({ auth }) => auth !== "none") ?? leading[0];
  if (route !== undefined) return { route, path: path ?? route.path };
  throw new ProblemsError(`${SCENARIO_FILE} cannot be played`, [
    {
      path: "path",
      value: path ?? "that of the function's route",
      limit: `no route leads GET there and to ${fn.name}`,
      fix: `use one of ${
        routes
          .filter(leads)
          .map((each) => each.path)
          .join(", ") || "the routes' paths, of which one has methods: [GET]"
      }`,
    },
  ]);
}

/** Where nobody shows a token, clients are told apart by their address, of which there is one here. */
function refuseOneClient({ fn, path }: Scenario, { auth, path: own }: RouteConfig, peak: number): void {
  const { requestsPerSecond: limit } = fn.rateLimit;
  if (auth !== "none" || peak <= limit) return;
  throw new ProblemsError(`${SCENARIO_FILE} cannot be played`, [
    {
      path: "path",
      value: path ?? own,
      limit: `its route has auth: none, so all comes as one client, who has ${limit} of ${peak} requests/s`,
      fix: `use a route with tokens, ask for less, or raise functions.${fn.name}.rateLimit`,
    },
  ]);
}

interface Nodes {
  readonly items: readonly {
    readonly status: { readonly addresses: readonly { readonly type: string; readonly address: string }[] };
  }[];
}

async function addressOf(api: Api): Promise<string> {
  const { items } = await api.get<Nodes>("/api/v1/nodes");
  const addresses = items.flatMap(({ status }) => status.addresses);
  return addresses.find(({ type }) => type === "InternalIP")?.address ?? "127.0.0.1";
}

/** A cluster that `make up` starts has no other way in. */
function portOf({ gateway }: StackConfig): number {
  return gateway.entry.kind === "nodePort" ? gateway.entry.https : 443;
}

/**
 * Whoever vouches for the gateway's certificate, and the name that it is for. Each replica of a self-signed one makes its own,
 * which nobody knows.
 */
async function certificateOf(api: Api, { gateway }: StackConfig): Promise<Pick<LoadTarget, "ca" | "servername">> {
  if (gateway.tls.kind === "selfSigned") return {};
  const path = `/api/v1/namespaces/${gateway.namespace}/secrets/${gateway.tls.secretName}`;
  const { data } = await api.get<{ readonly data: Readonly<Record<string, string>> }>(path);
  const pem = (key: string) => Buffer.from(data[key] ?? "", "base64").toString("utf8");
  const chain = pem("tls.crt");
  // Where no authority stands beside it, it is one that everybody knows, or the certificate itself.
  const ca = data["ca.crt"] === undefined ? [...rootCertificates, chain].join("\n") : pem("ca.crt");
  const name = /DNS:([^,\s]+)/.exec(new X509Certificate(chain).subjectAltName ?? "")?.[1];
  return { ca, ...(name !== undefined && { servername: name.replace("*", "surge") }) };
}

/** As many users as keep each one far below its limit, and as `make token` makes theirs. */
async function tokensOf(
  paths: Paths,
  { authorization: { jwt } }: StackConfig,
  { fn, curve }: Scenario,
  { auth, roles }: RouteConfig,
): Promise<string[]> {
  if (auth === "none" || jwt === undefined) return [];
  const users = usersFor(peakOf(curve), fn.rateLimit.requestsPerSecond);
  const { issuer, audience, rolesClaim } = jwt;
  const claims = { issuer, audience, rolesClaim, roles: roles.slice(0, 1), lifetime: LIFETIME };
  return Promise.all(
    Array.from({ length: users }, (_, user) => issueToken(paths, { ...claims, subject: `surge-${user + 1}` })),
  );
}

export function usersFor(peak: number, limit: number): number {
  return Math.max(USERS_AT_LEAST, Math.ceil(peak / (limit * SHARE_OF_LIMIT)));
}
