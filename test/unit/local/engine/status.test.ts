import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import type { Kubectl } from "../../../../local/control-plane/kubectl";
import { functionStatus, functionTable, type FunctionStatus } from "../../../../local/engine/status";
import { withFunction } from "../../infra/support";

const CONFIG = parseConfig(withFunction({ scaling: { min: 2, initial: 10, max: 400, cpuTarget: "72.5%" } }));

/** Another image than the config's: what is shown is what runs. */
const RUNNING = { spec: { containers: [{ image: "registry.example.com/checkout:9" }] } };

/** A cluster that has these objects, by `kind name`. */
function clusterOf(objects: Readonly<Record<string, object>>): Kubectl {
  return ([get, kind, name, ...rest]) => {
    expect([get, ...rest]).toEqual(["get", "-n", "shop", "-o", "json", "--ignore-not-found"]);
    const found = objects[`${kind} ${name}`];
    return Promise.resolve(found === undefined ? "" : JSON.stringify(found));
  };
}

describe("a function's status", () => {
  it("is what deployment and autoscaler say", async () => {
    const kubectl = clusterOf({
      "deployment checkout": { spec: { replicas: 12, template: RUNNING }, status: { readyReplicas: 11 } },
      "hpa checkout-hpa": {
        spec: { minReplicas: 3, maxReplicas: 300 },
        status: {
          currentMetrics: [{ type: "External" }, { resource: { name: "cpu", current: { averageUtilization: 0 } } }],
        },
      },
    });
    expect(await functionStatus(kubectl, CONFIG)).toEqual([
      {
        name: "checkout",
        namespace: "shop",
        ready: 11,
        replicas: 12,
        min: 3,
        max: 300,
        reading: "0%",
        target: "72.5%",
        image: "registry.example.com/checkout:9",
      },
    ]);
  });

  it("has no pods where it is not there, and the config's bounds", async () => {
    const [status] = await functionStatus(clusterOf({}), CONFIG);
    expect(status).toMatchObject({ ready: 0, replicas: 0, min: 2, max: 400, reading: undefined, image: "not there" });
  });

  it.each([
    ["without a status", undefined],
    ["without metrics", {}],
    ["whose first metric is empty", { currentMetrics: [{ type: "" }] }],
    ["that knows a value but no share", { currentMetrics: [{ resource: { current: { averageValue: "0" } } }] }],
  ])("has no reading of an autoscaler %s", async (_, status) => {
    const hpa = { spec: { minReplicas: 2, maxReplicas: 400 }, status };
    const [fn] = await functionStatus(clusterOf({ "hpa checkout-hpa": hpa }), CONFIG);
    expect(fn?.reading).toBeUndefined();
  });

  it("reads requests/s per pod where it is scaled by them, of the autoscaler that KEDA makes", async () => {
    const read = async (averageValue: string) => {
      const external = { metric: { name: "s0-prometheus" }, current: { averageValue } };
      const status = { currentMetrics: [{ type: "External", external }] };
      const hpa = { spec: { minReplicas: 2, maxReplicas: 400 }, status };
      const config = parseConfig(withFunction({ scaling: { metric: "rps" } }));
      return (await functionStatus(clusterOf({ "hpa checkout-rps-hpa": hpa }), config))[0];
    };
    expect(await read("18500m")).toMatchObject({ reading: "18.5/s", target: "20/s" });
    expect(await read("21")).toMatchObject({ reading: "21/s" });
  });

  it("is asleep where it may be without pods and is, which is no reading to wait for", async () => {
    const objectives = { availability: "99.9%" };
    const config = parseConfig(withFunction({ objectives, scaling: { metric: "rps", min: 0 } }));
    const deployment = (replicas: number) => ({ "deployment checkout": { spec: { replicas, template: RUNNING } } });
    const [sleeping] = await functionStatus(clusterOf(deployment(0)), config);
    expect(functionTable([sleeping!])).toContain(" asleep ");
    const [awake] = await functionStatus(clusterOf(deployment(1)), config);
    expect(awake?.reading).toBeUndefined();
  });

  it("has how much room is kept beside its pods, also where nobody has made it yet", async () => {
    const config = parseConfig(withFunction({ scaling: { buffer: 5 } }));
    const made = {
      "deployment checkout-buffer": { spec: { replicas: 5, template: RUNNING }, status: { readyReplicas: 3 } },
    };
    const bufferOf = async (cluster: object) => (await functionStatus(clusterOf(cluster as never), config))[0]?.buffer;
    expect([await bufferOf(made), await bufferOf({})]).toEqual([
      { ready: 3, replicas: 5 },
      { ready: 0, replicas: 5 },
    ]);
    expect((await functionStatus(clusterOf({}), CONFIG))[0]?.buffer).toBeUndefined();
  });

  it("fails with what kubectl fails with", async () => {
    const kubectl: Kubectl = () => Promise.reject(new Error("connection refused"));
    await expect(functionStatus(kubectl, CONFIG)).rejects.toThrow("connection refused");
  });
});

it("is a row of a table", () => {
  const fn: FunctionStatus = {
    name: "checkout",
    namespace: "shop",
    ready: 11,
    replicas: 12,
    min: 2,
    max: 400,
    reading: "71%",
    target: "70%",
    buffer: undefined,
    image: "registry.example.com/checkout:1.0.0",
  };
  expect(functionTable([fn, { ...fn, name: "a", reading: undefined }]).split("\n")).toEqual([
    "FUNCTION  NAMESPACE  PODS READY  SCALES    READING            IMAGE",
    "checkout  shop       11/12       2 to 400  71% of 70%         registry.example.com/checkout:1.0.0",
    "a         shop       11/12       2 to 400  no reading of 70%  registry.example.com/checkout:1.0.0",
  ]);
  // How much room is kept, where any is.
  expect(functionTable([{ ...fn, buffer: { ready: 3, replicas: 5 } }, fn]).split("\n")).toEqual([
    "FUNCTION  NAMESPACE  PODS READY  ROOM KEPT  SCALES    READING     IMAGE",
    "checkout  shop       11/12       3/5        2 to 400  71% of 70%  registry.example.com/checkout:1.0.0",
    "checkout  shop       11/12       -          2 to 400  71% of 70%  registry.example.com/checkout:1.0.0",
  ]);
});
