import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MetalLb } from "../../components/gateway/metallb";
import { parseConfig } from "../../infra/config";
import { readManifest } from "../../infra/manifests";
import { planStack } from "../../infra/plan";
import { MANIFESTS } from "../../infra/versions";
import { startControlPlane } from "../../local/control-plane/control-plane";
import { silentProgress } from "../../local/progress";
import { prepareTools } from "../../local/tools/resolve";
import { LocalStack } from "../support/local-stack";
import { register } from "../support/mocks";

const stack = new LocalStack();
const { paths, kubectl } = stack;
afterAll(() => stack.dispose());

const TOOLS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok", "kwokctl"];

type KubernetesObject = Readonly<Record<string, unknown>>;
/** What the component registers. */
let objects: readonly KubernetesObject[];

const isFoundation = ({ kind }: KubernetesObject) => kind === "Namespace" || kind === "CustomResourceDefinition";

/** A field that the API server does not know is an error. */
function apply(items: readonly object[], ...args: string[]): Promise<string> {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  return kubectl(["apply", "--server-side", "--validate=strict", ...args, "-f", "-"], { input });
}

/** No node and nothing of MetalLB runs, so its webhooks must not exist: they would have every pool refused. */
beforeAll(async () => {
  await prepareTools(TOOLS as Parameters<typeof prepareTools>[0], { paths, progress: silentProgress });
  const config = parseConfig({ cluster: { kind: "existing", kubeconfig: "kubeconfig" } });
  const nodes = { kwok: undefined, processes: [], flags: {}, certificateNames: [] };
  const quiet = { daemons: () => Promise.resolve([]), onStep: () => undefined };
  await startControlPlane({ paths, config, plan: planStack(config), nodes, ...quiet });

  const manifest = readManifest(MANIFESTS.metallb, join(__dirname, "../.."));
  const addresses = ["192.0.2.240/28", "192.0.2.10-192.0.2.20"];
  const { resources } = await register(() => new MetalLb("metallb", { environment: "test", addresses, manifest }));
  objects = resources.map(({ inputs }) => inputs).filter((inputs) => inputs["kind"] !== undefined);
  await apply(objects.filter(isFoundation));
  await kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
});

it("the API server takes each object of MetalLB, and its CRDs the pool and the advertisement", async () => {
  const rest = objects.filter((object) => !isFoundation(object));
  const taken = (await apply(rest, "--dry-run=server")).trim().split("\n");
  expect(taken).toHaveLength(19);
  expect(taken.filter((line) => !line.endsWith(" serverside-applied (server dry run)"))).toEqual([]);
  expect(taken).toContain("ipaddresspool.metallb.io/gateway serverside-applied (server dry run)");
  expect(taken).toContain("l2advertisement.metallb.io/gateway serverside-applied (server dry run)");
});

it("the namespace has to be privileged for the speaker alone", async () => {
  const podOf = (kind: string) => {
    const spec = objects.find((object) => object["kind"] === kind)?.["spec"] as { template: object };
    return { ...spec.template, apiVersion: "v1", kind: "Pod", metadata: { name: "pod", namespace: "metallb-system" } };
  };
  const admit = (kind: string) => apply([podOf(kind)], "--dry-run=server");
  const enforce = (level: string) =>
    kubectl(["label", "--overwrite", "namespace", "metallb-system", `pod-security.kubernetes.io/enforce=${level}`]);

  await apply(objects.filter(({ kind }) => kind === "ServiceAccount"));
  expect(await admit("DaemonSet")).toContain("pod/pod serverside-applied");
  await enforce("baseline");
  await expect(admit("DaemonSet")).rejects.toThrow(/NET_RAW.*host namespaces \(hostNetwork=true\)/);
  await enforce("restricted");
  expect(await admit("Deployment")).toContain("pod/pod serverside-applied");
});
