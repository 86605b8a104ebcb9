import { describe, expect, it } from "vitest";
import type { Kubectl } from "../../../../local/control-plane/kubectl";
import { metricsServerDaemon, registerMetricsApi } from "../../../../local/control-plane/metrics-server";
import type { Ports } from "../../../../local/control-plane/ports";

const PORTS = { metricsServer: 20_007 } as Ports;

describe("metrics-server", () => {
  const daemon = metricsServerDaemon("/bin/of/metrics-server", "/state/clusters/one", PORTS);

  it("listens on loopback with the cluster's own certificate", () => {
    expect(daemon.command).toBe("/bin/of/metrics-server");
    expect(daemon.args).toEqual(
      expect.arrayContaining([
        "--bind-address=127.0.0.1",
        "--secure-port=20007",
        "--tls-cert-file=/state/clusters/one/pki/admin.crt",
        "--tls-private-key-file=/state/clusters/one/pki/admin.key",
        "--kubeconfig=/state/clusters/one/kubeconfig.yaml",
      ]),
    );
  });

  it("keeps its pid and log beside those of the other processes", () => {
    expect(daemon.pidFile).toBe("/state/clusters/one/pids/metrics-server.pid");
    expect(daemon.logFile).toBe("/state/clusters/one/logs/metrics-server.log");
  });

  it("ends a scrape before the next one begins", () => {
    expect(daemon.args).toContain("--metric-resolution=15s");
    expect(daemon.args).toContain("--kubelet-request-timeout=13s");
  });

  it("asks where KWOK answers: on localhost, on the port of the node's status", () => {
    expect(daemon.args).toContain("--kubelet-preferred-address-types=Hostname,InternalIP");
    expect(daemon.args).toContain("--kubelet-use-node-status-port");
  });
});

it("is found by the API server through a Service that is a name for localhost", async () => {
  const calls: { readonly args: readonly string[]; readonly input: string | undefined }[] = [];
  const kubectl: Kubectl = (args, options) => {
    calls.push({ args, input: options?.input });
    return Promise.resolve("");
  };
  await registerMetricsApi(kubectl, PORTS);
  expect(calls.map(({ args }) => args)).toEqual([
    ["apply", "--server-side", "--force-conflicts", "--field-manager=wasm-functions-local", "-f", "-"],
  ]);
  const { items } = JSON.parse(calls[0]?.input ?? "") as { items: { kind: string; metadata: object; spec: object }[] };
  expect(items.map(({ kind }) => kind)).toEqual(["Service", "APIService"]);
  expect(items[0]?.spec).toEqual({ type: "ExternalName", externalName: "localhost" });
  expect(items[1]?.metadata).toEqual({ name: "v1beta1.metrics.k8s.io" });
  expect(items[1]?.spec).toMatchObject({
    service: { name: "metrics-server", namespace: "kube-system", port: 20_007 },
  });
});
