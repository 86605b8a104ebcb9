import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../infra/config";
import { caught, existing, k3s, problemsOf, rawConfig, type Raw } from "./support";

type Case = readonly [behaviour: string, raw: Raw, problem: string];

const gateway = (changes: Raw, more: Raw = {}) => rawConfig({ gateway: changes, ...more });
const replicas = (changes: Raw) => gateway({ replicas: changes });
const route = (changes: Raw, more: Raw = {}) =>
  rawConfig({ functions: [{ name: "checkout" }, { name: "next" }], routes: [changes], ...more });
const KEY = { kty: "EC", crv: "P-256", x: "abc", y: "def" };
const jwt = (changes: Raw) =>
  rawConfig({
    authorization: { jwt: { issuer: "https://id.example.com/", audience: "shop", keys: [KEY], ...changes } },
  });
const published = (changes: Raw) =>
  jwt({ keys: undefined, keysUrl: "https://id.example.com/keys", keysAddresses: ["198.51.100.20/32"], ...changes });
const store = (changes: Raw, secrets: Raw = { password: "<secret>" }) =>
  rawConfig({
    authorization: {
      budgets: { kind: "shared", host: "valkey.example.com", addresses: ["10.9.0.0/24"], ...changes },
    },
    budgetStore: secrets,
  });
const metallb = (...addresses: string[]) => gateway({ entry: { kind: "metallb", addresses } });

const PATH =
  'must be an absolute URL path of at most 64 segments, without dot segments, doubled slashes and encoded characters; for example "/api/function"';
const HOST = 'must be a host name in lower case, without a port; for example "shop.example.com"';

