import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { admissionFacts } from "../../../infra/admission-facts";
import { parseConfig } from "../../../infra/config";
import { planCapacity } from "../../../infra/plan/capacity";
import { planTopology } from "../../../infra/plan/topology";
import { metricsAccess, requestSource, scalingPeer } from "../../../infra/scaling";
import { rawConfig, withFunction } from "./support";

const folder = mkdtempSync(join(tmpdir(), "scaling-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const scaling = { metric: "rps" };
const keda = { kind: "processes", port: 20_001, caFile: "ca.crt", prometheus: "http://127.0.0.1:20002" };
const beside = () =>
  parseConfig(
    withFunction(
      { scaling },
      {
        cluster: { kind: "existing", kubeconfig: "kubeconfig.yaml", embedded: "simulated-nodes", agents: 10 },
        autoscaling: { keda },
      },
    ),
  );
const inPods = () => parseConfig(withFunction({ scaling }));

describe("who counts a function's requests", () => {
  it("is the stack's Prometheus, or the one beside simulated nodes", () => {
    const [fn] = inPods().functions;
    expect(requestSource(inPods(), fn!)).toEqual({
      prometheus: "http://prometheus.monitoring.svc.cluster.local:9090",
      query: 'sum(slo:requests:rate1m{function="checkout",tenant="shop"}) or sum(up{job="gateway"} == 1) * 0',
    });
    expect(requestSource(beside(), fn!)?.prometheus).toBe("http://127.0.0.1:20002");
    expect(scalingPeer(inPods())).toMatchObject({ namespace: "keda" });
  });

  it("is nobody where it is scaled by CPU", () => {
    const config = parseConfig(rawConfig());
    expect(requestSource(config, config.functions[0]!)).toBeUndefined();
    expect(scalingPeer(config)).toBeUndefined();
  });
});

describe("where the API server asks for requests", () => {
  it("is KEDA's Service, or its process with the certificate of its authority", () => {
    writeFileSync(join(folder, "ca.crt"), PEM);
    expect(metricsAccess(inPods(), folder, false)).toEqual({ target: { kind: "service" } });
    expect(metricsAccess(beside(), folder, false)).toEqual({
      target: { kind: "loopback", port: 20_001, certificate: PEM },
    });
  });

  it("is not known while that file is not there: a preview warns, and an up ends", () => {
    const file = join(folder, "nowhere", "ca.crt");
    const missing = `autoscaling.keda.caFile: ${file}: is not there; correct the path (for a cluster that \`make up\` starts, it writes it)`;
    expect(metricsAccess(beside(), join(folder, "nowhere"), true)).toEqual({
      target: { kind: "loopback", port: 20_001, certificate: "" },
      warning: `${missing}. Previewed without it`,
    });
    expect(() => metricsAccess(beside(), join(folder, "nowhere"), false)).toThrow(missing);
  });
});

describe("KEDA's pods", () => {
  it("have room, and images that admission lets in, where a function asks for them", () => {
    const [without, withKeda] = [parseConfig(withFunction({})), inPods()].map(
      (config) => planCapacity(config, planTopology(config)).pods.system,
    );
    expect(withKeda! - without!).toBe(4);
    const { platform, registries } = admissionFacts(inPods());
    expect(platform).toContainEqual({ role: "autoscaling", namespace: "keda" });
    expect(registries.platform).toEqual(
      expect.arrayContaining(["ghcr.io/kedacore/keda", "ghcr.io/kedacore/keda-metrics-apiserver"]),
    );
    expect(JSON.stringify(admissionFacts(parseConfig(rawConfig())))).not.toContain("keda");
  });
});
