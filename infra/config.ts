import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { admissionProblems } from "./admission-checks";
import { autoscalingProblems } from "./autoscaling-checks";
import { duplicates } from "./config-fields";
import { DEFAULT_FUNCTION_NAME } from "./config-function";
import { stackSchema } from "./config-schema";
import { gatewayProblems } from "./gateway-checks";
import { observabilityProblems } from "./observability-checks";
import { ProblemsError, type Problem } from "./problems";

// Primitives come first: a number with its unit (`MilliCpu`) is an intersection that TypeScript also takes for an object.
type DeepReadonly<T> = T extends string | number | boolean | undefined
  ? T
  : T extends (infer Item)[]
    ? readonly DeepReadonly<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T;

/** A whole, checked configuration with its defaults filled in and every quantity parsed. */
export type StackConfig = DeepReadonly<z.output<typeof stackSchema>>;
export type ClusterConfig = StackConfig["cluster"];
export type ExistingClusterConfig = Extract<ClusterConfig, { kind: "existing" }>;
export type K3sClusterConfig = Extract<ClusterConfig, { kind: "k3s" }>;
export type TenantConfig = StackConfig["tenants"][number];
export type FunctionConfig = StackConfig["functions"][number];
export type GatewayConfig = StackConfig["gateway"];
export type RouteConfig = StackConfig["routes"][number];
export type AuthorizationConfig = StackConfig["authorization"];
export type AutoscalingConfig = StackConfig["autoscaling"];
export type ObservabilityConfig = StackConfig["observability"];
export type AdmissionConfig = StackConfig["admission"];
export type ControlPlaneConfig = StackConfig["controlPlane"];

/** Stands in for a secret's value in what `parseConfig` is given: it must know that it is set, and no more. */
export const SECRET_PRESENT = "<secret>";

/** The config keys that are secrets, each set with `pulumi config set --secret`. */
export const SECRET_KEYS = [
  "kubeconfig",
  "databaseUrls",
  "pullCredentials",
  "sshKeys",
  "snapshotStorage",
  "gatewayTls",
  "budgetStore",
  "alertReceivers",
  "logStorage",
] as const;

/**
 * Checks a raw config (the object under the project's namespace, secrets replaced by `SECRET_PRESENT`) and
 * fills in the reference workload's defaults.
 *
 * @throws ProblemsError with every problem found, each with path, value, limit and fix.
 */
export function parseConfig(raw: unknown): StackConfig {
  const result = stackSchema.safeParse(raw, { reportInput: true });
  const problems = result.success ? [] : result.error.issues.flatMap((issue) => toProblems(issue, raw));
  problems.push(...nameProblems(raw));
  if (result.success) problems.push(...referenceProblems(result.data));
  if (problems.length > 0 || !result.success) throw new ProblemsError("The config is not valid", problems);
  return freeze(result.data);
}

/** What an item without a name is called; tenants have to be named. */
const DEFAULT_NAMES = { functions: DEFAULT_FUNCTION_NAME, tenants: undefined } as const;

/** Names are checked on what was written, so that a fault elsewhere in a function does not hide a doubled name. */
function nameProblems(raw: unknown): Problem[] {
  return (["functions", "tenants"] as const).flatMap((key) => {
    const items: unknown = isRecord(raw) ? raw[key] : undefined;
    const names = Array.isArray(items)
      ? items.flatMap((item: unknown) => (isRecord(item) ? [item["name"] ?? DEFAULT_NAMES[key]] : []))
      : [];
    const texts = names.filter((name) => typeof name === "string");
    return duplicates(texts, (name) => name).map((name) => ({
      path: `${key}.${name}.name`,
      value: name,
      limit: `names two ${key}`,
      fix: "give each a name of its own",
    }));
  });
}

