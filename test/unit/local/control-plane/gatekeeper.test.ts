import { X509Certificate } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { gatekeeperDaemon, gatekeeperWebhook, waitForGatekeeper } from "../../../../local/control-plane/gatekeeper";
import type { Ports } from "../../../../local/control-plane/ports";
import { isAlive, startDaemon, stopDaemon, type Daemon } from "../../../../local/control-plane/processes";
import { endGroups } from "../../../support/end-groups";
import { createAuthority } from "../../../support/authority";

const PORTS = {
  kubeApiserver: 20_001,
  gatekeeperWebhook: 20_008,
  gatekeeperHealth: 20_009,
} as Ports;
const AUDIT = { interval: 15_000, violationsLimit: 7, chunkSize: 300 };

/** As kubectl: fails until a stack has installed Gatekeeper, then notes what it is told to do. */
const KUBECTL = `#!/bin/bash
[ -e "$HOME/installed" ] || exit 1
echo "$*" >> "$HOME/calls"`;
/** As the manager, which goes on until it is stopped, under its own name, which a script would not have. */
const MANAGER = `#!/bin/bash
echo "as $POD_NAMESPACE/$POD_NAME" >> "$HOME/calls"
exec -a "$0" /bin/bash -c "trap exit TERM; while :; do sleep 0.02; done" "$@"`;

let pki: string;
beforeAll(async () => {
  pki = mkdtempSync(join(tmpdir(), "gatekeeper-pki-"));
  const { certificate, key } = await createAuthority();
  writeFileSync(join(pki, "ca.crt"), certificate);
  writeFileSync(join(pki, "ca.key"), key);
});
afterAll(() => rmSync(pki, { recursive: true }));

let root: string;
let clusterDir: string;
let leaders: Set<number>;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gatekeeper-"));
  clusterDir = join(root, "clusters", "one");
  cpSync(pki, join(clusterDir, "pki"), { recursive: true });
  mkdirSync(join(root, "bin"));
  writeFileSync(join(root, "bin", "kubectl"), KUBECTL, { mode: 0o755 });
  writeFileSync(join(root, "bin", "gatekeeper"), MANAGER, { mode: 0o755 });
  leaders = new Set();
});
afterEach(async () => {
  await endGroups(leaders);
  rmSync(root, { recursive: true, force: true });
});

const daemonOf = (audit = AUDIT) => gatekeeperDaemon({ bin: join(root, "bin"), clusterDir, ports: PORTS, audit });
const inFolder = (name: string) => readFileSync(join(clusterDir, "gatekeeper", name), "utf8");
const calls = () =>
  existsSync(join(root, "calls")) ? readFileSync(join(root, "calls"), "utf8").trim().split("\n") : [];

function start(daemon: Daemon): number {
  startDaemon({ ...daemon, env: { ...daemon.env, HOME: root } });
  const pid = Number(readFileSync(daemon.pidFile, "utf8"));
  leaders.add(pid);
  return pid;
}

/** Processes of the group that this one leads. */
function groupOf(pid: number): string[] {
  return readdirSync("/proc").filter((entry) => {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2] === String(pid);
    } catch {
      return false;
    }
  });
}

async function until(holds: () => boolean): Promise<void> {
  // Once is enough: what is asked for may be over a moment later.
  let held = holds();
  for (let waited = 0; waited < 5000 && !held; waited += 10) {
    await sleep(10);
    held = holds();
  }
  expect(held).toBe(true);
}

