import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HostError, HostShell, obstacle } from "../../../../local/hosts/ssh";
import { problemsOf } from "../../infra/support";
import { cluster, HOST_KEY } from "./support";

const bastion = { host: "203.0.113.1", port: 2222, user: "jump", key: "edge", hostKey: HOST_KEY };
const host = { name: "agent-2", host: "agent.example.com", address: "192.0.2.22", user: "deploy", bastion };
const of = cluster({
  agents: [
    { ...host, hostKey: HOST_KEY },
    { name: "agent-3", host: "192.0.2.23", hostKeyUnchecked: true },
  ],
});
const KEYS = { default: "the default key", edge: "the key of the edge\n" };

describe("what OpenSSH is given", () => {
  let parent: string;
  let folder: string;
  let shell: HostShell;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "ssh-"));
    folder = join(parent, "ssh");
    shell = HostShell.open(folder, [...of.servers, ...of.agents], KEYS);
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  /** As OpenSSH itself understands it. */
  const settings = (name: string) => {
    const { stdout } = spawnSync("ssh", ["-G", "-F", join(folder, "config"), name], { encoding: "utf8" });
    return new Map(stdout.split("\n").map((line) => [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)]));
  };

  it("lies in a folder of its own that nobody else may read, each key once, and goes when it is closed", () => {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder).sort()).toEqual(["config", "key-default", "key-edge", "known_hosts"]);
    for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, "key-default"), "utf8")).toBe("the default key\n");
    shell.close();
    expect(existsSync(folder)).toBe(false);
  });

  it("has each host enter by its own login, through its bastion, and believe no other key", () => {
    const agent = settings("agent-2");
    expect(agent.get("hostname")).toBe("agent.example.com");
    expect(agent.get("user")).toBe("deploy");
    expect(agent.get("identityfile")).toBe(join(folder, "key-default"));
    expect(agent.get("proxyjump")).toBe("bastion.agent-2");
    expect(agent.get("stricthostkeychecking")).toBe("true");
    expect(agent.get("userknownhostsfile")).toBe(join(folder, "known_hosts"));
    expect(agent.get("batchmode")).toBe("yes");
    expect(agent.get("forwardagent")).toBe("no");
    const edge = settings("bastion.agent-2");
    expect([edge.get("hostname"), edge.get("port"), edge.get("user")]).toEqual(["203.0.113.1", "2222", "jump"]);
    expect(edge.get("identityfile")).toBe(join(folder, "key-edge"));
    expect(edge.has("proxyjump")).toBe(false);
    expect(readFileSync(join(folder, "known_hosts"), "utf8")).toContain(`\nbastion.agent-2 ${HOST_KEY}\n`);
  });

  it("believes whoever answers only where the config says so, and remembers nobody", () => {
    const unchecked = settings("agent-3");
    expect(unchecked.get("stricthostkeychecking")).toBe("false");
    expect(unchecked.get("userknownhostsfile")).toBe("/dev/null");
  });
});

it("refuses a host's name that would be more than a name in OpenSSH's config, before a key is written", () => {
  const folder = join(tmpdir(), "no-such-folder", "ssh");
  const nasty = cluster({
    agents: [{ name: "agent-1", host: "a\n  ProxyCommand touch /x", address: "192.0.2.1", hostKey: HOST_KEY }],
  });
  expect(problemsOf(() => HostShell.open(folder, nasty.agents, KEYS))).toEqual([
    expect.stringMatching(/^agent-1\.host: .*must be an address or a host name/s),
  ]);
  expect(existsSync(folder)).toBe(false);
});

describe("why a host cannot be entered", () => {
  const limit = (output: string, how = "failed with code 255") =>
    obstacle(new HostError("check-host on agent-1", output, how))?.limit;

  it.each([
    ["Host key verification failed.", "does not prove itself by the config's hostKey"],
    [
      "No ED25519 host key is known for agent-1 and you have requested strict checking.",
      "does not prove itself by the config's hostKey",
    ],
    [
      'Load key "/x/key-default": error in libcrypto\nroot@1.2.3.4: Permission denied (publickey).',
      "its private key cannot be used",
    ],
    ["root@1.2.3.4: Permission denied (publickey).", "does not let this user in by this key"],
    [
      "ssh: connect to host 1.2.3.4 port 22: Connection refused",
      "cannot be reached: ssh: connect to host 1.2.3.4 port 22: Connection refused",
    ],
    ["", "cannot be reached: ssh did not say why"],
  ])("%j", (output, told) => {
    expect(limit(output)).toBe(told);
  });

  it.each([
    ["sudo: a password is required", "sudo asks this user for a password"],
    ["deploy is not in the sudoers file.", "sudo asks this user for a password"],
    ["bash: line 1: sudo: command not found", "has no sudo"],
    ["sh: 1: bash: not found", "has no bash"],
  ])("%s", (output, told) => {
    expect(limit(output, "failed with code 1")).toBe(told);
  });

  it("is not what a script failed for", () => {
    expect(limit("server-1: the API server is not ready", "failed with code 1")).toBeUndefined();
  });
});
