import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { DEFAULT_K3S_VERSION, DEFAULT_SHIM_VERSION } from "../../infra/versions";
import { assembleImage, type ReadyImage } from "../../local/images/assemble";
import { buildFunction } from "../../local/images/function";
import { IMAGES } from "../../local/images/table";
import { run } from "../../local/run";
import { bootHosts, CANNOT_RUN, hostTools, leftovers, type Host, type Hosts } from "../support/hosts/hosts";
import { hostParts, publishK3s, publishShim, type Published } from "../support/hosts/releases";
import { serve, type HostServer } from "../support/hosts/server";
import { eventually, LocalStack } from "../support/local-stack";

const STACK = "hosts";

interface State {
  readonly deployment: { readonly resources?: readonly { readonly urn: string; readonly outputs?: object }[] };
}

/** Bare hosts, and the whole program over real SSH: the same commands as for production. */
describe.skipIf(CANNOT_RUN)("two bare hosts", () => {
  const stack = new LocalStack();
  const backend = join(stack.root, "own-backend");
  const env = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: "of this test" };
  let hosts: Hosts;
  let server: Host;
  let agent: Host;
  let downloads: HostServer;
  let shim: Published;
  /** What has to be ended, in the order in which it was started. */
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    mkdirSync(backend);
    // The engine looks for the program's file there.
    symlinkSync(resolve(__dirname, "../../infra"), join(stack.root, "infra"));
    const options = hostTools();
    const served = join(stack.root, "served");
    await publishK3s(served, DEFAULT_K3S_VERSION);
    shim = await publishShim(served, DEFAULT_SHIM_VERSION, options);
    const images: ReadyImage[] = [await buildFunction("checkout", options, "compiled")];
    for (const image of Object.values(IMAGES)) images.push(await assembleImage(image, options));
    hosts = await bootHosts([{ name: "server-1" }, { name: "agent-1" }], {
      mounts: await hostParts(options),
      tools: options,
    });
    ends.push(() => hosts.stop());
    [server, agent] = [hosts.get("server-1"), hosts.get("agent-1")];
    downloads = await serve(hosts.machine, served, images);
    ends.push(downloads.close);
    writeStackFile();
    await setKey("default", hosts.privateKey);
  }, 900_000);

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    stack.dispose();
    expect(await leftovers()).toEqual([]);
  });

  const stackFile = () => join(stack.root, `Pulumi.${STACK}.yaml`);

  /** The stack `real` on these hosts; what it stores encrypted stays in it. */
  function writeStackFile(changes: { readonly agent?: object; readonly cluster?: object } = {}): void {
    const before = existsSync(stackFile())
      ? (parse(readFileSync(stackFile(), "utf8")) as { config: object })
      : undefined;
    const { config } = parse(readFileSync(join(stack.root, "Pulumi.real.yaml"), "utf8")) as {
      config: Record<string, object>;
    };
    const login = (host: Host) => ({ name: host.name, host: host.address, port: host.port, hostKey: host.hostKey });
    const cluster = {
      kind: "k3s",
      agentShape: { cpu: 2, memory: "6Gi", reserved: { cpu: "500m", memory: "1Gi" } },
      servers: [login(server)],
      // One is entered as root, the other by way of sudo.
      agents: [{ ...login(agent), user: "deploy", ...changes.agent }],
      k3s: { url: `${downloads.url}/k3s` },
      shim: { url: `${downloads.url}/shim`, sha256: { amd64: shim.sha256 } },
      mirrors: { "*": [downloads.url] },
      // Nothing here is encrypted by the stand-in, which says so.
      flannelBackend: "host-gw",
      ...changes.cluster,
    };
    const merged = { ...before?.config, ...config, "wasm-functions:cluster": cluster };
    writeFileSync(stackFile(), stringify({ ...before, config: merged }));
  }

  async function pulumi(args: readonly string[], input = ""): Promise<string> {
    const own = { ...env, PULUMI_HOME: stack.paths.pulumiHome, PULUMI_SKIP_UPDATE_CHECK: "true", NO_COLOR: "1" };
    return run(join(stack.paths.bin, "pulumi"), [...args, "--non-interactive"], {
      cwd: stack.root,
      env: { ...process.env, ...own },
      input,
    });
  }

  async function setKey(name: string, key: string): Promise<void> {
    // The first command makes the tools ready, and tells that there is no key yet.
    const { stderr } = await stack.run("preview", STACK, env);
    if (!existsSync(join(stack.paths.bin, "pulumi"))) throw new Error(stderr);
    await pulumi(["stack", "init", STACK]);
    await pulumi(["config", "set", "--stack", STACK, "--secret", "--path", `sshKeys["${name}"]`], key);
  }

  const state = async () => JSON.parse(await pulumi(["stack", "export", "--stack", STACK])) as State;

  it("preview as a whole cluster, with no host asked", async () => {
    const asked = downloads.requests.length;
    const { stdout } = await stack.ok("preview", STACK, env);
    expect(stdout).toMatch(/\+ .*k3s-server-1-k3s/);
    expect(stdout).toMatch(/\+ .*Deployment checkout/);
    expect(downloads.requests).toHaveLength(asked);
    expect(await agent.run("ls /usr/local/bin")).toBe("");
  });

  it("become a cluster whose function answers, by one up", async () => {
    await stack.ok("up", STACK, env);
    const address = (await server.run("k3s kubectl get service checkout -n shop -o jsonpath={.spec.clusterIP}")).trim();
    const ask = () => agent.run(`curl -sS --max-time 5 http://${address}/api/function`).catch(String);
    // kube-proxy hears of a ready pod a moment later.
    await eventually(10, "the function answers", ask, (answer) => answer.includes('"name":"checkout"'));
    const pods = await server.run("k3s kubectl get pods -n shop -o jsonpath='{.items[*].spec.nodeName}'");
    expect(new Set(pods.trim().split(" "))).toEqual(new Set(["agent-1"]));
  });

  it("change nothing the second time", async () => {
    const started = await agent.run("systemctl show -p ExecMainStartTimestamp --value k3s-agent");
    const { stderr } = await stack.ok("up", STACK, env);
    expect(stderr).toMatch(/stack: 0 changes/);
    expect(await agent.run("systemctl show -p ExecMainStartTimestamp --value k3s-agent")).toBe(started);
  });

  it("have no token and no key in any argument, log or state, nor in a file that others may read", async () => {
    const tokens = (await server.run("cat /etc/rancher/k3s/token /etc/rancher/k3s/agent-token")).trim().split("\n");
    expect(tokens.every((token) => token.length >= 32)).toBe(true);
    const text = JSON.stringify(await state());
    for (const host of hosts.all) {
      const seen = await host.run("journalctl --no-pager -o cat; cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
      for (const token of tokens) expect(seen).not.toContain(token.split(":").at(-1));
      expect(await host.run("find /etc/rancher -type f -perm /077")).toBe("");
    }
    for (const secret of [...tokens, hosts.privateKey.split("\n")[1] ?? ""]) expect(text).not.toContain(secret);
  });

  it("stay as they are when the user that enters one changes: no deletion, no restart", async () => {
    const started = await agent.run("systemctl show -p ExecMainStartTimestamp --value k3s-agent");
    writeStackFile({ agent: { user: "root" } });
    const preview = await stack.ok("preview", STACK, env);
    expect(preview.stdout).not.toMatch(/deleted|replaced/);
    await stack.ok("up", STACK, env);
    expect(await agent.run("systemctl show -p ExecMainStartTimestamp --value k3s-agent")).toBe(started);
  });

  it("refuse whoever answers with another key, before anything is run there", async () => {
    writeStackFile({ agent: { user: "root", hostKey: server.hostKey }, cluster: { snapshots: { retention: 3 } } });
    const { code, stderr } = await stack.run("up", STACK, env);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/host key|HOST IDENTIFICATION/i);
    writeStackFile({ agent: { user: "root" } });
    await stack.ok("up", STACK, env);
  });

  it("install nothing whose sum is another", async () => {
    const before = await agent.run("sha256sum /usr/local/bin/containerd-shim-wasmedge-v1");
    const wrong = { url: `${downloads.url}/shim`, sha256: { amd64: "0".repeat(64) } };
    writeStackFile({ agent: { user: "root" }, cluster: { shim: wrong } });
    const { code, stderr } = await stack.run("up", STACK, env);
    expect(code).not.toBe(0);
    expect(stderr).toContain(`has SHA-256 ${shim.sha256}, not ${"0".repeat(64)}: refused, nothing was installed`);
    expect(await agent.run("sha256sum /usr/local/bin/containerd-shim-wasmedge-v1")).toBe(before);
    writeStackFile({ agent: { user: "root" } });
    await stack.ok("up", STACK, env);
  });

  it("are bare again after a down", async () => {
    await stack.ok("down", STACK, env);
    for (const host of hosts.all) {
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
