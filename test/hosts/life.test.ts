import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CANNOT_RUN, type Host } from "../support/hosts/hosts";
import { StackOnHosts, startedAt } from "../support/hosts/stack-on-hosts";
import { eventually } from "../support/local-stack";

/** Entered as root the one, the other by way of sudo. */
const AS_DEPLOY = { hosts: { "agent-1": { user: "deploy" } } };
const SHIM = "/usr/local/bin/containerd-shim-wasmedge-v1";

/** Bare hosts, and the whole program over real SSH. Each step finds what the one before has left. */
describe.skipIf(CANNOT_RUN)("two bare hosts", () => {
  const own = new StackOnHosts();
  let server: Host;
  let agent: Host;

  beforeAll(async () => {
    // Without the internet: K3s's own images are in no registry here.
    await own.boot(["server-1", "agent-1"], undefined, true);
    [server, agent] = [own.get("server-1"), own.get("agent-1")];
    own.change(AS_DEPLOY);
  }, 900_000);

  afterAll(async () => expect(await own.end()).toEqual([]));

  const answers = async () => {
    const address = (await own.kubectl("get service checkout -n shop -o jsonpath={.spec.clusterIP}")).trim();
    // kube-proxy hears of a ready pod a moment later.
    const ask = () => agent.run(`curl -sS --max-time 5 http://${address}/api/function`).catch(String);
    await eventually(180, "the function answers", ask, (answer) => answer.includes('"name":"checkout"'));
  };

  it("preview as a whole cluster, with no host asked", async () => {
    const asked = own.downloads.requests.length;
    const { stdout } = await own.ok("preview");
    expect(stdout).toMatch(/\+ .*k3s-server-1-k3s/);
    expect(stdout).toMatch(/\+ .*Deployment checkout/);
    expect(own.downloads.requests).toHaveLength(asked);
    expect(await agent.run("ls /usr/local/bin")).toBe("");
  });

  it("are told that a disk is full, with nothing installed", async () => {
    const folder = "/var/lib/wasm-functions/wanted";
    await agent.run(`mkdir -p ${folder} && mount -t tmpfs -o size=64k full ${folder}`);
    const { code, stderr } = await own.run("up");
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/No space left on device|Failure writing output/);
    expect(await agent.run("ls /usr/local/bin")).toBe("");
    await agent.run(`umount ${folder}`);
  });

  it("go on after a connection was dropped in the middle, and become a cluster whose function answers", async () => {
    const up = own.start("up");
    const script = () => agent.run("pgrep -f '[A]UDIT_POLICY=' || true");
    await eventually(120, "a script starts K3s on the agent", script, Boolean);
    await agent.run("pkill -KILL -f '^sshd-session: deploy'");
    expect((await up.outcome).code).not.toBe(0);
    await own.ok("up");
    await answers();
    const pods = await own.kubectl("get pods -n shop -o jsonpath='{.items[*].spec.nodeName}'");
    expect(new Set(pods.trim().split(" "))).toEqual(new Set(["agent-1"]));
    await own.kubectl(
      "wait -n kube-system --for=condition=Available --timeout=60s deployment/coredns deployment/metrics-server",
    );
    const pulled = own.downloads.requests.filter((request) => request.includes("/manifests/"));
    // The function's image, and those of the way in.
    expect(pulled.filter((request) => !/\/(?:checkout|library\/traefik|library\/node)\//.test(request))).toEqual([]);
  });

  it("change nothing the second time", async () => {
    const started = await startedAt(agent);
    const { stderr } = await own.ok("up");
    expect(stderr).toMatch(/policies: kept/);
    expect(stderr).toMatch(/stack: 0 changes/);
    expect(await startedAt(agent)).toBe(started);
  });

  it("are not touched by an `up` that a policy refuses, nor is anything else", async () => {
    const before = await own.state();
    // Nobody has said that less will do there.
    own.local.configure("platform", { environment: "staging" }, "hosts");
    const { code, stderr } = await own.run("up");
    expect(code).toBe(1);
    const refusals = stderr.slice(stderr.indexOf("up was refused by a policy\n"));
    expect(refusals).toContain(
      "    Namespace shop protect: false: a tenant's functions would be gone with it; set platform.protect to true\n",
    );
    expect(await own.state()).toEqual(before);
    own.change();
  });

  it("have no token and no key in any argument, log or state, nor in a file that others may read", async () => {
    const tokens = (await server.run("cat /etc/rancher/k3s/token /etc/rancher/k3s/agent-token")).trim().split("\n");
    expect(tokens.every((token) => token.length >= 32)).toBe(true);
    for (const host of own.hosts.all) {
      const seen = await host.run("journalctl --no-pager -o cat; cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
      for (const token of tokens) expect(seen).not.toContain(token.split(":").at(-1));
      expect(await host.run("find /etc/rancher -type f -perm /077")).toBe("");
      expect(await host.run("stat -c %a /var/lib/wasm-functions")).toBe("700\n");
    }
    const state = JSON.stringify(await own.state());
    for (const secret of [...tokens, own.hosts.privateKey.split("\n")[1] ?? ""]) expect(state).not.toContain(secret);
  });

  it("stay as they are when the user that enters one changes: no deletion, no restart", async () => {
    const started = await startedAt(agent);
    own.change();
    const preview = await own.ok("preview");
    expect(preview.stdout).not.toMatch(/deleted|replaced/);
    await own.ok("up");
    expect(await startedAt(agent)).toBe(started);
  });

  it("refuse whoever answers with another key, before anything is run there", async () => {
    own.change({ hosts: { "agent-1": { hostKey: server.hostKey } }, cluster: { snapshots: { retention: 3 } } });
    const { code, stderr } = await own.run("up");
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/host key|HOST IDENTIFICATION/i);
  });

  it("install nothing whose sum is another", async () => {
    const before = await agent.run(`sha256sum ${SHIM}`);
    const wrong = { url: `${own.downloads.url}/shim`, sha256: { amd64: "0".repeat(64) } };
    own.change({ cluster: { shim: wrong } });
    const { code, stderr } = await own.run("up");
    expect(code).not.toBe(0);
    expect(stderr).toContain(`has SHA-256 ${own.shim.sha256}, not ${"0".repeat(64)}: refused, nothing was installed`);
    expect(await agent.run(`sha256sum ${SHIM}`)).toBe(before);
    own.change();
    await own.ok("up");
  });

  it("refuse a K3s that does not see the shim, for as long as it does not", async () => {
    const folder = "/etc/systemd/system/k3s-agent.service.d";
    const dropIn = `[Service]\\nInaccessiblePaths=${SHIM}\\n`;
    await agent.run(`mkdir -p ${folder} && printf '${dropIn}' >${folder}/hidden.conf`);
    own.change({ cluster: { mirrors: { "*": [own.downloads.url], "registry.example.com": [own.downloads.url] } } });
    for (const attempt of ["first", "second"]) {
      const { code, stderr } = await own.run("up");
      expect([attempt, code]).not.toEqual([attempt, 0]);
      expect(stderr).toContain("agent-1: K3s did not find the WasmEdge shim when it started");
    }
    await agent.run(`rm -r ${folder}`);
    // Taken back, the change that failed must still be undone.
    own.change();
    await own.ok("up");
    await answers();
  });

  it("come back when they reboot", async () => {
    await Promise.all(own.hosts.all.map((host) => host.reboot()));
    await answers();
  });

  it("are bare again after a down", async () => {
    await own.ok("down");
    for (const host of own.hosts.all) {
      expect(
        await host.run("ls -A /usr/local/bin /etc/rancher /var/lib/wasm-functions 2>/dev/null || true"),
      ).not.toMatch(/k3s|shim/);
      // In brackets, or it would find the shell that asks.
      expect(await host.run("pgrep -fa '[k]3s|[c]ontainerd|[k]ubelet' || true")).toBe("");
      expect(await host.run("sysctl -n vm.overcommit_memory kernel.panic")).toBe("0\n0\n");
      expect(await host.run("ls /etc/systemd/system | grep k3s || true")).toBe("");
    }
  });
});