const GATEWAY: readonly Case[] = [
  [
    "a way in of no kind",
    gateway({ entry: { kind: "loadBalancer" } }),
    'gateway.entry.kind: "loadBalancer": must say how requests come in: nodePort, metallb, servicelb or external; set kind: nodePort, or one of the others',
  ],
  [
    "a port below those of nodes",
    gateway({ entry: { kind: "nodePort", http: 80 } }),
    "gateway.entry.http: 80: must be at least 30000; raise it",
  ],
  [
    "a port above those of nodes",
    gateway({ entry: { kind: "nodePort", https: 32_768 } }),
    "gateway.entry.https: 32768: must be at most 32767; lower it",
  ],
  [
    "one port for HTTP and HTTPS",
    gateway({ entry: { kind: "nodePort", http: 30_443 } }),
    "gateway.entry.https: 30443: is the port for HTTP as well; give each a port of its own",
  ],
  [
    "a traffic policy where there is one alone",
    gateway({ entry: { kind: "servicelb", trafficPolicy: "local" } }),
    "gateway.entry.trafficPolicy: unknown key: the keys here are kind; use one of kind",
  ],
  [
    "an unknown traffic policy",
    gateway({ entry: { kind: "external", trafficPolicy: "Local" } }),
    'gateway.entry.trafficPolicy: "Local": must be one of local, cluster; did you mean local?',
  ],
  [
    "a class of load balancers without a name",
    gateway({ entry: { kind: "external", loadBalancerClass: "" } }),
    'gateway.entry.loadBalancerClass: "": must be at least 1; raise it',
  ],
  ["MetalLB without addresses", metallb(), "gateway.entry.addresses: a list of 0: must be at least 1; raise it"],
  ...["192.0.2.240", "192.0.2.240/28/1", "2001:db8::/64", "metallb.example.com"].map((address): Case => [
    `MetalLB's address ${address}`,
    metallb("192.0.2.224/28", address),
    `gateway.entry.addresses[1]: ${JSON.stringify(address)}: must be an IPv4 network or a range of addresses; write it as "192.0.2.240/28" or "192.0.2.240-192.0.2.250"`,
  ]),
  ...["192.0.2.300-192.0.2.310", "192.0.2.250-192.0.2.240", "192.0.2.0-192.0.1.255"].map((range): Case => [
    `MetalLB's range ${range}`,
    metallb(range),
    `gateway.entry.addresses: ${range}: must go from one IPv4 address to the same or a later one; write it as "192.0.2.240-192.0.2.250"`,
  ]),
  [
    "a network of MetalLB's with host bits",
    metallb("192.0.2.241/28"),
    'gateway.entry.addresses: 192.0.2.241/28: has host bits set below /28; write "192.0.2.240/28"',
  ],
  ...["10.42.7.0/24", "10.42.0.0/16", "10.42.255.250-10.42.255.255", "10.41.255.250-10.42.0.0"].map((range): Case => [
    `addresses that pods have: ${range}`,
    metallb(range),
    `gateway.entry.addresses: ${range}: lies in cluster.network.podCidr 10.42.0.0/16; use addresses of the nodes' own network that nobody else has`,
  ]),
  [
    "addresses that Services have",
    metallb("192.0.2.240/28", "10.43.0.10-10.43.0.20"),
    "gateway.entry.addresses: 10.43.0.10-10.43.0.20: lies in cluster.network.serviceCidr 10.43.0.0/16; use addresses of the nodes' own network that nobody else has",
  ],
  ...["servicelb", "external"].map((kind): Case => [
    `an address that nobody gives on a cluster that \`make up\` starts: ${kind}`,
    gateway({ entry: { kind } }, { cluster: existing({ embedded: "simulated-nodes" }) }),
    `gateway.entry.kind: ${kind}: on a cluster that \`make up\` starts nobody gives a Service an address; set kind: nodePort`,
  ]),
  [
    "MetalLB on a cluster that `make up` starts",
    {
      ...metallb("192.0.2.240/28"),
      cluster: existing({ embedded: "simulated-nodes" }),
    },
    "gateway.entry.kind: metallb: on a cluster that `make up` starts nobody gives a Service an address; set kind: nodePort",
  ],
  ...["proxyProtocol", "trustedProxies"].map((key): Case => [
    `a proxy by its address alone: ${key}`,
    gateway({ [key]: ["192.0.2.1"] }),
    `gateway.${key}[0]: "192.0.2.1": must be an IPv4 network in CIDR form; write it as "10.42.0.0/16"`,
  ]),
  [
    "an unknown kind of certificate",
    gateway({ tls: { kind: "letsEncrypt" } }),
    'gateway.tls.kind: "letsEncrypt": must say whose certificate it is: selfSigned or certificate; set kind: certificate, or kind: selfSigned to develop against',
  ],
  [
    "a Secret for a certificate that the gateway makes",
    gateway({ tls: { kind: "selfSigned", secretName: "theirs" } }),
    "gateway.tls.secretName: unknown key: the keys here are kind; use one of kind",
  ],
  [
    "a Secret of no name",
    gateway({ tls: { kind: "certificate", secretName: "Gateway_TLS" } }),
    'gateway.tls.secretName: "Gateway_TLS": must be a DNS label: lower-case letters, digits and dashes, at most 63; for example "checkout-v2"',
  ],
  [
    "a certificate of its own making on a stack that is protected",
    rawConfig({ platform: { protect: true } }),
    "gateway.tls.kind: selfSigned: no client can tell such a certificate from an impostor's, and this stack is protected; set kind: certificate, with the secret gatewayTls or a Secret that cert-manager keeps",
  ],
  [
    "a certificate that would not be used",
    rawConfig({ gatewayTls: { certificate: "<secret>", key: "<secret>" } }),
    "gateway.tls.kind: selfSigned: gatewayTls has a certificate, which would not be used; set kind: certificate, or drop gatewayTls",
  ],
  ...[
    ["certificate", "key"],
    ["key", "certificate"],
  ].map(([missing = "", given = ""]): Case => [
    `a certificate's ${given} alone`,
    gateway({ tls: { kind: "certificate" } }, { gatewayTls: { [given]: "<secret>" } }),
    `gatewayTls.${missing}: missing: the parts of gatewayTls are certificate and key; set it: pulumi config set --secret --path 'gatewayTls["${missing}"]' < its-file`,
  ]),
  [
    "an unknown part of a certificate",
    gateway(
      { tls: { kind: "certificate" } },
      { gatewayTls: { certificate: "<secret>", key: "<secret>", chain: "<secret>" } },
    ),
    "gatewayTls.chain: unknown key: the parts of gatewayTls are certificate and key; drop it",
  ],
  [
    "an unknown word of what is logged",
    gateway({ accessLog: "none" }),
    'gateway.accessLog: "none": must be one of all, errors; use one of all, errors',
  ],
  [
    "less than a millisecond to connect",
    gateway({ connectTimeout: "999us" }),
    'gateway.connectTimeout: 999us: no connection stands in less than a millisecond; for example "500ms"',
  ],
  [
    "a min of replicas above max",
    replicas({ min: 5, max: 4 }),
    "gateway.replicas.min: 5: is above max 4; lower min or raise max",
  ],
  ["no replica", replicas({ min: 0 }), "gateway.replicas.min: 0: must be at least 1; raise it"],
  [
    "a request of CPU above its limit",
    replicas({ requests: { cpu: "2500m" } }),
    "gateway.replicas.requests.cpu: 2500m: is above its limit 2; lower the request or raise the limit",
  ],
  [
    "a request of memory above its limit",
    replicas({ limits: { memory: "64Mi" } }),
    "gateway.replicas.requests.memory: 128Mi: is above its limit 64Mi; lower the request or raise the limit",
  ],
  [
    "a request of no CPU",
    replicas({ requests: { cpu: 0 } }),
    'gateway.replicas.requests.cpu: 0: must be at least 1m, or the autoscaler has nothing to go by; for example "1"',
  ],
  [
    "a request of no memory",
    replicas({ requests: { memory: 0 } }),
    'gateway.replicas.requests.memory: 0: must be above 0, or nothing holds a pod to its node; for example "128Mi"',
  ],
  [
    "a CPU target above the request",
    replicas({ cpuTarget: "101%" }),
    'gateway.replicas.cpuTarget: 101%: must be from 1% to 100% of the request; for example "70%"',
  ],
  [
    "a CPU target of nothing",
    replicas({ cpuTarget: "0.5%" }),
    'gateway.replicas.cpuTarget: 0.5%: must be from 1% to 100% of the request; for example "70%"',
  ],
];

