import type { z } from "zod";
import { KEDA } from "../components/autoscaling/names";
import type { stackSchema } from "./config-schema";
import { buffered, bufferName } from "./buffers";
import type { Problem } from "./problems";

type Parsed = z.output<typeof stackSchema>;

/** What scaling needs of the rest of the stack. */
export function autoscalingProblems(config: Parsed): Problem[] {
  return [...bufferProblems(config), ...requestProblems(config)];
}

/** Characters of a Deployment's name up to which Kubernetes does not cut those of its pods, of which rules know it. */
const UNCUT = 46;

/** Pods that keep room do so where nodes are bought by need, and need a name of their own. */
function bufferProblems({ cluster, functions }: Parsed): Problem[] {
  return buffered(functions).flatMap((fn) => {
    const problem = (limit: string, fix: string) => [
      { path: `functions.${fn.name}.scaling.buffer`, value: String(fn.scaling.buffer), limit, fix },
    ];
    const name = bufferName(fn);
    const taken = functions.some((other) => other.name === name);
    return [
      ...(cluster.kind === "k3s"
        ? problem("this stack's hosts are fixed and sized for max: there is no node that could come sooner", "drop it")
        : []),
      ...(taken ? problem(`its pods' Deployment would be ${name}, which is a function`, "rename that function") : []),
      ...(name.length > UNCUT
        ? problem(
            `its pods' Deployment would be ${name}, of more than ${UNCUT} characters, after which pods' names are cut`,
            "shorten the function's name",
          )
        : []),
    ];
  });
}

/** What scaling by requests needs. */
function requestProblems(config: Parsed): Problem[] {
  const byRequests = config.functions.filter(({ scaling }) => scaling.metric === "rps");
  if (byRequests.length === 0) return [];
  return [
    ...byRequests.flatMap(({ name }) => [...prometheusProblems(config, name), ...routeProblems(config, name)]),
    ...placeProblems(config),
    ...namespaceProblems(config),
  ];
}

/** Processes beside a cluster that runs pods would be second ones, and in pods that are simulated nothing runs. */
function placeProblems({ cluster, autoscaling: { keda } }: Parsed): Problem[] {
  const embedded = cluster.kind === "existing" ? cluster.embedded : undefined;
  const problem = (limit: string, fix: string) => [{ path: "autoscaling.keda.kind", value: keda.kind, limit, fix }];
  if (embedded === "simulated-nodes") {
    if (keda.kind === "processes") return [];
    return problem("nothing runs in simulated pods", "use kind: processes, as Pulumi.local.yaml does");
  }
  if (keda.kind === "processes") return problem("pods run in this cluster, and KEDA in them", "use kind: pods");
  if (embedded === undefined) return [];
  return problem("no images of KEDA are put together for a node on this machine", "use metric: cpu for its functions");
}

/** Who counts requests. On simulated nodes it is a process beside the control plane. */
function prometheusProblems({ observability, autoscaling: { keda } }: Parsed, name: string): Problem[] {
  if (observability.enabled || keda.kind === "processes") return [];
  return [
    {
      path: `functions.${name}.scaling.metric`,
      value: "rps",
      limit: "observability.enabled is false, and its Prometheus is who counts requests",
      fix: "enable observability, or use metric: cpu",
    },
  ];
}

/** Requests are counted by the gateway, of routes that tell whose they are (components/observability/rules/sources.ts). */
function routeProblems({ functions, routes, gateway }: Parsed, name: string): Problem[] {
  const { metric, min } = functions.find((fn) => fn.name === name)!.scaling;
  const leading = routes.filter(({ to }) => to.some((one) => one.function === name));
  const split = leading.filter(({ to }) => to.length > 1);
  if (leading.length === 0) {
    return [
      {
        path: `functions.${name}.scaling.metric`,
        value: metric,
        limit: "no route leads to it, so that the gateway counts no requests of it",
        fix: "add a route, or use metric: cpu",
      },
    ];
  }
  if (gateway.kind === "kong" && split.length > 0) {
    return [
      {
        path: `functions.${name}.scaling.metric`,
        value: metric,
        limit: "Kong counts requests by route, and cannot tell whose those of a split one are",
        fix: "give it routes of its own, use Traefik, or metric: cpu",
      },
    ];
  }
  if (min > 0 || split.length === 0) return [];
  return [
    {
      path: `functions.${name}.scaling.min`,
      value: "0",
      limit:
        "a route is split between it and others: the gateway counts requests of its pods, and without any sees none",
      fix: "use 1 or more, or give it routes of its own",
    },
  ];
}

function namespaceProblems({ tenants, gateway, observability }: Parsed): Problem[] {
  return [
    ...tenants.map(({ name }) => ({ path: `tenants.${name}.name`, value: name })),
    { path: "gateway.namespace", value: gateway.namespace },
    { path: "observability.namespace", value: observability.namespace },
  ]
    .filter(({ value }) => value === KEDA.namespace)
    .map((one) => ({ ...one, limit: "is KEDA's namespace", fix: "use another name" }));
}
