import { describe, expect, it } from "vitest";
import { hintFor } from "../../../../local/engine/hints";

/** Reasons as engine, API server and kubelet word them, each with a word that only its hint has. */
describe("the hint for", () => {
  it.each([
    ["dial tcp 127.0.0.1:20001: connect: connection refused", "does not answer"],
    ["configured Kubernetes cluster is unreachable: unable to load schema", "does not answer"],
    ["dial tcp 192.0.2.1:6443: i/o timeout", "does not answer"],
    ['pods "checkout-1" is forbidden: exceeded quota: tenant, requested: cpu=10m', "ResourceQuota is used up"],
    [
      'pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
      "the message names the fields",
    ],
    ["Back-off pulling image: ImagePullBackOff", "pullCredentials"],
    ["ErrImagePull: dial tcp 192.0.2.9:443: i/o timeout", "pullCredentials"],
    ["containers with unready status: CrashLoopBackOff", "its log says why"],
    ["0/10 nodes are available: 10 Insufficient cpu", "no agent has room"],
    ["0/10 nodes are available: 10 Too many pods", "no agent has room"],
    ['namespaces "shop" already exists', "another name"],
    ['deployments.apps is forbidden: User "dev" cannot create resource', "may not do this"],
    ['resource "shop" cannot be deleted because it is protected', "platform.protect"],
    ["Timeout exceeded waiting for rollout", "kubectl describe"],
  ])("%j", (reason, words) => {
    expect(hintFor(reason)).toContain(words);
  });

  it("a reason of many lines is that of whatever it names", () => {
    expect(hintFor("2 errors occurred:\n\t* resource was not ready\n\t* ErrImagePull")).toContain("pullCredentials");
  });

  it("a reason that nobody knows is none", () => {
    expect(hintFor("spec.replicas: Invalid value: -1")).toBeUndefined();
    expect(hintFor("")).toBeUndefined();
  });
});
