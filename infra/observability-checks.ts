import type { z } from "zod";
import { hostsNamespaceName } from "../components/observability/names";
import { duplicates } from "./config-fields";
import type { stackSchema } from "./config-schema";
import type { Problem } from "./problems";
import { partsProblems } from "./secret-parts";
import { formatDuration } from "./units";

type Parsed = z.output<typeof stackSchema>;

/** What of observability does not go together, or with the rest of the stack. */
export function observabilityProblems(config: Parsed): Problem[] {
  if (!config.observability.enabled) return leftOverSecrets(config);
  return [
    ...namespaceProblems(config),
    ...receiverProblems(config),
    ...bucketProblems(config),
    ...windowProblems(config),
    ...budgetProblems(config),
    ...controlPlaneProblems(config),
  ];
}

/** Nothing would read them. */
function leftOverSecrets(config: Parsed): Problem[] {
  return (["alertReceivers", "logStorage"] as const)
    .filter((key) => Object.keys(config[key]).length > 0)
    .map((key) => ({
      path: key,
      value: "set",
      limit: "observability.enabled is false, so nothing reads it",
      fix: "drop it, or enable observability",
    }));
}

function namespaceProblems({ observability, gateway, tenants }: Parsed): Problem[] {
  const taken: Readonly<Record<string, string>> = {
    ...Object.fromEntries(tenants.map(({ name }) => [name, "a tenant's namespace"])),
    [gateway.namespace]: "the gateway's namespace",
  };
  const problem = (value: string, limit: string) => ({
    path: "observability.namespace",
    value,
    limit,
    fix: "use another name",
  });
  const { namespace } = observability;
  return [
    ...[namespace, hostsNamespaceName({ namespace })].flatMap((name) =>
      taken[name] === undefined ? [] : [problem(name, `is ${taken[name]}`)],
    ),
    ...(namespace === "default" || namespace.startsWith("kube-")
      ? [problem(namespace, "is the cluster's own: it would be closed to everything that is not of this stack")]
      : []),
    ...(hostsNamespaceName({ namespace }).length > LONGEST_NAME
      ? [problem(namespace, `with -hosts after it, it has more than ${LONGEST_NAME} characters`)]
      : []),
  ];
}

/** Of a namespace. */
const LONGEST_NAME = 63;

/** Alertmanager's own receiver (components/observability/alertmanager-config.ts). */
const NOBODY = "nobody";

function receiverProblems({ observability: { receivers }, alertReceivers }: Parsed): Problem[] {
  const path = (name: string, key: string) => `observability.receivers.${name}.${key}`;
  const secret = (name: string) => `alertReceivers["${name}"]`;
  const given = Object.keys(alertReceivers);
  return [
    ...duplicates(receivers, ({ name }) => name).map(({ name }) => ({
      path: path(name, "name"),
      value: name,
      limit: "names two receivers",
      fix: "give each a name of its own",
    })),
    ...receivers
      .filter(({ name }) => name === NOBODY)
      .map(({ name }) => ({
        path: path(name, "name"),
        value: name,
        limit: "is whom alerts go to that nobody is named for",
        fix: "use another name",
      })),
    ...receivers
      .filter(({ name, url }) => url !== undefined && given.includes(name))
      .map(({ name }) => ({
        path: path(name, "url"),
        value: "(not shown)",
        limit: "the secret alertReceivers has one as well",
        fix: "drop either",
      })),
    // All of them or none: without any, somebody else keeps the Secret.
    ...receivers
      .filter(({ name, url }) => url === undefined && given.length > 0 && !given.includes(name))
      .map(({ name }) => ({
        path: `alertReceivers.${name}`,
        value: "missing",
        limit: "nobody knows how this receiver is reached",
        fix: `set it: pulumi config set --secret --path '${secret(name)}' < its-file`,
      })),
    ...given
      .filter((name) => !receivers.some((receiver) => receiver.name === name))
      .map((name) => ({
        path: `alertReceivers.${name}`,
        value: "set",
        limit: "is no receiver of observability.receivers",
        fix:
          receivers.length > 0 ? `use one of ${receivers.map((one) => one.name).join(", ")}` : "drop it, or name one",
      })),
  ];
}

/** Both keys or none: without them somebody else keeps the Secret. */
function bucketProblems({ observability: { logs }, logStorage }: Parsed): Problem[] {
  const given = Object.keys(logStorage);
  if (logs.objectStorage !== undefined || given.length === 0) {
    return partsProblems("logStorage", given, ["accessKey", "secretKey"], given.length > 0);
  }
  return [
    {
      path: "logStorage",
      value: "set",
      limit: "there is no observability.logs.objectStorage to open",
      fix: "drop it, or name the bucket",
    },
  ];
}

function windowProblems({ observability }: Parsed): Problem[] {
  const { burnRates, objectiveWindow, metrics } = observability;
  const longest = Math.max(...burnRates.map(({ long }) => long));
  return [
    ...(longest > objectiveWindow
      ? [
          {
            path: "observability.objectiveWindow",
            value: formatDuration(objectiveWindow),
            limit: `the longest of burnRates is ${formatDuration(longest)}`,
            fix: "raise it, or shorten that window",
          },
        ]
      : []),
    ...(metrics.retention < objectiveWindow
      ? [
          {
            path: "observability.metrics.retention",
            value: formatDuration(metrics.retention),
            limit: `what is left of a budget is reckoned over objectiveWindow ${formatDuration(objectiveWindow)}`,
            fix: "raise it, or shorten objectiveWindow",
          },
        ]
      : []),
  ];
}

function budgetProblems({ observability: { tenantBudgets }, tenants }: Parsed): Problem[] {
  const names = tenants.map(({ name }) => name);
  return Object.keys(tenantBudgets)
    .filter((name) => !names.includes(name))
    .map((name) => ({
      path: `observability.tenantBudgets.${name}`,
      value: name,
      limit: "is no tenant of this stack",
      fix: `use one of ${names.join(", ")}`,
    }));
}

function controlPlaneProblems({ cluster, observability: { controlPlane } }: Parsed): Problem[] {
  if (cluster.kind !== "k3s") return [];
  return (["scheduler", "controllerManager"] as const)
    .filter((key) => controlPlane[key] !== undefined)
    .map((key) => ({
      path: `observability.controlPlane.${key}`,
      value: String(controlPlane[key]),
      limit: "K3s tells these metrics at the API servers, which are found by themselves",
      fix: "drop it",
    }));
}
