import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { hostCommand, type HostScript } from "../../../../components/cluster/host-script";

const FOLDER = resolve(__dirname, "../../../../components/cluster/scripts");
const scripts = readdirSync(FOLDER)
  .map((file) => file.replace(/\.sh$/, "") as HostScript)
  .filter((name) => (name as string) !== "common");

const hasShellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
if (!hasShellcheck)
  process.stderr.write("\nSKIPPED: shellcheck is not installed: the hosts' scripts are not checked.\n");

describe.skipIf(!hasShellcheck)("shellcheck finds nothing in", () => {
  it.each(scripts)("%s", (name) => {
    const script = ["common", name].map((file) => readFileSync(join(FOLDER, `${file}.sh`), "utf8")).join("");
    const { stdout } = spawnSync("shellcheck", ["--shell=bash", "-"], { input: script, encoding: "utf8" });
    expect(stdout).toBe("");
  });
});

describe("a host's command", () => {
  /** What a shell makes of the line, with the script's own words in place of bash. */
  const run = (line: string) => execFileSync("sh", ["-c", line], { encoding: "utf8" });

  it("is one line for a shell, whatever its settings hold", () => {
    const nasty = `it's "quoted" $(touch /never) \`and\` \\escaped\nsecond line`;
    const line = hostCommand("join-node", { NODE: nasty }, "root").replace(/^bash -c /, "printf %s ");
    const script = run(line);
    expect(
      run(`${script.slice(0, script.indexOf("# Waits"))}\nprintf %s "$NODE"`.replace("set -euo pipefail", "")),
    ).toBe(nasty);
  });

  it("goes through sudo, which must ask for no password, for any user but root", () => {
    expect(hostCommand("restore-host", {}, "root")).toMatch(/^bash -c '/);
    expect(hostCommand("restore-host", {}, "deploy")).toMatch(/^sudo -n bash -c '/);
  });

  it.each(scripts)("%s fits on a command line, of which Linux takes 128 KiB for one word", (name) => {
    expect(Buffer.byteLength(hostCommand(name, {}, "root"))).toBeLessThan(32 * 1024);
  });

  it("refuses to do anything without its settings", () => {
    const command = ["-c", hostCommand("join-node", {}, "root")];
    const { status, stderr } = spawnSync("sh", command, { encoding: "utf8", env: { PATH: process.env["PATH"] } });
    expect(status).not.toBe(0);
    expect(stderr).toContain("NODE");
  });
});
