import { z } from "zod";
import * as field from "./config-fields";
import { check, section } from "./config-fields";
import { formatDuration, formatPercent } from "./units";

/** Algorithms by which a token may be signed: those with a public key alone, so that who verifies cannot sign. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] as const;

/** One public key as a JSON Web Key; a private part is refused, it would show in previews and in the cluster. */
const publicKey = z.looseObject({ kty: z.enum(["RSA", "EC", "OKP"]), kid: z.string().min(1).optional() }).superRefine(
  check((key) => [
    ["d", "p", "q", "dp", "dq", "qi", "k"].some((part) => part in key) && {
      path: [],
      value: "(not shown)",
      limit: "is a private key, and stands in plain text in the stack's file",
      fix: "give its public part, and make a new key",
    },
  ]),
);

/** An https URL; a user and password are refused, and not shown. */
const keysUrl = z.string().superRefine(
  check((url) => [
    !(/^https:\/\/[^\s/@]+(?:\/\S*)?$/.test(url) && URL.canParse(url)) && {
      path: [],
      value: url.includes("@") ? "(not shown)" : JSON.stringify(url),
      limit: "must be an https URL without user and password",
      fix: 'for example "https://id.example.com/.well-known/jwks.json"',
    },
  ]),
);

/** Whose tokens are believed. */
const jwt = section({
  /** The token's `iss`. */
  issuer: z.string().min(1),
  /** Must be among the token's `aud`. */
  audience: z.string().min(1),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(["RS256", "ES256", "EdDSA"]),
  /** The issuer's public keys, … */
  keys: z.array(publicKey).min(1).optional(),
  /** … or a file of the project's folder that has them, as a JSON Web Key Set, … */
  keysFile: z.string().min(1).optional(),
  /** … or where the issuer publishes them; they are asked for anew when a token names one that is not known. */
  keysUrl: keysUrl.optional(),
  /** Addresses of that server; the authorizer may reach these and nothing else outside. */
  keysAddresses: z.array(field.cidr).default([]),
  /** The claim that has the user's role, as a text or a list of texts; `realm_access.roles` goes into objects. */
  rolesClaim: field
    .pattern(/^[\w:/-]+(?:\.[\w:/-]+)*$/, { limit: "must be a claim's name", fix: 'for example "role"' })
    .prefault("role"),
  /** By how much clocks may differ. */
  clockTolerance: field.duration.prefault("5s"),
}).superRefine(
  check((j) => {
    const given = (["keys", "keysFile", "keysUrl"] as const).filter((key) => j[key] !== undefined);
    return [
      given.length !== 1 && {
        path: ["keys"],
        value: given.length === 0 ? "missing" : given.join(" and "),
        limit: "tokens are verified by keys from one place",
        fix: "set one of keys, keysFile and keysUrl",
      },
      j.keysUrl !== undefined &&
        j.keysAddresses.length === 0 && {
          path: ["keysAddresses"],
          value: "missing",
          limit: "the network lets the authorizer reach nothing outside that is not named",
          fix: "name the networks that keysUrl's server has",
        },
      (j.clockTolerance > 60_000 || j.clockTolerance % 1000 !== 0) && {
        path: ["clockTolerance"],
        value: formatDuration(j.clockTolerance),
        limit: "must be whole seconds up to 60s: a token is believed for so long after it has expired",
        fix: 'write it as "5s"',
      },
    ];
  }),
);

/** Budgets in a Valkey server, 7.2 or newer: one server or what stands for it, not a cluster. */
const shared = section({
  kind: z.literal("shared"),
  host: field.pattern(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, {
    limit: "must be a host's name or IPv4 address alone",
    fix: 'for example "valkey.example.com"; the port has a key of its own',
  }),
  port: field.port.default(6379),
  /** Addresses of the server; the authorizer may reach these. */
  addresses: z.array(field.cidr).min(1),
  /** Default: the server's user `default`. */
  username: field
    .pattern(/^[\w.@:-]{1,64}$/, {
      limit: "must be a user's name: letters, digits and .@:_-, at most 64",
      fix: 'for example "authorizer"',
    })
    .optional(),
  /** The server's certificate is verified for `host`. Without, password and budgets go in clear. */
  tls: z.boolean().default(false),
  /** What that certificate descends from. Default: the authorities that Node knows. */
  ca: field
    .pattern(/^-----BEGIN CERTIFICATE-----\n[\s\S]+\n-----END CERTIFICATE-----\s*$/, {
      limit: "must be certificates as PEM",
      fix: "write the file's text below `ca: |`",
    })
    .optional(),
  /** What the keys begin with; stacks that share a server have one each. */
  prefix: field
    .pattern(/^[\w.:-]{1,64}$/, {
      limit: "must be letters, digits and .:_-, at most 64",
      fix: 'for example "shop-prod"',
    })
    .prefault("wasm-functions"),
  /** What a replica takes at once, as a share of what the client has left, and at least one request. */
  lease: field.percent.prefault("10%"),
}).superRefine(
  check((b) => [
    b.ca !== undefined &&
      !b.tls && {
        path: ["ca"],
        value: "set",
        limit: "the store is asked without TLS, so that nothing is verified by it",
        fix: "set tls: true, or drop it",
      },
    (b.lease < 0.01 || b.lease > 0.5) && {
      path: ["lease"],
      value: formatPercent(b.lease),
      limit: "must be from 1% to 50%: what one replica has leased, the others refuse",
      fix: 'for example "10%"',
    },
  ]),
);

/** Where a client's budget is kept. */
const budgets = z.discriminatedUnion("kind", [
  /** Each replica has its share of it: nothing else to run; a client whose requests go unevenly may get less. */
  section({ kind: z.literal("divided") }),
  /** All replicas take from one budget in Valkey, a lease at a time; while it does not answer, budgets are divided. */
  shared,
]);

export const authorizationSchema = section({
  /** Default: nobody's tokens; then only routes with `auth: none` serve. */
  jwt: jwt.optional(),
  /** The official Node image. Default: the one that was proved. */
  image: field.image.optional(),
  budgets: budgets.prefault({ kind: "divided" }),
  /** Of requests that are let through, one in so many is logged; refusals always are. */
  logSampling: field.positiveCount.default(1000),
  replicas: field
    .replicas({
      min: 2,
      cpu: "500m",
      memory: "192Mi",
      limits: { cpu: "1", memory: "384Mi" },
    })
    .prefault({}),
  /**
   * CPU time that one decision takes of the authorizer: 260 us were measured so, nine tenths of them Node's HTTP
   * (`make bench STACK=real`).
   */
  cpuPerDecision: field.duration.prefault("260us"),
});
