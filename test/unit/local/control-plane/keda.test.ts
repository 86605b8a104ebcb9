import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import { kedaAccess, kedaDaemons } from "../../../../local/control-plane/keda";
import type { Ports } from "../../../../local/control-plane/ports";
import { isAlive, startDaemon, stopDaemon, type Daemon } from "../../../../local/control-plane/processes";
import { prometheusDaemon } from "../../../../local/control-plane/prometheus";
import { createAuthority } from "../../../support/authority";
import { withFunction } from "../../infra/support";

const PORTS = {
  ...{ kubeApiserver: 20_001, kedaAdapter: 20_002, kedaOperator: 20_003, kedaHealth: 20_004 },
  ...{ prometheus: 20_005, gatewayMetrics: 20_006 },
} as Ports;

let root: string;
let clusterDir: string;
let bin: string;
let operator: Daemon;
let adapter: Daemon;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "keda-"));
  clusterDir = join(root, "clusters", "one");
  bin = join(root, "bin");
  mkdirSync(join(clusterDir, "pki"), { recursive: true });
  mkdirSync(bin);
  const { certificate, key } = await createAuthority();
  writeFileSync(join(clusterDir, "pki", "ca.crt"), certificate);
  writeFileSync(join(clusterDir, "pki", "ca.key"), key);
  [operator, adapter] = (await kedaDaemons({ bin, clusterDir, ports: PORTS })) as [Daemon, Daemon];
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const inFolder = (tool: string, name: string) => readFileSync(join(clusterDir, tool, name), "utf8");
const certificate = (tool: string, name: string) => new X509Certificate(inFolder(tool, name));

describe("KEDA's operator and adapter as processes", () => {
  it("listen on loopback alone, and know each other's place", () => {
    expect(operator.args).toEqual(
      expect.arrayContaining([
        "--metrics-service-bind-address=127.0.0.1:20003",
        "--health-probe-bind-address=127.0.0.1:20004",
        "--enable-prometheus-metrics=false",
      ]),
    );
    expect(adapter.args).toEqual(
      expect.arrayContaining([
        "--bind-address=127.0.0.1",
        "--secure-port=20002",
        "--metrics-service-address=127.0.0.1:20003",
      ]),
    );
  });

  it.each([
    ["keda-operator", "keda-operator"],
    ["keda-adapter", "keda-metrics-apiserver"],
  ])("are their pods' service accounts to the API server, and not the administrator: %s", (tool, account) => {
    expect(certificate(tool, "client.crt").subject.split("\n").sort()).toEqual([
      `CN=system:serviceaccount:keda:${account}`,
      "O=system:serviceaccounts",
    ]);
    expect(parse(inFolder(tool, "kubeconfig.yaml"))).toMatchObject({
      clusters: [{ cluster: { server: "https://127.0.0.1:20001", "certificate-authority": "ca.crt" } }],
    });
  });

  it("show certificates that can be verified: the adapter one by the name of its Service", () => {
    const { port, caFile, prometheus } = kedaAccess(clusterDir, PORTS);
    expect([port, prometheus]).toEqual([20_002, "http://127.0.0.1:20005"]);
    const authority = new X509Certificate(readFileSync(caFile)).publicKey;
    const serving = certificate("keda-adapter", "serving.crt");
    expect(serving.checkHost("keda-metrics-apiserver.kube-system.svc")).toBe("keda-metrics-apiserver.kube-system.svc");
    expect(certificate("keda-operator", "tls.crt").checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(inFolder("keda-adapter", "tls.crt")).toBe(inFolder("keda-adapter", "client.crt"));
    for (const shown of [serving, certificate("keda-operator", "tls.crt"), certificate("keda-adapter", "tls.crt")])
      expect(shown.verify(authority)).toBe(true);
  });

  it("wait until the stack has installed them", async () => {
    writeFileSync(join(bin, "kubectl"), `#!/bin/sh\necho "$*" >> ${root}/calls; [ -e ${root}/installed ]\n`, {
      mode: 0o755,
    });
    // Under its own name, which a script would not have.
    writeFileSync(
      join(bin, "keda-operator"),
      `#!/bin/bash\necho "as $POD_NAMESPACE with $KUBECONFIG" > ${root}/started\nexec -a "$0" /bin/bash -c "trap exit TERM; while :; do sleep 0.02; done" "$@"`,
      { mode: 0o755 },
    );
    startDaemon(operator);
    try {
      expect(isAlive(operator.pidFile)).toBe(true);
      writeFileSync(join(root, "installed"), "");
      await expect
        .poll(() => readFileSync(join(root, "started"), "utf8"), { timeout: 10_000 })
        .toBe(`as keda with ${join(clusterDir, "keda-operator", "kubeconfig.yaml")}\n`);
      expect(readFileSync(join(root, "calls"), "utf8")).toContain("-n keda rollout status deployment/keda-operator ");
    } finally {
      await stopDaemon(operator.pidFile);
    }
  });
});

describe("Prometheus as a process", () => {
  const config = parseConfig({
    ...withFunction({ objectives: { availability: "99.9%" }, scaling: { metric: "rps" } }),
    observability: { scrapeInterval: "5s" },
  });
  const start = () =>
    prometheusDaemon({
      ...{ binary: join(bin, "prometheus"), clusterDir, ports: PORTS, config },
      plan: planStack(parseConfig(withFunction({}))),
    });

  it("reads whoever tells requests as a gateway would, and is one itself that counts none", async () => {
    const { args } = await start();
    expect(args).toContain("--web.listen-address=127.0.0.1:20005");
    expect(JSON.parse(inFolder("prometheus", "targets.json"))).toEqual([{ targets: ["127.0.0.1:20006"] }]);
    const { global: settings, scrape_configs: jobs } = parse(inFolder("prometheus", "prometheus.yaml")) as Record<
      string,
      unknown
    >;
    expect(settings).toEqual({ scrape_interval: "5s", scrape_timeout: "5s", evaluation_interval: "5s" });
    expect(jobs).toMatchObject([{ job_name: "gateway", static_configs: [{ targets: ["127.0.0.1:20005"] }] }]);
  });

  it("records what KEDA asks for by the stack's own rules, and alerts nobody", async () => {
    await start();
    const { groups } = parse(inFolder("prometheus", "rules.yaml")) as {
      groups: { name: string; interval: string; rules: { record?: string }[] }[];
    };
    expect(groups).toMatchObject([{ name: "slo", interval: "5s" }]);
    const records = groups[0]!.rules.map(({ record }) => record);
    expect(records).toContain("slo:requests:rate20s");
    expect(records).not.toContain(undefined);
  });
});
