import { z } from "zod";
import * as field from "./config-fields";
import { check, section } from "./config-fields";
import { formatBytes, formatDuration } from "./units";

/**
 * What becomes of a client's address on its way in. `local`: packets stay on the node that they reach, and keep it;
 * `cluster`: any node passes them on, and puts its own in its place.
 */
const trafficPolicy = z.enum(["local", "cluster"]).default("local");

/** A range of addresses that MetalLB may hand out: a network, or `first-last`. */
const addressRange = field.pattern(/^(?:\d{1,3}\.){3}\d{1,3}(?:\/\d{1,2}|-(?:\d{1,3}\.){3}\d{1,3})$/, {
  limit: "must be an IPv4 network or a range of addresses",
  fix: 'write it as "192.0.2.240/28" or "192.0.2.240-192.0.2.250"',
});

const nodePortNumber = z.int().min(30_000).max(32_767);

/** How requests from outside reach the gateway's pods; a Service of type LoadBalancer needs somebody who answers it. */
const entry = z.discriminatedUnion("kind", [
  /** Ports of every node. */
  section({
    kind: z.literal("nodePort"),
    http: nodePortNumber.default(30_080),
    https: nodePortNumber.default(30_443),
    trafficPolicy,
  }),
  /** MetalLB, set up by this program, announces addresses of the network that the nodes are in. */
  section({
    kind: z.literal("metallb"),
    addresses: z.array(addressRange).min(1),
    // One node at a time announces the address: with `local` its own gateways alone would get anything.
    trafficPolicy: z.enum(["local", "cluster"]).default("cluster"),
  }),
  /** K3s's own: ports 80 and 443 of the nodes. It is not disabled then. */
  section({ kind: z.literal("servicelb") }),
  /** A load balancer that is somebody else's: a cloud's, or one that the cluster has already. */
  section({
    kind: z.literal("external"),
    loadBalancerClass: z.string().min(1).optional(),
    /** Of the Service, which such controllers are set up by. */
    annotations: z.record(z.string(), z.string()).default({}),
    trafficPolicy,
  }),
]);

const tls = z.discriminatedUnion("kind", [
  /** The gateway makes a certificate when it starts, each replica its own: for clusters that are developed against. */
  section({ kind: z.literal("selfSigned") }),
  /**
   * A certificate with its key: the secret `gatewayTls` of the config, or else a Secret of type kubernetes.io/tls that
   * somebody else keeps in the gateway's namespace.
   */
  section({ kind: z.literal("certificate"), secretName: field.dnsLabel.prefault("gateway-tls") }),
]);

export const gatewaySchema = section({
  kind: z.enum(["traefik", "kong"]).default("traefik"),
  namespace: field.dnsLabel.prefault("gateway"),
  /** Default: the official image of the version that was proved. */
  image: field.image.optional(),
  entry: entry.prefault({ kind: "nodePort" }),
  /** Where PROXY protocol comes from: it tells the address of a client that another proxy has accepted. */
  proxyProtocol: z.array(field.cidr).default([]),
  /** Whose X-Forwarded-For is believed: proxies in front that end HTTP themselves. */
  trustedProxies: z.array(field.cidr).default([]),
  tls: tls.prefault({ kind: "selfSigned" }),
  /** How long browsers are told to come by HTTPS alone (Strict-Transport-Security); 0s says nothing. */
  hsts: field.duration.prefault("365d"),
  /** Lines for every request, or for errors and what is slower than the slowest function's objective. */
  accessLog: z.enum(["all", "errors"]).default("errors"),
  /** Until a connection to a pod stands; a pod that takes longer is passed over for another one. */
  connectTimeout: field.duration.prefault("500ms"),
  replicas: field
    .replicas({
      min: 2,
      cpu: "1",
      memory: "128Mi",
      limits: { cpu: "2", memory: "512Mi" },
    })
    .prefault({}),
  /**
   * CPU time that one request takes of the gateway, over TLS that is kept, the question to the authorizer included: 545 us
   * were measured on 2 cores that client, authorizer and function share with it (`make bench STACK=real`).
   */
  cpuPerRequest: field.duration.prefault("550us"),
}).superRefine(
  check((g) => [
    g.connectTimeout < 1 && {
      path: ["connectTimeout"],
      value: formatDuration(g.connectTimeout),
      limit: "no connection stands in less than a millisecond",
      fix: 'for example "500ms"',
    },
    g.entry.kind === "nodePort" &&
      g.entry.http === g.entry.https && {
        path: ["entry", "https"],
        value: String(g.entry.https),
        limit: "is the port for HTTP as well",
        fix: "give each a port of its own",
      },
  ]),
);

/** A host name as requests give it: no port, no wildcard. */
const hostName = field.pattern(
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
  {
    limit: "must be a host name in lower case, without a port",
    fix: 'for example "shop.example.com"',
  },
);

/** A path that is one and the same to gateway, authorizer and function: nothing in it that one of them would rewrite. */
const routePath = field.pattern(/^\/(?:(?!\.+(?:\/|$))[A-Za-z0-9._~-]+(?:\/|$)){0,64}$/, {
  limit:
    "must be an absolute URL path of at most 64 segments, without dot segments, doubled slashes and encoded characters",
  fix: 'for example "/api/function"',
});

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

const target = section({
  function: field.dnsLabel,
  /** Of this part of the requests; all targets' weights together are the whole. */
  weight: field.count.default(100),
});

/** What reaches which function, for whom. The defaults are the reference's rule. */
export const routeSchema = section({
  /** Default: any host. */
  host: hostName.optional(),
  path: routePath.prefault("/api/function"),
  /** `exact`: this path alone. `prefix`: it and all that is below it, by whole segments. */
  match: z.enum(["exact", "prefix"]).default("exact"),
  methods: z.array(z.enum(METHODS)).min(1).default(["POST"]),
  /** `token`: a valid token with one of the roles. `none`: anybody, within the rate limit of its address. */
  auth: z.enum(["token", "none"]).default("token"),
  /** Any of these. */
  roles: z.array(z.string().min(1)).min(1).default(["user"]),
  /** A function, or several by weight: two versions of one, say. Default: the stack's first. */
  to: z.array(target).min(1).optional(),
  /** Attempts on other pods where no connection to one could be made; what was sent once is never sent again. */
  retries: z.int().min(0).max(10).default(2),
  /** The largest body that is let through. */
  maxBodySize: field.bytes.prefault("1Mi"),
}).superRefine(
  check((route) => [
    route.maxBodySize < 1 && {
      path: ["maxBodySize"],
      value: formatBytes(route.maxBodySize),
      limit: "must be at least 1 byte",
      fix: 'for example "1Mi"; a body that nobody reads harms nobody',
    },
    route.to !== undefined &&
      route.to.length > 0 &&
      route.to.every((each) => each.weight === 0) && {
        path: ["to"],
        value: "0",
        limit: "is the sum of all weights, so nothing would be served",
        fix: "raise one of them",
      },
    ...field
      .duplicates(route.to ?? [], (each) => each.function)
      .map((each) => ({
        path: ["to"],
        value: each.function,
        limit: "is named twice",
        fix: "give it one weight",
      })),
    route.match === "prefix" &&
      route.path !== "/" &&
      route.path.endsWith("/") && {
        path: ["path"],
        value: route.path,
        limit: "a prefix goes by whole segments, so it ends without a slash",
        fix: `write "${route.path.slice(0, -1)}"`,
      },
  ]),
);
