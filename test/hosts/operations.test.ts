import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_K3S_VERSION, DEFAULT_SHIM_VERSION } from "../../infra/versions";
import { ClusterByHand } from "../support/hosts/by-hand";
import { bootHosts, CANNOT_RUN, hostTools, leftovers, type Host, type Hosts } from "../support/hosts/hosts";
import { HostsStack, loginTo } from "../support/hosts/hosts-stack";
import { hostParts, publishK3s, publishShim, type Published } from "../support/hosts/releases";
import { serve, type HostServer } from "../support/hosts/server";

/** The operator's commands, by the same main program as `make` starts, over real SSH. */
describe.skipIf(CANNOT_RUN)("the hosts of a stack", () => {
  const stack = new HostsStack();
  let hosts: Hosts;
  let servers: Host[];
  let server: Host;
  let agent: Host;
  let downloads: HostServer;
  let shim: Published;
  /** What has to be ended, in the order in which it was started. */
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const options = hostTools();
    const served = join(stack.local.root, "served");
    await publishK3s(served, DEFAULT_K3S_VERSION);
    shim = await publishShim(served, DEFAULT_SHIM_VERSION, options);
    const names = ["server-1", "server-2", "server-3"];
    hosts = await bootHosts(
      [...names, "agent-1"].map((name) => ({ name })),
      { mounts: await hostParts(options), tools: options },
    );
    ends.push(() => hosts.stop());
    servers = names.map((name) => hosts.get(name));
    [server, agent] = [hosts.get("server-1"), hosts.get("agent-1")];
    downloads = await serve(hosts.machine, served, []);
    ends.push(downloads.close);
    configure();
  });

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    stack.local.dispose();
    expect(await leftovers()).toEqual([]);
  });

  /** Servers are entered as root; the agent through the first of them, and by way of sudo. */
  function configure(changes: { readonly server?: object; readonly agent?: object; readonly cluster?: object } = {}) {
    const { address: host, hostKey } = server;
    stack.configure({
      agentShape: { cpu: 2, memory: "6Gi", reserved: { cpu: "100m", memory: "1Gi" } },
      systemPodsPerAgent: 4,
      servers: servers.map((host) => ({ ...loginTo(host), ...(host === server && changes.server) })),
      agents: [{ ...loginTo(agent), user: "deploy", bastion: { host, hostKey }, ...changes.agent }],
      k3s: { url: `${downloads.url}/k3s` },
      shim: { url: `${downloads.url}/shim`, sha256: { amd64: shim.sha256 } },
      flannelBackend: "host-gw",
      ...changes.cluster,
    });
  }

  const kubectl = (command: string) => server.run(`k3s kubectl ${command}`);
  const exists = async (object: string) => (await kubectl(`get ${object} -o name --ignore-not-found`)).trim() !== "";
  const secret = (from: Host) => from.run("k3s kubectl get secret hidden -o jsonpath={.data.key} | base64 -d");
  const keyNames = async () => {
    const config = await server.run("cat /var/lib/rancher/k3s/server/cred/encryption-config.json");
    return [...config.matchAll(/"name":"([^"]+)"/g)].map(([, name]) => name);
  };
  /** Who is a member of etcd, as it says itself. */
  const members = async () => {
    const tls = "/var/lib/rancher/k3s/server/tls";
    const curl = `curl -fsS --cacert ${tls}/server-ca.crt --cert ${tls}/etcd-client.crt --key ${tls}/etcd-client.key`;
    const answer = await server.run(`${curl} -d {} https://127.0.0.1:2379/v3/cluster/member/list`);
    return (JSON.parse(answer) as { members: { name: string }[] }).members.map((member) => member.name).sort();
  };
  /** What commands leave of keys and other temporary files. */
  const remains = () => {
    const folder = join(stack.local.paths.home, "tmp");
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  it("cannot be entered without the key that the config names, and the command to set it is told", async () => {
    const { code, stderr } = await stack.run("hosts-check");
    expect(code).toBe(1);
    expect(stderr).toContain("sshKeys.default: missing: hosts are entered by it; set it: pulumi config set --secret");
    await stack.setKey(hosts.privateKey);
  });

  it("are found ready while bare, and nothing on them is changed by that", async () => {
    for (const host of hosts.all) await host.run("touch /tmp/before");
    const { stdout, stderr } = await stack.ok("hosts-check");
    expect(stdout.split("\n")[0]).toMatch(/^HOST +ROLE +ENTRY +SYSTEM +KERNEL/);
    // The last column: the kernel's settings, which up will set.
    expect(stdout).toMatch(/^server-1 +server +ok .* \d+ to set$/m);
    expect(stdout).toMatch(/^agent-1 +agent +ok .* \d+ to set$/m);
    expect(stdout).not.toContain("problem");
    expect(stderr).toContain("hosts: 4 asked, 0 problems");
    for (const host of hosts.all) {
      // What sshd and systemd write for every login is the host's own.
      const changed = await host.run("find / -xdev -path /var/log -prune -o -newer /tmp/before -type f -print");
      expect(changed.split("\n").filter((file) => !/^\/(?:proc|sys|run)\//.test(file) && file !== "")).toEqual([]);
      expect(await host.run("ls -A /usr/local/bin /var/lib/rancher")).not.toMatch(/k3s/);
    }
    expect(remains()).toEqual([]);
  });

  it("are told apart from what the config says: architecture, size, a port that is taken, a download that fails", async () => {
    await agent.run("systemd-run --quiet --unit=squatter node -e 'require(\"net\").createServer().listen(10250)'");
    const shape = { cpu: 64, memory: "512Gi", reserved: { cpu: "500m", memory: "1Gi" } };
    configure({ agent: { architecture: "arm64" }, cluster: { agentShape: shape } });
    const { code, stdout, stderr } = await stack.run("hosts-check");
    expect(code).toBe(1);
    expect(stderr).toContain("The hosts are not ready");
    expect(stderr).toContain("agent-1.system: x86_64: is not the config's arm64; set architecture: amd64");
    expect(stderr).toMatch(/agent-1\.size: 2 CPUs: less than the 64 of cluster\.agentShape/);
    expect(stderr).toContain("agent-1.ports: tcp/10250: are taken");
    expect(stderr).toMatch(/agent-1\.downloads: http:\S+\/k3s-arm64: does not answer: HTTP 404/);
    expect(stderr).not.toMatch(/server-1\.\w+:.*problem/);
    expect(stdout).toMatch(/^agent-1 .*problem/m);
    await agent.run("systemctl stop squatter");
  });

  it("are refused with another key than the config's, and with a sudo that asks, each with its own remedy", async () => {
    await agent.run("mv /etc/sudoers.d/deploy /root/sudoers");
    configure({ server: { hostKey: agent.hostKey }, agent: { bastion: undefined } });
    const { code, stdout, stderr } = await stack.run("hosts-check");
    expect(code).toBe(1);
    expect(stderr).toMatch(/server-1\.entry: root@\S+ port 22: does not prove itself by the config's hostKey/);
    expect(stderr).toMatch(/agent-1\.entry: deploy@\S+ port 22: sudo asks this user for a password/);
    expect(stdout).toMatch(/^server-1 +server +problem +-/m);
    await agent.run("mv /root/sudoers /etc/sudoers.d/deploy");
    configure();
  });

  it("leave no private key here when the command is stopped", async () => {
    const running = stack.start("hosts-check");
    await running.until(/hosts: 0 of 4 asked/);
    running.child.kill("SIGINT");
    expect((await running.outcome).code).toBe(130);
    expect(remains()).toEqual([]);
  });

  let name: string;

  it("have a snapshot taken of etcd, whose name and place are told", async () => {
    const tokens = { token: "the-token-of-servers", agentToken: "the-token-of-agents" };
    const byHand = new ClusterByHand(downloads, servers, [agent], DEFAULT_K3S_VERSION);
    const first = `https://${server.address}:6443`;
    for (const host of servers) {
      await byHand.install("server", host, host === server ? tokens : { ...tokens, server: first }, {
        disable: ["coredns", "metrics-server", "traefik", "servicelb", "local-storage", "runtimes"],
      });
    }
    await kubectl("create configmap kept --from-literal=a=b");
    await kubectl("create secret generic hidden --from-literal=key=plain-to-read");
    const { stdout } = await stack.ok("snapshot");
    name = /^Snapshot (on-demand-server-1-\d+)$/m.exec(stdout)?.[1] ?? "";
    const file = `/var/lib/rancher/k3s/server/db/snapshots/${name}`;
    expect(stdout).toContain(`is on server-1: ${file}`);
    expect(stdout).toContain(`make restore STACK=hosts SNAPSHOT=${name}`);
    expect(await server.run(`stat -c %a ${file}`)).toBe("600\n");
  });

  it("encrypt secrets by a new key, and have forgotten the old one", async () => {
    const before = await keyNames();
    const { stdout } = await stack.ok("rotate-encryption-key");
    const after = await keyNames();
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
    expect(stdout).toContain(`Secrets are encrypted by the key ${after[0]}, on all servers.`);
    // With the old key gone, what was not written anew could not be read any more.
    for (const host of servers) expect(await secret(host)).toBe("plain-to-read");
    expect(await server.run("grep -rc plain-to-read /var/lib/rancher/k3s/server/db || true")).not.toMatch(/:[1-9]/);
  });

  it("keep their state where the snapshot is not known, or nobody types the stack's name", async () => {
    await kubectl("delete configmap kept");
    await kubectl("create configmap later");
    const started = await server.run("systemctl show -p ExecMainStartTimestamp --value k3s");
    const unknown = await stack.run("restore", { SNAPSHOT: "../../token" }, "hosts\n");
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain("SNAPSHOT: ../../token: is none of the 2 snapshots of server-1");
    expect(unknown.stdout).toMatch(/^SNAPSHOT +SIZE +TAKEN\nbefore-key-rotation-server-1-\d+ +[\d.]+[KM]i +20/);
    expect(unknown.stdout).toContain(`\n${name} `);
    const silent = await stack.run("restore", { SNAPSHOT: name });
    expect(silent.code).toBe(1);
    expect(silent.stderr).toContain("Nothing was restored");
    expect(await server.run("systemctl show -p ExecMainStartTimestamp --value k3s")).toBe(started);
  });

  it("tell what K3s said where a snapshot is damaged, with what was there still there", async () => {
    await server.run(`cd /var/lib/rancher/k3s/server/db/snapshots && head -c 100000 ${name} >damaged`);
    const { code, stderr } = await stack.run("restore", { SNAPSHOT: "damaged" }, "hosts\n");
    expect(code).toBe(1);
    expect(stderr).toContain("K3s does not restore damaged: the last lines of its log are above");
    expect(await server.run("ls /var/lib/rancher/k3s/server/db/etcd")).toBe("member\n");
  });

  it("have the state of a snapshot again, on all servers, with the key of that time", async () => {
    const snapshots = "/var/lib/rancher/k3s/server/db/snapshots";
    await servers[1]?.run(`mkdir -p ${snapshots} && touch ${snapshots}/of-its-own`);
    const { stdout } = await stack.ok("restore", { SNAPSHOT: name }, "hosts\n");
    expect(stdout).toContain(`The cluster's state is that of ${name}.`);
    expect(await exists("configmap/kept")).toBe(true);
    expect(await exists("configmap/later")).toBe(false);
    for (const host of servers) expect(await secret(host)).toBe("plain-to-read");
    expect(await keyNames()).toEqual(["aescbckey"]);
    expect(await members()).toEqual(servers.map((host) => host.name));
    // Snapshots of the other servers stay, and the next restore finds no guard of this one.
    expect(await servers[1]?.run(`ls ${snapshots}`)).toContain("of-its-own");
    expect(await server.run("ls /var/lib/rancher/k3s/server/db")).not.toContain("reset-flag");
    expect(remains()).toEqual([]);
  });

  it("show no key and no token to whoever looks at processes or logs", async () => {
    const token = "the-token-of-servers";
    const seen = await server.run("journalctl --no-pager -o cat; cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    expect(seen).not.toContain(token);
  });
});