function referenceProblems(config: z.output<typeof stackSchema>): Problem[] {
  const tenants = config.tenants.map((tenant) => tenant.name);
  const functions = config.functions.map((fn) => fn.name);
  const { cluster } = config;
  const problems: Problem[] = [];
  for (const fn of config.functions) {
    if (!tenants.includes(fn.tenant)) {
      problems.push({
        path: `functions.${fn.name}.tenant`,
        value: fn.tenant,
        limit: "is no tenant of this stack",
        fix: suggestion(fn.tenant, tenants),
      });
    }
  }
  for (const name of Object.keys(config.databaseUrls)) {
    const fn = config.functions.find((f) => f.name === name);
    if (!fn)
      problems.push({
        path: `databaseUrls.${name}`,
        value: name,
        limit: "is no function of this stack",
        fix: suggestion(name, functions),
      });
    else if (!fn.database) {
      problems.push({
        path: `functions.${name}.database`,
        value: "missing",
        limit: "databaseUrls has its connection, but its address is not known",
        fix: "set database.addresses, so that the network lets it through",
      });
    }
  }
  if (cluster.kind === "existing" && (cluster.kubeconfig === undefined) === (config.kubeconfig === undefined)) {
    const both = cluster.kubeconfig !== undefined;
    problems.push({
      path: "cluster.kubeconfig",
      value: both ? "set twice" : "missing",
      limit: "an existing cluster is reached by one kubeconfig",
      fix: both
        ? "drop either the path or the secret key kubeconfig"
        : "set its path here, or its content as secret key kubeconfig",
    });
  }
  if (cluster.kind === "k3s" && config.kubeconfig !== undefined) {
    problems.push({
      path: "kubeconfig",
      value: "set",
      limit: "a cluster of hosts comes with a kubeconfig of its own",
      fix: "drop the secret, or say cluster.kind: existing",
    });
  }
  problems.push(
    ...snapshotStorageProblems(config),
    ...gatewayProblems(config),
    ...observabilityProblems(config),
    ...admissionProblems(config),
    ...autoscalingProblems(config),
  );
  for (const tenant of config.tenants) {
    if (tenant.name === config.gateway.namespace) {
      problems.push({
        path: `tenants.${tenant.name}.name`,
        value: tenant.name,
        limit: "is the gateway's namespace",
        fix: "use another name, or another gateway.namespace",
      });
    }
  }
  return problems;
}

/** What opens the bucket of etcd's snapshots: there where there is a bucket, and only there. */
function snapshotStorageProblems({ cluster, snapshotStorage }: z.output<typeof stackSchema>): Problem[] {
  const needed = cluster.kind === "k3s" && cluster.snapshots.s3 !== undefined ? ["accessKey", "secretKey"] : [];
  const given = Object.keys(snapshotStorage);
  const path = (name: string) => `snapshotStorage.${name}`;
  return [
    ...needed
      .filter((name) => !given.includes(name))
      .map((name) => ({
        path: path(name),
        value: "missing",
        limit: "cluster.snapshots.s3 is written to with it",
        fix: `set it: pulumi config set --secret --path 'snapshotStorage["${name}"]' < its-file`,
      })),
    ...given
      .filter((name) => !needed.includes(name))
      .map((name) => ({
        path: path(name),
        value: "set",
        limit:
          needed.length > 0
            ? `the names here are ${needed.join(", ")}`
            : "there is no cluster.snapshots.s3 to write to",
        fix: needed.length > 0 ? suggestion(name, needed) : "drop it, or name the bucket",
      })),
  ];
}

/** What a schema of these fields found wrong, for people; `raw` is all that was parsed. */
export function toProblems(issue: z.core.$ZodIssue, raw: unknown): Problem[] {
  const path = formatPath(issue.path, raw);
  // Someone may have put a secret where its marker belongs: what is there is never shown.
  const value = SECRET_KEYS.some((key) => key === issue.path[0]) ? "(hidden)" : describe(issue.input);
  switch (issue.code) {
    case "custom": {
      const { found, limit, fix } = issue.params as { found?: string; limit: string; fix: string };
      return [{ path, value: found ?? value, limit, fix }];
    }
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: formatPath([...issue.path, key], raw),
        value: "unknown key",
        limit: `the keys here are ${issue.message}`,
        fix: suggestion(key, issue.message.split(", ")),
      }));
    case "invalid_value":
      return [
        {
          path,
          value,
          limit: `must be one of ${issue.values.join(", ")}`,
          fix: suggestion(String(issue.input), issue.values.map(String)),
        },
      ];
    case "too_small":
      return [
        {
          path,
          value,
          limit: `must be ${issue.inclusive === false ? "above" : "at least"} ${issue.minimum}`,
          fix: "raise it",
        },
      ];
    case "too_big":
      return [
        {
          path,
          value,
          limit: `must be ${issue.inclusive === false ? "below" : "at most"} ${issue.maximum}`,
          fix: "lower it",
        },
      ];
    case "invalid_union":
      return [unionProblem(issue, path, value)];
    case "invalid_type":
      return [
        {
          path,
          value,
          limit: `must be ${article(issue.expected)}`,
          fix: issue.input === undefined ? "set it" : "correct it",
        },
      ];
    case "invalid_format":
    case "invalid_element":
    case "invalid_key":
    case "not_multiple_of":
      return [{ path, value, limit: issue.message, fix: "correct it" }];
  }
}