const ROUTES: readonly Case[] = [
  ...[
    "api",
    "/api//orders",
    "/api/../orders",
    "/..",
    "/./api",
    "/api/.../orders",
    "/api/%2e/orders",
    "/api?all",
    "/api orders",
    "/äpi",
    "https://shop.example.com/api",
    "",
    `/${Array(65).fill("a").join("/")}`,
    // Whose parts may be read in many ways: told at once all the same.
    `/${Array(60).fill("customers").join("/")}/%2e`,
  ].map((path): Case => [
    `the path ${path.slice(0, 40)}`,
    route({ path }),
    `routes[0].path: ${JSON.stringify(path)}: ${PATH}`,
  ]),
  [
    "a prefix that ends with a slash",
    route({ path: "/api/", match: "prefix" }),
    'routes[0].path: /api/: a prefix goes by whole segments, so it ends without a slash; write "/api"',
  ],
  ...[
    "shop.example.com:8443",
    "Shop.example.com",
    "*.example.com",
    "shop.example.com.",
    "-shop.example.com",
    "shop..com",
    `${"a".repeat(64)}.example.com`,
    "",
  ].map((host): Case => [`the host ${host}`, route({ host }), `routes[0].host: ${JSON.stringify(host)}: ${HOST}`]),
  [
    "an unknown match",
    route({ match: "regex" }),
    'routes[0].match: "regex": must be one of exact, prefix; use one of exact, prefix',
  ],
  ["no method", route({ methods: [] }), "routes[0].methods: a list of 0: must be at least 1; raise it"],
  [
    "a method in lower case",
    route({ methods: ["GET", "post"] }),
    'routes[0].methods[1]: "post": must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS; use one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
  ],
  [
    "an unknown way to be believed",
    route({ auth: "basic" }),
    'routes[0].auth: "basic": must be one of token, none; use one of token, none',
  ],
  ["no role", route({ roles: [] }), "routes[0].roles: a list of 0: must be at least 1; raise it"],
  ["a role without a name", route({ roles: [""] }), 'routes[0].roles[0]: "": must be at least 1; raise it'],
  ["too many attempts", route({ retries: 11 }), "routes[0].retries: 11: must be at most 10; lower it"],
  [
    "a body's size without a unit",
    route({ maxBodySize: 1024 }),
    'routes[0].maxBodySize: 1024: has no unit; write "1024Mi" or "1024Gi"',
  ],
  ["no function", route({ to: [] }), "routes[0].to: a list of 0: must be at least 1; raise it"],
  [
    "a weight below nothing",
    route({ to: [{ function: "checkout", weight: -1 }] }),
    "routes[0].to[0].weight: -1: must be at least 0; raise it",
  ],
  [
    "weights that are all nothing",
    route({
      to: [
        { function: "checkout", weight: 0 },
        { function: "next", weight: 0 },
      ],
    }),
    "routes[0].to: 0: is the sum of all weights, so nothing would be served; raise one of them",
  ],
  [
    "a function twice in one route",
    route({ to: [{ function: "checkout" }, { function: "next" }, { function: "checkout", weight: 5 }] }),
    "routes[0].to: checkout: is named twice; give it one weight",
  ],
  [
    "a function that there is not",
    route({ to: [{ function: "checkout" }, { function: "checkuot" }] }),
    "routes[0].to: checkuot: is no function of this stack; use one of checkout, next",
  ],
  [
    "a path that is routed twice",
    rawConfig({ routes: [{ path: "/a" }, { path: "/b" }, { path: "/a", methods: ["GET"] }] }),
    "routes[2].path: /a: is routed twice; name both functions in one route's `to`, or give it another host or path",
  ],
  [
    "a path of one host that is routed twice",
    rawConfig({
      routes: [
        { host: "shop.example.com", path: "/a", match: "prefix" },
        { host: "shop.example.com", path: "/a", match: "prefix" },
      ],
    }),
    "routes[1].path: /a: is routed twice; name both functions in one route's `to`, or give it another host or path",
  ],
  [
    "a public route behind K3s's own load balancer",
    rawConfig({ gateway: { entry: { kind: "servicelb" } }, routes: [{}, { path: "/open", auth: "none" }] }),
    "routes[1].auth: none: clients without a token are limited by their address, and servicelb puts a node's address in its place; ask for a token, or use another gateway.entry",
  ],
  ...["nodePort", "external"].map((kind): Case => [
    `a public route behind nodes that pass requests on: ${kind}`,
    rawConfig({ gateway: { entry: { kind, trafficPolicy: "cluster" } }, routes: [{ auth: "none" }] }),
    "routes[0].auth: none: clients without a token are limited by their address, and trafficPolicy cluster puts a node's address in its place; ask for a token, or set gateway.entry.trafficPolicy: local",
  ]),
];

