import { keepsRoomFor } from "../../../infra/buffers";
import type { Facts } from "../facts";
import {
  inputsOf,
  isPlaceKnown,
  nameOf,
  namespaceOf,
  problemAt,
  UNKNOWN_NAMESPACE,
  whichOf,
  workloadOf,
} from "../kubernetes";
import {
  ifKnown,
  judgement,
  type GraphPolicy,
  type Judged,
  type Report,
  type ReportAt,
  type ResourcePolicy,
} from "../policy";
import { isTenants } from "./images";

const REPLICAS = "spec.replicas";

/** What scales: an autoscaler, or the ScaledObject that KEDA makes one of. */
interface Autoscaler {
  readonly target: { readonly kind: string; readonly name: string } | undefined;
  /** Of replicas, each with the field that has it. */
  readonly min: { readonly field: string; readonly count: number };
  readonly max: { readonly field: string; readonly count: number };
}

function autoscalerOf(resource: Judged): Autoscaler | undefined {
  const hpa = inputsOf(resource, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler");
  if (hpa !== undefined) {
    return {
      target: hpa.spec?.scaleTargetRef,
      min: { field: "spec.minReplicas", count: hpa.spec?.minReplicas ?? 1 },
      max: { field: "spec.maxReplicas", count: hpa.spec?.maxReplicas ?? 1 },
    };
  }
  const scaled = inputsOf(resource, "kubernetes:keda.sh/v1alpha1:ScaledObject");
  if (scaled === undefined) return undefined;
  const { scaleTargetRef, minReplicaCount, maxReplicaCount } = scaled.spec ?? {};
  return {
    // What is not said is as KEDA has it.
    target: scaleTargetRef && { kind: scaleTargetRef.kind ?? "Deployment", name: scaleTargetRef.name },
    min: { field: "spec.minReplicaCount", count: minReplicaCount ?? 0 },
    max: { field: "spec.maxReplicaCount", count: maxReplicaCount ?? 100 },
  };
}

function deploymentOf(resource: Judged) {
  return inputsOf(
    resource,
    "kubernetes:apps/v1:Deployment",
    "kubernetes:apps/v1:ReplicaSet",
    "kubernetes:apps/v1:StatefulSet",
    "kubernetes:core/v1:ReplicationController",
  );
}

/** What an autoscaler scales, by kind, namespace and name as messages have them. */
function targetOf(autoscaler: Judged): string | undefined {
  return ifKnown(() => {
    const target = autoscalerOf(autoscaler)?.target;
    const namespace = isPlaceKnown(autoscaler) ? namespaceOf(autoscaler) : UNKNOWN_NAMESPACE;
    return target && `${target.kind} ${namespace}/${target.name}`;
  });
}

/** Every autoscaler with what it scales, where the program makes both. */
function scaled(resources: readonly Judged[]): { readonly autoscaler: Judged; readonly target: Judged }[] {
  const targets = new Map(resources.filter((r) => deploymentOf(r) !== undefined).map((r) => [whichOf(r), r]));
  return resources.flatMap((autoscaler) => {
    const target = targets.get(targetOf(autoscaler) ?? "");
    return target ? [{ autoscaler, target }] : [];
  });
}

export const autoscalerRequired: GraphPolicy = {
  name: "autoscaler-required",
  description: "Every function has an autoscaler.",
  judgeAll: (resources, facts, report) => {
    const has = new Set(scaled(resources).map(({ target }) => target));
    for (const resource of resources) {
      judgement(() => {
        if (deploymentOf(resource) === undefined || has.has(resource) || !isTenants(facts, resource)) return;
        if (isBuffer(facts, resource)) return;
        report(
          resource,
          problemAt(resource, "spec", {
            value: "no autoscaler",
            limit: "nothing scales it with its load, in or out",
            fix: `make a HorizontalPodAutoscaler or a ScaledObject in namespace ${namespaceOf(resource)} with scaleTargetRef.name ${nameOf(resource)}`,
          }),
        );
      });
    }
  },
};

/** Whether it keeps room for a function's pods: so many as the config says, whatever the load. */
function isBuffer({ config }: Facts, resource: Judged): boolean {
  return keepsRoomFor(config.functions, nameOf(resource))?.tenant === namespaceOf(resource);
}

export const autoscaledReplicas: GraphPolicy = {
  name: "autoscaled-replicas",
  description: "What an autoscaler scales has no fixed number of replicas beside it.",
  judgeAll: (resources, _facts, report) => {
    for (const { autoscaler, target } of scaled(resources)) {
      judgement(() => {
        const fixed = deploymentOf(target)?.spec?.replicas;
        if (fixed === undefined || target.ignoreChanges.includes(REPLICAS)) return;
        report(
          target,
          problemAt(target, REPLICAS, {
            value: String(fixed),
            limit: `${whichOf(autoscaler)} owns the count: each \`up\` would throw its pods away`,
            fix: `leave it out, or ignore its changes (ignoreChanges: ["${REPLICAS}"])`,
          }),
        );
      });
    }
  },
};

export const replicaLimits: ResourcePolicy = {
  name: "replica-limits",
  description: "Autoscalers stay within their function's bounds, from which quotas and agents follow.",
  judge: (resource, facts, report) => {
    judgement(() => judgeReplicas(resource, facts, report));
    const bounds = autoscalerOf(resource) && boundsOf(resource, facts);
    if (bounds === undefined) return;
    const { min, max, path } = bounds;
    judgement(() => {
      const found = autoscalerOf(resource)!.max;
      if (found.count <= max) return;
      report(
        problemAt(resource, found.field, {
          value: String(found.count),
          limit: `the plan has room for ${max}`,
          fix: `raise ${path}.max, and the plan with it`,
        }),
      );
    });
    judgement(() => {
      const { min: found, max: most } = autoscalerOf(resource)!;
      if (found.count >= min && found.count <= most.count) return;
      const below = found.count < min;
      report(
        problemAt(resource, found.field, {
          value: String(found.count),
          limit: below ? `${path}.min keeps ${min} warm` : `is above its maximum of ${most.count}`,
          fix: below ? `set it to ${min}, or lower ${path}.min` : "lower it",
        }),
      );
    });
  },
};

/**
 * The count that a function starts with: no autoscaler lowers it before it has been made. What else a tenant runs may have what
 * its largest function has, as in admission.
 */
function judgeReplicas(resource: Judged, { admission, config }: Facts, report: Report): void {
  const replicas = deploymentOf(resource)?.spec?.replicas;
  const tenant = admission.tenants.find(({ namespace }) => namespace === namespaceOf(resource));
  if (replicas === undefined || tenant === undefined) return;
  const fn = tenant.functions.find(({ name }) => name === nameOf(resource));
  const max = fn?.maxReplicas ?? Math.max(0, ...tenant.functions.map(({ maxReplicas }) => maxReplicas));
  if (replicas <= max) return;
  const kept = fn && keepsRoomFor(config.functions, fn.name);
  const bound = kept ? `${kept.name}.scaling.buffer` : `${fn?.name ?? ""}.scaling.max`;
  report(
    problemAt(resource, REPLICAS, {
      value: String(replicas),
      limit: `the plan has room for ${max}`,
      fix: fn
        ? `raise functions.${bound}, and the plan with it`
        : `lower it, or make it a function of tenant ${tenant.namespace} in the config`,
    }),
  );
}

/** What the config and its plan allow to what this autoscaler scales; undefined where they say nothing of it. */
function boundsOf(autoscaler: Judged, { config, plan }: Facts) {
  const [, kindAndName = ""] = (targetOf(autoscaler) ?? "").split(" ");
  const [namespace, name] = kindAndName.split("/");
  const fn = config.functions.find((candidate) => candidate.tenant === namespace && candidate.name === name);
  if (fn) return { ...fn.scaling, path: `functions.${fn.name}.scaling` };
  if (namespace !== config.gateway.namespace) return undefined;
  if (name === "gateway") return { ...plan.requestPath.gateway, path: "gateway.replicas" };
  return name === "authorizer" ? { ...plan.requestPath.authorizer, path: "authorization.replicas" } : undefined;
}

export const podDisruptionBudget: GraphPolicy = {
  name: "pod-disruption-budget",
  description: "What is scaled has a disruption budget that bounds a drain and still lets it go on.",
  judgeAll: (resources, _facts, report) => {
    const budgets = resources.filter((r) => budgetOf(r) !== undefined);
    const pairs = scaled(resources);
    for (const { autoscaler, target } of pairs) judgement(() => judgeCovered(target, autoscaler, budgets, report));
    for (const budget of budgets) {
      const autoscaler = pairs.find(({ target }) => ifKnown(() => covers(budget, target)))?.autoscaler;
      judgement(() => judgeBudget(budget, autoscaler, report));
    }
  },
};

function budgetOf(resource: Judged) {
  return inputsOf(resource, "kubernetes:policy/v1:PodDisruptionBudget");
}

function covers(budget: Judged, target: Judged): boolean {
  const wanted = Object.entries(budgetOf(budget)?.spec?.selector?.matchLabels ?? {});
  const labels = workloadOf(target)?.labels ?? {};
  return namespaceOf(budget) === namespaceOf(target) && wanted.every(([key, value]) => labels[key] === value);
}

function judgeCovered(target: Judged, autoscaler: Judged, budgets: readonly Judged[], report: ReportAt): void {
  if (budgets.some((budget) => covers(budget, target))) return;
  report(
    target,
    problemAt(target, "spec", {
      value: "no PodDisruptionBudget",
      limit: `${whichOf(autoscaler)} scales it, and a drain may take all of its pods at once`,
      fix: "make one that selects its pods, with maxUnavailable 10%",
    }),
  );
}

function judgeBudget(budget: Judged, autoscaler: Judged | undefined, report: ReportAt): void {
  const { maxUnavailable, minAvailable, selector = {} } = budgetOf(budget)!.spec ?? {};
  const least = Math.max(1, (autoscaler && autoscalerOf(autoscaler)?.min.count) ?? 1);
  const blocks = (field: string, value: string | number, limit: string) =>
    report(
      budget,
      problemAt(budget, `spec.${field}`, {
        value: String(value),
        limit: `${limit}: no node could ever be drained`,
        fix: "use maxUnavailable 10%",
      }),
    );
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    report(
      budget,
      problemAt(budget, "spec.selector", {
        value: "empty",
        limit: "it is about every pod of the namespace, and one that two budgets are about can never be evicted",
        fix: "select one workload's pods by their labels",
      }),
    );
  }
  if (maxUnavailable !== undefined && Number.parseFloat(String(maxUnavailable)) === 0)
    blocks("maxUnavailable", maxUnavailable, "no pod may be evicted");
  if (minAvailable === undefined) return;
  const share = String(minAvailable).endsWith("%") ? Number.parseFloat(String(minAvailable)) / 100 : undefined;
  const kept = share === undefined ? Number(minAvailable) : Math.ceil(share * least);
  if (kept >= least) blocks("minAvailable", minAvailable, `at its least there are ${least} pods, and all have to stay`);
}
