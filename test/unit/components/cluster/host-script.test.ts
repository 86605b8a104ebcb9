import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { hostCommand, HOST_SCRIPTS } from "../../../../components/cluster/host-script";

const hasShellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
if (!hasShellcheck)
  process.stderr.write("\nSKIPPED: shellcheck is not installed: the hosts' scripts are not checked.\n");

/** What a shell makes of the line. */
const run = (line: string) => execFileSync("sh", ["-c", line], { encoding: "utf8" });

describe.skipIf(!hasShellcheck)("shellcheck finds nothing in", () => {
  it.each(HOST_SCRIPTS)("%s", (name) => {
    // What bash is given as its one word, on the way to it.
    const script = run(hostCommand(name, {}, "root").replace(/^bash -c /, "printf %s "));
    const { stdout } = spawnSync("shellcheck", ["--shell=bash", "-"], { input: script, encoding: "utf8" });
    expect(stdout).toBe("");
  });
});

describe("a host's command", () => {
  it("is one line for a shell, whatever its settings hold", () => {
    const nasty = `it's "quoted" $(touch /never) \`and\` \\escaped\nsecond line`;
    const line = hostCommand("prepare-host", { MODULES: nasty }, "root").replace(/^bash -c /, "printf %s ");
    const script = run(line);
    expect(
      run(`${script.slice(0, script.indexOf("# Sets"))}\nprintf %s "$MODULES"`.replace("set -euo pipefail", "")),
    ).toBe(nasty);
  });

  it("goes through sudo, which must ask for no password, for any user but root", () => {
    expect(hostCommand("restore-host", {}, "root")).toMatch(/^bash -c '/);
    expect(hostCommand("restore-host", {}, "deploy")).toMatch(/^sudo -n bash -c '/);
  });

  it.each(HOST_SCRIPTS)("%s fits on a command line, of which Linux takes 128 KiB for one word", (name) => {
    expect(Buffer.byteLength(hostCommand(name, {}, "root"))).toBeLessThan(32 * 1024);
  });

  it("refuses to do anything without its settings", () => {
    const command = ["-c", hostCommand("join-cluster", {}, "root")];
    const { status, stderr } = spawnSync("sh", command, { encoding: "utf8", env: { PATH: process.env["PATH"] } });
    expect(status).not.toBe(0);
    expect(stderr).toContain("NODE");
  });
});
