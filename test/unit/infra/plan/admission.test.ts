import { describe, expect, it } from "vitest";
import { planStack } from "../../../../infra/plan";
import { formatProblem } from "../../../../infra/problems";
import { existing, k3s, planOf, prodConfig, rawConfig, withFunction, type Raw } from "../support";

const MiB = 2 ** 20;
const admission = (changes: Raw, more: Raw = {}) => planOf(rawConfig({ admission: changes, ...more }));

describe("the plan of admission", () => {
  it("gives the audit memory for a chunk of objects and disk for all, by the cluster's size", () => {
    const large = planOf(rawConfig()).admission.audit;
    const fn = { scaling: { min: 1, initial: 1, max: 20 }, workload: { peakRequestsPerSecond: 100 } };
    const small = planOf(withFunction(fn)).admission.audit;
    // 500 objects of 64 KiB; on disk, 6,250 pods and those that leave, of 16 KiB.
    expect(large.requests.memory).toBe(160 * MiB);
    expect(small.requests.memory).toBeLessThan(large.requests.memory);
    expect(large.scratch).toBeGreaterThan(98 * MiB);
    expect(small.scratch).toBeLessThan(large.scratch / 4);
    expect(admission({ audit: { chunkSize: 256 } }).admission.audit.requests.memory).toBe(144 * MiB);
  });

  it("gives what the config asks for, and limits no lower", () => {
    const { webhook, audit } = admission({ requests: { cpu: "3", memory: "1Gi" } }).admission;
    for (const { requests, limits } of [webhook, audit]) {
      expect(requests).toEqual({ cpu: 3000, memory: 1024 * MiB });
      expect(limits).toEqual({ cpu: 3000, memory: 1024 * MiB });
    }
    const { limits } = admission({ limits: { cpu: "250m", memory: "512Mi" } }).admission.webhook;
    expect(limits).toEqual({ cpu: 250, memory: 512 * MiB });
  });

  it("counts its pods, one more that starts and one that audits, in what the agents must hold", () => {
    const none = admission({ enabled: false }).capacity;
    const three = admission({}).capacity;
    expect(three.pods.system - none.pods.system).toBe(5);
    expect(three.requested.cpu - none.requested.cpu).toBe(4 * 50 + 100);
    expect(three.requested.memory).toBeGreaterThan(none.requested.memory);
  });
});

describe("a protected stack is warned", () => {
  const warnings = (changes: Raw, protect = true) =>
    admission(changes, { cluster: k3s(3, 10), platform: { protect }, gateway: { tls: { kind: "certificate" } } })
      .warnings.map(formatProblem)
      .filter((text) => text.startsWith("admission."));

  it("of objects that pass unseen", () => {
    expect(warnings({ failurePolicy: "ignore" })).toEqual([
      "admission.failurePolicy: ignore: this stack is protected, and objects pass unseen while Gatekeeper cannot be asked; use fail, with 2 replicas or more",
    ]);
  });

  it("of standing still while its only Gatekeeper restarts", () => {
    expect(warnings({ replicas: 1 })).toEqual([
      "admission.replicas: 1: this stack is protected, and no pod can be made while the only one restarts; use 2 or more",
    ]);
  });

  it("of nothing where it is as it should be, or is not protected, or something else admits objects", () => {
    expect(warnings({})).toEqual([]);
    expect(warnings({ failurePolicy: "ignore", replicas: 1 }, false)).toEqual([]);
    expect(warnings({ enabled: false, failurePolicy: "ignore" })).toEqual([]);
  });
});

describe("a cluster that others may use too", () => {
  const warnings = (changes: Raw, cluster: Raw = {}) =>
    admission(changes, { cluster: existing(cluster) })
      .warnings.map(formatProblem)
      .filter((text) => text.startsWith("admission."));

  it("is warned of refusing what is in namespaces that are not the stack's", () => {
    expect(warnings({})).toEqual([
      "admission.enforcement: deny: every namespace of this cluster is judged, those of others too; begin with dryrun, or name theirs in admission.exemptNamespaces beside Kubernetes' own",
    ]);
  });

  it("is not once it only counts, exempts others, judges nothing, or is nobody else's", () => {
    expect(warnings({ enforcement: "dryrun" })).toEqual([]);
    expect(warnings({ exemptNamespaces: ["kube-system", "their-own"] })).toEqual([]);
    expect(warnings({ enabled: false })).toEqual([]);
    expect(warnings({}, { embedded: "simulated-nodes" })).toEqual([]);
    expect(planStack(prodConfig()).warnings.filter(({ path }) => path.startsWith("admission."))).toEqual([]);
  });
});