function unionProblem(issue: z.core.$ZodIssueInvalidUnion, path: string, value: string): Problem {
  if (issue.discriminator === undefined) return { path, value, limit: "must be a text or a number", fix: "correct it" };
  return {
    path: path.endsWith(`.${issue.discriminator}`) ? path : `${path}.${issue.discriminator}`,
    value: isRecord(issue.input) ? describe(issue.input[issue.discriminator]) : value,
    ...(UNIONS[path.replace(/\.kind$/, "")] ?? kinds(issue)),
  };
}

/** Where no words of its own are below: the names of its kinds. */
function kinds(issue: z.core.$ZodIssueInvalidUnion): { readonly limit: string; readonly fix: string } {
  const names = "options" in issue ? (issue.options ?? []).map(String) : [];
  const found = isRecord(issue.input) ? issue.input[issue.discriminator ?? ""] : undefined;
  return {
    limit: `must be one of ${names.join(", ")}`,
    fix: suggestion(typeof found === "string" ? found : "", names),
  };
}

/** What is asked of each value that is one of several kinds. */
const UNIONS: Readonly<Record<string, { readonly limit: string; readonly fix: string }>> = {
  cluster: {
    limit: "must say which cluster this is: existing (a kubeconfig) or k3s (hosts)",
    fix: "set kind: existing or kind: k3s",
  },
  "gateway.entry": {
    limit: "must say how requests come in: nodePort, metallb, servicelb or external",
    fix: "set kind: nodePort, or one of the others",
  },
  "gateway.tls": {
    limit: "must say whose certificate it is: selfSigned or certificate",
    fix: "set kind: certificate, or kind: selfSigned to develop against",
  },
  "observability.storage": {
    limit: "must say where metrics and logs are kept: persistent (in volumes) or ephemeral (in the pod)",
    fix: "set kind: persistent or kind: ephemeral",
  },
  "admission.webhook": {
    limit:
      "must say where the API server asks: service (Gatekeeper's own) or url (a Gatekeeper outside of the cluster)",
    fix: "set kind: service, or kind: url with url and caFile",
  },
  "autoscaling.keda": {
    limit: "must say where KEDA runs: pods, or processes (beside a control plane whose nodes are simulated)",
    fix: "set kind: pods, or kind: processes with port, caFile and prometheus",
  },
  "authorization.budgets": {
    limit: "must say where budgets are kept: divided (each replica has its share) or shared (in Valkey)",
    fix: "set kind: divided or kind: shared",
  },
};

/** `functions.checkout.scaling.max`: items of a list go by their name, where they have one. */
function formatPath(path: readonly PropertyKey[], raw: unknown): string {
  let at: unknown = raw;
  let text = "";
  for (const key of path) {
    at = isRecord(at) || Array.isArray(at) ? (at as Record<PropertyKey, unknown>)[key] : undefined;
    const name = isRecord(at) ? at["name"] : undefined;
    if (typeof key !== "number") text += text === "" ? String(key) : `.${String(key)}`;
    else text += typeof name === "string" ? `.${name}` : `[${key}]`;
  }
  return text || "config";
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isRecord(value)) return "an object";
  return JSON.stringify(value);
}

function article(expected: string): string {
  return (
    {
      int: "a whole number",
      number: "a number",
      object: "an object",
      array: "a list",
      boolean: "true or false",
      string: "a text",
    }[expected] ?? expected
  );
}

function suggestion(wrong: string, valid: readonly string[]): string {
  const nearest = valid.length > 0 ? closest(wrong, [...valid]) : undefined;
  return nearest !== undefined && distance(wrong, nearest) <= Math.max(2, wrong.length / 3)
    ? `did you mean ${nearest}?`
    : `use one of ${valid.join(", ")}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function freeze<T>(value: T): DeepReadonly<T> {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value as DeepReadonly<T>;
}