const PROXIES: readonly Case[] = (["proxyProtocol", "trustedProxies"] as const).flatMap((key) =>
  [{ kind: "servicelb" }, { kind: "nodePort", trafficPolicy: "cluster" }].map((entry): Case => [
    `${key} that a node stands before: ${entry.kind}`,
    rawConfig({ gateway: { entry, [key]: ["192.0.2.1/32"] } }),
    `gateway.${key}: a list of 1: the gateway sees a node's address in the place of theirs, so they would never be believed; set gateway.entry.trafficPolicy: local, with another entry than servicelb`,
  ]),
);

const AUTHORIZATION: readonly Case[] = [
  ["an issuer without a name", jwt({ issuer: undefined }), "authorization.jwt.issuer: missing: must be a text; set it"],
  ["tokens for nobody", jwt({ audience: "" }), 'authorization.jwt.audience: "": must be at least 1; raise it'],
  [
    "an algorithm with a shared secret",
    jwt({ algorithms: ["ES256", "HS256"] }),
    'authorization.jwt.algorithms[1]: "HS256": must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA; did you mean RS256?',
  ],
  [
    "unsigned tokens",
    jwt({ algorithms: ["none"] }),
    'authorization.jwt.algorithms[0]: "none": must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA; use one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA',
  ],
  ["no algorithm", jwt({ algorithms: [] }), "authorization.jwt.algorithms: a list of 0: must be at least 1; raise it"],
  ...["d", "p", "q", "dp", "dq", "qi", "k"].map((part): Case => [
    `a private key, by its ${part}`,
    jwt({ keys: [KEY, { ...KEY, [part]: "hunter2" }] }),
    "authorization.jwt.keys[1]: (not shown): is a private key, and stands in plain text in the stack's file; give its public part, and make a new key",
  ]),
  [
    "a key that is a shared secret",
    jwt({ keys: [{ kty: "oct", k: "hunter2" }] }),
    'authorization.jwt.keys[0].kty: "oct": must be one of RSA, EC, OKP; use one of RSA, EC, OKP',
  ],
  ["an empty list of keys", jwt({ keys: [] }), "authorization.jwt.keys: a list of 0: must be at least 1; raise it"],
  [
    "no keys",
    jwt({ keys: undefined }),
    "authorization.jwt.keys: missing: tokens are verified by keys from one place; set one of keys, keysFile and keysUrl",
  ],
  [
    "keys from two places",
    jwt({ keysFile: "keys.json" }),
    "authorization.jwt.keys: keys and keysFile: tokens are verified by keys from one place; set one of keys, keysFile and keysUrl",
  ],
  [
    "keys from three places",
    published({ keys: [KEY], keysFile: "keys.json" }),
    "authorization.jwt.keys: keys and keysFile and keysUrl: tokens are verified by keys from one place; set one of keys, keysFile and keysUrl",
  ],
  ...[
    "http://id.example.com/keys",
    "id.example.com/keys",
    "https:///keys",
    "https://id.example.com/my keys",
    "https://id.example.com:99999/keys",
    "https://id.example.com:port/keys",
    "https://[id]/keys",
  ].map((keysUrl): Case => [
    `keys from ${keysUrl}`,
    published({ keysUrl }),
    `authorization.jwt.keysUrl: ${JSON.stringify(keysUrl)}: must be an https URL without user and password; for example "https://id.example.com/.well-known/jwks.json"`,
  ]),
  [
    "keys from a URL with a password, which is not told",
    published({ keysUrl: "https://user:hunter2@id.example.com/keys" }),
    'authorization.jwt.keysUrl: (not shown): must be an https URL without user and password; for example "https://id.example.com/.well-known/jwks.json"',
  ],
  [
    "published keys that the network does not let it reach",
    published({ keysAddresses: [] }),
    "authorization.jwt.keysAddresses: missing: the network lets the authorizer reach nothing outside that is not named; name the networks that keysUrl's server has",
  ],
  [
    "the issuer's address by its name",
    published({ keysAddresses: ["id.example.com"] }),
    'authorization.jwt.keysAddresses[0]: "id.example.com": must be an IPv4 network in CIDR form; write it as "10.42.0.0/16"',
  ],
  ...["", "role.", ".role", "a..b", "my role"].map((rolesClaim): Case => [
    `the roles' claim ${JSON.stringify(rolesClaim)}`,
    jwt({ rolesClaim }),
    `authorization.jwt.rolesClaim: ${JSON.stringify(rolesClaim)}: must be a claim's name; for example "role"`,
  ]),
  ...[
    ["61s", "61s"],
    ["1500ms", "1500ms"],
    ["0.5s", "500ms"],
  ].map(([clockTolerance = "", shown = ""]): Case => [
    `a clock's tolerance of ${clockTolerance}`,
    jwt({ clockTolerance }),
    `authorization.jwt.clockTolerance: ${shown}: must be whole seconds up to 60s: a token is believed for so long after it has expired; write it as "5s"`,
  ]),
  [
    "a log of no request",
    rawConfig({ authorization: { logSampling: 0 } }),
    "authorization.logSampling: 0: must be at least 1; raise it",
  ],
  [
    "a min of authorizers above max",
    rawConfig({ authorization: { replicas: { min: 3, max: 2 } } }),
    "authorization.replicas.min: 3: is above max 2; lower min or raise max",
  ],
  [
    "an authorizer of no CPU",
    rawConfig({ authorization: { replicas: { requests: { cpu: "0m" } } } }),
    'authorization.replicas.requests.cpu: 0: must be at least 1m, or the autoscaler has nothing to go by; for example "500m"',
  ],
  [
    "budgets of no kind",
    rawConfig({ authorization: { budgets: { kind: "redis" } } }),
    'authorization.budgets.kind: "redis": must say where budgets are kept: divided (each replica has its share) or shared (in Valkey); set kind: divided or kind: shared',
  ],
  [
    "a store where budgets are divided",
    rawConfig({ authorization: { budgets: { kind: "divided", host: "valkey.example.com" } } }),
    "authorization.budgets.host: unknown key: the keys here are kind; use one of kind",
  ],
  [
    "a store without an address",
    store({ addresses: [] }),
    "authorization.budgets.addresses: a list of 0: must be at least 1; raise it",
  ],
  [
    "a store's user with a space",
    store({ username: "the authorizer" }),
    'authorization.budgets.username: "the authorizer": must be a user\'s name: letters, digits and .@:_-, at most 64; for example "authorizer"',
  ],
  [
    "an authority that is a path",
    store({ tls: true, ca: "/etc/ssl/ca.pem" }),
    'authorization.budgets.ca: "/etc/ssl/ca.pem": must be certificates as PEM; write the file\'s text below `ca: |`',
  ],
  [
    "keys that begin with a pattern",
    store({ prefix: "shop*" }),
    'authorization.budgets.prefix: "shop*": must be letters, digits and .:_-, at most 64; for example "shop-prod"',
  ],
  [
    "a lease of nothing",
    store({ lease: "0.9%" }),
    'authorization.budgets.lease: 0.9%: must be from 1% to 50%: what one replica has leased, the others refuse; for example "10%"',
  ],
  [
    "a store without its password",
    store({}, {}),
    "budgetStore.password: missing: the parts of budgetStore are password; set it: pulumi config set --secret --path 'budgetStore[\"password\"]' < its-file",
  ],
  [
    "an unknown part of a store's secret",
    store({}, { password: "<secret>", user: "<secret>" }),
    "budgetStore.user: unknown key: the parts of budgetStore are password; drop it",
  ],
  [
    "a password for no store",
    rawConfig({ budgetStore: { password: "<secret>" } }),
    "budgetStore: set: budgets are divided among the replicas, and kept in no store; drop it, or set authorization.budgets.kind: shared",
  ],
];

