import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { REGISTRY, REGISTRY_CONFIG, services, writeServices, type Service } from "../../../../local/node/services";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "services-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const scriptOf = (...path: string[]) => readFileSync(join(folder, ...path, "run"), "utf8");

/** What the real shell makes of a service's script. */
function run(service: Service): string {
  writeServices(folder, [service]);
  return execFileSync("sh", [join(folder, service.name, "run")], { encoding: "utf8", timeout: 10_000 });
}

describe("services on disk", () => {
  const kubelet: Service = {
    name: "kubelet",
    command: ["kubelet", "--v=2", "--node-labels=a=b"],
    after: "/run/it.sock",
  };
  const proxy: Service = { name: "kube-proxy", command: ["kube-proxy"] };

  it("are a folder each with a script that becomes the program, and one that keeps its log", () => {
    expect(writeServices(folder, [kubelet, proxy])).toEqual(["kubelet", "kube-proxy"]);
    expect((readdirSync(folder, { recursive: true }) as string[]).sort()).toEqual(
      ["kube-proxy", "kube-proxy/log", "kube-proxy/log/run", "kube-proxy/run"].concat([
        "kubelet",
        "kubelet/log",
        "kubelet/log/run",
        "kubelet/run",
      ]),
    );
    expect(scriptOf("kube-proxy")).toBe("#!/bin/sh\nexec 2>&1\nexec 'kube-proxy'\n");
    expect(scriptOf("kube-proxy", "log")).toBe(
      "#!/bin/sh\nmkdir -p /var/log/kube-proxy\nexec 'svlogd' \\\n  '/var/log/kube-proxy'\n",
    );
    const lines = scriptOf("kubelet").split("\n");
    expect(lines.slice(-4)).toEqual(["exec 'kubelet' \\", "  '--v=2' \\", "  '--node-labels=a=b'", ""]);
    expect(lines[2]).toContain("/run/it.sock");
  });

  it("can be executed, log and all", () => {
    writeServices(folder, [kubelet]);
    for (const file of ["kubelet/run", "kubelet/log/run"])
      expect((statSync(join(folder, file)).mode & 0o777).toString(8)).toBe("755");
  });

  it("are told only when they have changed", () => {
    writeServices(folder, [kubelet, proxy]);
    expect(writeServices(folder, [kubelet, proxy])).toEqual([]);
    expect(writeServices(folder, [kubelet, { ...proxy, command: ["kube-proxy", "--v=4"] }])).toEqual(["kube-proxy"]);
    expect(scriptOf("kube-proxy")).toContain("'--v=4'");
    expect(writeServices(folder, [{ name: kubelet.name, command: kubelet.command }, proxy])).toEqual([
      "kubelet",
      "kube-proxy",
    ]);
  });

  it("keep what runit has put beside their scripts", () => {
    writeServices(folder, [proxy]);
    writeFileSync(join(folder, "kube-proxy/down"), "");
    writeServices(folder, [{ ...proxy, command: ["kube-proxy", "--v=4"] }]);
    expect(readdirSync(join(folder, "kube-proxy")).sort()).toEqual(["down", "log", "run"]);
  });
});

describe("a service's script, run by the shell", () => {
  it.each([
    ["a space", "a b"],
    ["nothing", ""],
    ["single quotes", "it's 'quoted'"],
    ["double quotes", 'say "x"'],
    ["a variable", "$HOME ${PATH}"],
    ["commands", "$(id) `id`"],
    ["what ends a command", "a; b & c | d > e"],
    ["a backslash", "a\\b\\"],
    ["a line's end", "one\ntwo"],
    ["patterns", "* ? [a-z] ~"],
    ["what the kubelet is given", "--eviction-hard=imagefs.available<5%,nodefs.available<5%"],
  ])("hands %s on as it is", (_, word) => {
    expect(run({ name: "it", command: ["printf", "<%s>", word, "last"] })).toBe(`<${word}><last>`);
  });

  it("becomes the program, so that runit's signals reach it", () => {
    writeServices(folder, [{ name: "it", command: ["sh", "-c", "echo $PPID"] }]);
    const parent = execFileSync("sh", ["-c", `echo $$; sh ${join(folder, "it/run")}; true`], { encoding: "utf8" });
    const [shell, ppid] = parent.trim().split("\n");
    expect(ppid).toBe(shell);
  });

  it("sends errors where its output goes", () => {
    expect(run({ name: "it", command: ["sh", "-c", "echo trouble >&2"] })).toBe("trouble\n");
  });

  it.each(["socket", "a socket", "it's a socket"])("waits for the file %j before it starts", (name) => {
    const after = join(folder, name);
    const command = ["echo", "started"];
    // It looks for the file when `sleep` is over, which this one brings about.
    const bin = mkdtempSync(join(folder, "bin-"));
    writeFileSync(
      join(bin, "sleep"),
      `#!/bin/sh\necho waited\n[ ! -e "$AFTER.twice" ] || exec kill "$PPID"\n>"$AFTER.twice"\n>"$AFTER"\n`,
    );
    chmodSync(join(bin, "sleep"), 0o755);
    writeServices(folder, [{ name: "it", command, after }]);
    const env = { PATH: `${bin}:${process.env["PATH"] ?? ""}`, AFTER: after };
    expect(execFileSync("sh", [join(folder, "it/run")], { encoding: "utf8", env })).toBe("waited\nstarted\n");
  });
});

describe("the node's services", () => {
  const all = services({ kubelet: ["--a=1"], kubeProxy: ["--b=2"], kubeRouter: ["--c=3"] });

  it("are the registry, containerd and what K3s runs within its own process", () => {
    expect(all.map(({ name, command: [program] }) => [name, program])).toEqual([
      ["registry", "docker-registry"],
      ["containerd", "containerd"],
      ["kubelet", "kubelet"],
      ["kube-proxy", "kube-proxy"],
      ["kube-router", "kube-router"],
    ]);
    expect(all.map(({ command }) => command.at(-1)).slice(2)).toEqual(["--a=1", "--b=2", "--c=3"]);
  });

  it("start the kubelet once containerd listens where it is told to", () => {
    const containerd = all.find(({ name }) => name === "containerd");
    const { after = "" } = all.find(({ name }) => name === "kubelet") ?? {};
    expect(containerd?.command).toContain(`--address=${after}`);
  });

  it("have a registry that only the node itself can reach", () => {
    expect(REGISTRY).toBe("127.0.0.1:5000");
    expect(parse(REGISTRY_CONFIG)).toMatchObject({ http: { addr: REGISTRY } });
  });
});