describe("Gatekeeper's manager as a process", () => {
  it("has the flags of its pods, and listens and keeps its files where the cluster's are", async () => {
    const { args } = await daemonOf();
    const folder = join(clusterDir, "gatekeeper");
    expect(args).toEqual(
      expect.arrayContaining([
        "--host=127.0.0.1",
        "--port=20008",
        "--health-addr=127.0.0.1:20009",
        "--metrics-backend=opentelemetry",
        `--cert-dir=${folder}`,
        `--api-cache-dir=${join(folder, "audit")}`,
        "--operation=webhook",
        "--operation=audit",
        "--operation=status",
        "--audit-interval=15",
        "--constraint-violations-limit=7",
        "--audit-chunk-size=300",
      ]),
    );
    expect(existsSync(join(folder, "audit"))).toBe(true);
  });

  it("is its pods' service account to the API server, and not the administrator", async () => {
    await daemonOf();
    const { subject } = new X509Certificate(inFolder("client.crt"));
    expect(subject.split("\n").sort()).toEqual([
      "CN=system:serviceaccount:gatekeeper-system:gatekeeper-admin",
      "O=system:serviceaccounts",
    ]);
    const { clusters, users } = parse(inFolder("kubeconfig.yaml")) as Record<string, object[]>;
    expect(clusters).toMatchObject([
      { cluster: { server: "https://127.0.0.1:20001", "certificate-authority": "ca.crt" } },
    ]);
    expect(users).toMatchObject([{ user: { "client-certificate": "client.crt", "client-key": "client.key" } }]);
  });

  it("answers with a certificate for loopback that the API server can verify by what the stack is told", async () => {
    await daemonOf();
    const { url, caFile } = gatekeeperWebhook(clusterDir, PORTS);
    expect(url).toBe("https://127.0.0.1:20008/v1/admit");
    const certificate = new X509Certificate(inFolder("tls.crt"));
    expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(certificate.verify(new X509Certificate(readFileSync(caFile)).publicKey)).toBe(true);
  });

  it("waits until the stack has installed it, makes its pod, and becomes the manager under the same pid", async () => {
    const daemon = await daemonOf();
    const pid = start(daemon);
    await until(() => groupOf(pid).length > 1);
    expect(isAlive(daemon.pidFile)).toBe(true);
    expect(calls()).toEqual([]);

    writeFileSync(join(root, "installed"), "");
    await until(() => calls().length === 3);
    const [waited, made, became] = calls();
    expect(waited).toMatch(/-n gatekeeper-system rollout status deployment\/gatekeeper-controller-manager /);
    expect(made).toMatch(new RegExp(`-n gatekeeper-system apply .*-f ${join(clusterDir, "gatekeeper", "pod.json")}$`));
    expect(became).toBe("as gatekeeper-system/gatekeeper-process");
    // The script takes the manager's name after it has said so.
    await until(() => isAlive(daemon.pidFile));
    expect(Number(readFileSync(daemon.pidFile, "utf8"))).toBe(pid);
  });

  it("leaves nobody behind when it is stopped while it waits", async () => {
    const daemon = await daemonOf();
    const pid = start(daemon);
    await until(() => groupOf(pid).length > 1);
    await stopDaemon(daemon.pidFile);
    await until(() => groupOf(pid).length === 0);
  });

  it("is started anew when its flags have changed, and otherwise left alone", async () => {
    const { pidFile } = await daemonOf();
    const pid = start(await daemonOf());
    await daemonOf();
    expect(Number(readFileSync(pidFile, "utf8"))).toBe(pid);
    const changed = await daemonOf({ ...AUDIT, interval: 30_000 });
    expect(isAlive(pidFile)).toBe(false);
    expect(start(changed)).not.toBe(pid);
  });

  it("has a pod that Pod Security lets in and the scheduler leaves alone, for what it notes to belong to", async () => {
    await daemonOf();
    expect(JSON.parse(inFolder("pod.json"))).toMatchObject({
      kind: "Pod",
      metadata: { name: "gatekeeper-process", namespace: "gatekeeper-system" },
      spec: { schedulingGates: [{ name: expect.any(String) as string }], automountServiceAccountToken: false },
    });
  });
});

describe("waiting for the manager", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function health(answers: readonly number[]): Promise<Ports> {
    let asked = 0;
    server = createServer((_, response) => {
      response.writeHead(answers[Math.min(asked++, answers.length - 1)]!).end();
    });
    await new Promise<void>((ready) => server?.listen(0, "127.0.0.1", ready));
    return { ...PORTS, gatekeeperHealth: (server.address() as AddressInfo).port };
  }

  it("goes on until it has read its policies, where the API server asks it already", async () => {
    const ports = await health([500, 500, 200]);
    const kubectl = () =>
      Promise.resolve(
        "validatingwebhookconfiguration.admissionregistration.k8s.io/gatekeeper-validating-webhook-configuration\n",
      );
    await waitForGatekeeper(kubectl, clusterDir, ports);
  });

  it("is not done before the stack has brought its webhook: the stack itself is what the manager waits for", async () => {
    await waitForGatekeeper(() => Promise.resolve("\n"), clusterDir, PORTS);
  });
});