describe("parseConfig rejects of the gateway", () => {
  it.each(GATEWAY)("%s", (_, raw, problem) => {
    expect(problemsOf(() => parseConfig(raw))).toEqual([problem]);
  });

  it.each(["10.0.0.0/9", "10.41.255.250-10.44.0.5"])("addresses that both pods and Services have: %s", (range) => {
    const fix = "use addresses of the nodes' own network that nobody else has";
    expect(problemsOf(() => parseConfig(metallb(range)))).toEqual([
      `gateway.entry.addresses: ${range}: lies in cluster.network.podCidr 10.42.0.0/16; ${fix}`,
      `gateway.entry.addresses: ${range}: lies in cluster.network.serviceCidr 10.43.0.0/16; ${fix}`,
    ]);
  });
});

describe("parseConfig rejects of routes", () => {
  it.each([...ROUTES, ...PROXIES])("%s", (_, raw, problem) => {
    expect(problemsOf(() => parseConfig(raw))).toEqual([problem]);
  });
});

describe("parseConfig rejects of authorization", () => {
  it.each(AUTHORIZATION)("%s", (_, raw, problem) => {
    expect(problemsOf(() => parseConfig(raw))).toEqual([problem]);
  });

  it.each([
    ["a private key", jwt({ keys: [{ ...KEY, d: "hunter2" }] })],
    ["a shared secret", jwt({ keys: [{ kty: "oct", k: "hunter2" }] })],
    ["a key's text given for its marker", rawConfig({ gatewayTls: { certificate: "<secret>", key: "hunter2" } })],
    ["a password given for its marker", rawConfig({ budgetStore: { password: "hunter2" } })],
    ["a password in the issuer's URL", published({ keysUrl: "https://user:hunter2@id.example.com/keys" })],
    ["a password in a URL of another kind", published({ keysUrl: "http://user:hunter2@id.example.com/keys" })],
  ])("%s without showing it", (_, raw) => {
    expect(caught(() => parseConfig(raw)).message).not.toContain("hunter2");
  });
});

