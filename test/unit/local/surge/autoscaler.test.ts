import { describe, expect, it } from "vitest";
import { autoscalerName } from "../../../../components/functions/names";
import { parseConfig, type FunctionConfig } from "../../../../infra/config";
import { ApiError, type Api } from "../../../../local/surge/api";
import { scalingInCluster, scalingOf } from "../../../../local/surge/autoscaler";
import { withFunction } from "../../infra/support";

const rules = (percent: number, pods: number, stabilizationWindowSeconds: number) => ({
  stabilizationWindowSeconds,
  policies: [
    { type: "Percent", value: percent, periodSeconds: 15 },
    { type: "Pods", value: pods, periodSeconds: 15 },
  ],
});
const behavior = { scaleUp: rules(900, 1000, 0), scaleDown: rules(10, 1, 120) };
const RULES = "up 900% or 1000 in 15 s after 0 s, down 10% or 1 in 15 s after 120 s";
const CPU = [{ type: "Resource", resource: { target: { averageUtilization: 70 } } }];
const requests = (averageValue: string) => [
  { type: "External", external: { metric: { name: "s0-prometheus" }, target: { averageValue } } },
];

const fnOf = (scaling: object) =>
  parseConfig(withFunction({ scaling, objectives: { availability: "99.9%" } })).functions[0]!;

/** A cluster with these objects, each by the end of its path. */
const clusterOf = (objects: Readonly<Record<string, object>>): Api => {
  const get = (path: string) => {
    const name = Object.keys(objects).find((end) => path.endsWith(end));
    if (name === undefined) return Promise.reject(new ApiError(404, "not found"));
    return Promise.resolve(objects[name]);
  };
  return { get } as unknown as Api;
};

function inCluster(fn: FunctionConfig, spec: object, minReplicaCount?: number) {
  const scaled = minReplicaCount === undefined ? {} : { [`scaledobjects/${fn.name}`]: { spec: { minReplicaCount } } };
  const hpa = { spec: { minReplicas: 10, maxReplicas: 5000, behavior, ...spec } };
  return scalingInCluster(clusterOf({ [`/${autoscalerName(fn)}`]: hpa, ...scaled }), fn);
}

describe("how a function is scaled", () => {
  it("is told by the same words of the file and of the cluster", async () => {
    const words = `10 to 5000 at 70%, ${RULES}`;
    expect(scalingOf(fnOf({}))).toBe(words);
    expect(await inCluster(fnOf({}), { metrics: CPU })).toBe(words);
    const byRequests = fnOf({ metric: "rps", requestsPerPod: 17.5 });
    expect(scalingOf(byRequests)).toBe(`10 to 5000 at 17.5/s, ${RULES}`);
    expect(await inCluster(byRequests, { metrics: requests("17500m") }, 10)).toBe(scalingOf(byRequests));
  });

  it("is other where what is held is, or whether there may be none", async () => {
    const sleeper = fnOf({ metric: "rps", min: 0 });
    const spec = { metrics: requests("20"), minReplicas: 1 };
    expect(await inCluster(sleeper, spec, 0)).toBe(scalingOf(sleeper));
    expect(await inCluster(sleeper, spec, 1)).toBe(`1 to 5000 at 20/s, ${RULES}`);
    expect(await inCluster(sleeper, { ...spec, metrics: requests("40") }, 0)).toBe(`0 to 5000 at 40/s, ${RULES}`);
    expect(await inCluster(fnOf({}), {})).toBe(`10 to 5000 at nothing, ${RULES}`);
  });

  it("is nothing where there is no autoscaler, or none of KEDA's", async () => {
    expect(await scalingInCluster(clusterOf({}), fnOf({}))).toBeUndefined();
    expect(await inCluster(fnOf({ metric: "rps" }), { metrics: requests("20") })).toBeUndefined();
  });
});