describe("parseConfig accepts", () => {
  it.each(["/", "/api/function", "/api/", "/a.b/.well-known/~x/..a", `/${Array(64).fill("a").join("/")}`])(
    "the path %s",
    (path) => {
      expect(parseConfig(route({ path })).routes[0]?.path).toBe(path);
    },
  );

  it.each(["localhost", "shop.example.com", "xn--bcher-kva.example", "192.0.2.10", `${"a".repeat(63)}.example.com`])(
    "the host %s",
    (host) => {
      expect(parseConfig(route({ host })).routes[0]?.host).toBe(host);
    },
  );

  it.each(["10.41.255.250-10.41.255.255", "10.44.0.0/24", "192.0.2.240-192.0.2.240"])(
    "addresses beside the cluster's networks: %s",
    (range) => {
      expect(parseConfig(metallb(range)).gateway.entry).toMatchObject({ addresses: [range] });
    },
  );

  it("one path by another host, or by another match", () => {
    const routes = [{ path: "/a" }, { path: "/a", match: "prefix" }, { path: "/a", host: "shop.example.com" }];
    expect(parseConfig(rawConfig({ routes })).routes.map(({ path }) => path)).toEqual(["/a", "/a", "/a"]);
  });

  it("a public route behind a proxy that tells the client's address, where that proxy is seen", () => {
    const tells = { entry: { kind: "external" }, proxyProtocol: ["192.0.2.1/32"] };
    expect(parseConfig(rawConfig({ gateway: tells, routes: [{ auth: "none" }] })).routes[0]?.auth).toBe("none");
  });

  it("a protected stack with a certificate, of the config or somebody else's", () => {
    const raw = (gatewayTls: Raw) =>
      rawConfig({ platform: { protect: true }, gateway: { tls: { kind: "certificate" } }, gatewayTls });
    const tls = { kind: "certificate", secretName: "gateway-tls" };
    expect(parseConfig(raw({})).gateway.tls).toEqual(tls);
    expect(parseConfig(raw({ certificate: "<secret>", key: "<secret>" })).gateway.tls).toEqual(tls);
  });

  it("the smallest config, as the reference has it", () => {
    const { gateway, routes, authorization } = parseConfig(rawConfig({ functions: [{ name: "checkout" }] }));
    expect(gateway).toMatchObject({
      kind: "traefik",
      namespace: "gateway",
      entry: { kind: "nodePort", http: 30_080, https: 30_443, trafficPolicy: "local" },
      tls: { kind: "selfSigned" },
    });
    expect(routes).toEqual([
      {
        path: "/api/function",
        match: "exact",
        methods: ["POST"],
        auth: "token",
        roles: ["user"],
        to: [{ function: "checkout", weight: 100 }],
        retries: 2,
        maxBodySize: 2 ** 20,
      },
    ]);
    expect(authorization).not.toHaveProperty("jwt");
    expect(authorization.budgets).toEqual({ kind: "divided" });
  });

  it("a rich config, every quantity parsed", () => {
    const config = parseConfig({
      cluster: k3s(3, 2),
      gateway: {
        kind: "kong",
        namespace: "way-in",
        image: "registry.example.com/kong:3.9.1",
        entry: { kind: "metallb", addresses: ["192.0.2.240/28", "192.0.2.10-192.0.2.19"], trafficPolicy: "local" },
        proxyProtocol: ["198.51.100.0/24"],
        tls: { kind: "certificate", secretName: "theirs" },
        hsts: "0s",
        accessLog: "all",
        connectTimeout: "250ms",
        replicas: { min: 3, max: 9, cpuTarget: "60%", requests: { cpu: 2 }, limits: { cpu: 4, memory: "1Gi" } },
        cpuPerRequest: "400us",
      },
      functions: [{ name: "checkout" }, { name: "next" }],
      routes: [
        {
          host: "shop.example.com",
          path: "/api",
          match: "prefix",
          methods: ["GET", "HEAD"],
          auth: "none",
          roles: ["user", "admin"],
          to: [
            { function: "checkout", weight: 95 },
            { function: "next", weight: 5 },
          ],
          retries: 0,
          maxBodySize: "10Mi",
        },
      ],
      authorization: {
        jwt: {
          issuer: "https://id.example.com/",
          audience: "shop",
          algorithms: ["PS256"],
          keysUrl: "https://id.example.com:8443/keys?version=2",
          keysAddresses: ["198.51.100.20/32"],
          rolesClaim: "realm_access.roles",
          clockTolerance: "1m",
        },
        image: "registry.example.com/node:22.21.1",
        budgets: { kind: "shared", host: "valkey.example.com", addresses: ["10.9.0.0/24"], tls: true, lease: "50%" },
        logSampling: 1,
        replicas: { min: 4 },
        cpuPerDecision: "0.3ms",
      },
      budgetStore: { password: "<secret>" },
    });
    const network = (text: string) => {
      const [address = "", prefix = ""] = text.split("/");
      return { text, address, prefix: Number(prefix) };
    };
    const image = (repository: string, tag: string) => ({
      text: `registry.example.com/${repository}:${tag}`,
      ...{ registry: "registry.example.com", repository, tag },
    });
    expect(config.gateway).toEqual({
      kind: "kong",
      namespace: "way-in",
      image: image("kong", "3.9.1"),
      entry: { kind: "metallb", addresses: ["192.0.2.240/28", "192.0.2.10-192.0.2.19"], trafficPolicy: "local" },
      proxyProtocol: [network("198.51.100.0/24")],
      trustedProxies: [],
      tls: { kind: "certificate", secretName: "theirs" },
      hsts: 0,
      accessLog: "all",
      connectTimeout: 250,
      replicas: {
        min: 3,
        max: 9,
        cpuTarget: 0.6,
        requests: { cpu: 2000, memory: 128 * 2 ** 20 },
        limits: { cpu: 4000, memory: 2 ** 30 },
      },
      cpuPerRequest: 0.4,
    });
    expect(config.routes).toEqual([
      {
        host: "shop.example.com",
        path: "/api",
        match: "prefix",
        methods: ["GET", "HEAD"],
        auth: "none",
        roles: ["user", "admin"],
        to: [
          { function: "checkout", weight: 95 },
          { function: "next", weight: 5 },
        ],
        retries: 0,
        maxBodySize: 10 * 2 ** 20,
      },
    ]);
    expect(config.authorization).toEqual({
      jwt: {
        issuer: "https://id.example.com/",
        audience: "shop",
        algorithms: ["PS256"],
        keysUrl: "https://id.example.com:8443/keys?version=2",
        keysAddresses: [network("198.51.100.20/32")],
        rolesClaim: "realm_access.roles",
        clockTolerance: 60_000,
      },
      image: image("node", "22.21.1"),
      budgets: {
        kind: "shared",
        host: "valkey.example.com",
        port: 6379,
        addresses: [network("10.9.0.0/24")],
        tls: true,
        prefix: "wasm-functions",
        lease: 0.5,
      },
      logSampling: 1,
      replicas: {
        min: 4,
        cpuTarget: 0.7,
        requests: { cpu: 500, memory: 192 * 2 ** 20 },
        limits: { cpu: 1000, memory: 384 * 2 ** 20 },
      },
      cpuPerDecision: 0.3,
    });
  });
});
