import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TOOL_VERSIONS } from "../../../../infra/versions";
import { runChild } from "../../../../local/tools/child";
import { TOOL_NAMES } from "../../../../local/tools/catalog";
import { ensureTools, formatTools, prepareTools } from "../../../../local/tools/resolve";
import { ALL_VERSIONS, createWorkshop, type Workshop } from "../../../support/tool-workshop";

let shop: Workshop;
beforeEach(() => void (shop = createWorkshop()));
afterEach(() => shop.remove());

const etcdOnPath = (version: string) => `#!/bin/sh\necho "etcd Version: ${version}"\n`;

describe("on PATH", () => {
  it("uses a program of the right version, and builds nothing", async () => {
    const program = shop.onPath("etcd", etcdOnPath(TOOL_VERSIONS.etcd));
    const [etcd] = await prepareTools(["etcd"], shop.options());
    expect(etcd).toMatchObject({
      source: "PATH",
      version: TOOL_VERSIONS.etcd,
      path: path.join(shop.paths.bin, "etcd"),
    });
    expect(fs.readlinkSync(path.join(shop.paths.bin, "etcd"))).toBe(program);
    expect(shop.builds()).toEqual([]);
  });

  it("skips a wrong version with a note that names file, version and what is needed", async () => {
    const program = shop.onPath("kubectl", '#!/bin/sh\necho "Client Version: v1.32.4-dispatcher"\n');
    const [kubectl] = await prepareTools(["kubectl"], shop.options());
    expect(kubectl?.source).toBe("build");
    expect(shop.told()).toContain(`kubectl: ${program} on PATH is v1.32.4-dispatcher, v1.30.x is needed: not used\n`);
  });

  it("skips a program that does not run", async () => {
    shop.onPath("etcd", "#!/bin/sh\nexit 3\n");
    const [etcd] = await prepareTools(["etcd"], shop.options());
    expect(etcd?.source).toBe("build");
    expect(shop.told()).toContain("does not tell its version");
  });

  it("looks further along PATH after a wrong version", async () => {
    shop.onPath("etcd", etcdOnPath("3.4.1"));
    const second = path.join(shop.folder, "second");
    fs.mkdirSync(second);
    fs.writeFileSync(path.join(second, "etcd"), etcdOnPath(TOOL_VERSIONS.etcd), { mode: 0o755 });
    const env = { ...shop.env, PATH: `${shop.env["PATH"]}:${second}` };
    const [etcd] = await prepareTools(["etcd"], shop.options({ env }));
    expect(etcd?.source).toBe("PATH");
    expect(fs.readlinkSync(etcd?.path ?? "")).toBe(path.join(second, "etcd"));
  });

  it("does not take its own links for programs on PATH", async () => {
    await prepareTools(["etcd"], shop.options());
    const env = { ...shop.env, PATH: `${shop.paths.bin}:${shop.env["PATH"]}` };
    const [etcd] = await prepareTools(["etcd"], shop.options({ env }));
    expect(etcd?.source).toBe("cache");
  });
});

describe("builds", () => {
  it("builds once, then finds it in the cache", async () => {
    const [first] = await prepareTools(["etcd"], shop.options());
    const [second] = await prepareTools(["etcd"], shop.options());
    expect([first?.source, second?.source]).toEqual(["build", "cache"]);
    expect(shop.builds()).toHaveLength(1);
    expect(shop.told()).toMatch(/etcd 3\.6\.16: built in \d/);
  });

  it("makes the four Kubernetes programs by one build", async () => {
    const names = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"] as const;
    const tools = await ensureTools(names, shop.options());
    expect(Object.keys(tools).sort()).toEqual([...names].sort());
    expect(new Set(Object.values(tools).map((file) => fs.realpathSync(file))).size).toBe(1);
    expect(shop.builds()).toHaveLength(1);
    expect((await runChild(tools.kubectl, ["version", "--client"], { env: shop.env })).code).toBe(0);
  });

  it("builds in a copy of the module, by flags that nothing in the environment changes", async () => {
    const env = { ...shop.env, GOFLAGS: "-mod=mod", CGO_ENABLED: "1", GOWORK: "/somewhere/go.work" };
    await prepareTools(["etcd", "kwok"], shop.options({ env }));
    const printsAll = `${ALL_VERSIONS}\npromtool, version ${TOOL_VERSIONS.prometheus} (branch: )`;
    await prepareTools(["promtool"], shop.options({ env: { ...env, FAKE_GO_PRINTS: printsAll } }));
    const [etcd = "", kwok = "", promtool = ""] = shop.builds();
    expect(etcd).toContain("CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off GOTOOLCHAIN=local");
    expect(etcd).toContain(`dir=${shop.paths.cache}/tmp/`);
    expect(etcd).toContain("files=go.mod go.sum main.go args=");
    expect(etcd).not.toContain("-gcflags");
    expect(kwok).toContain("-gcflags=all=-N -l");
    expect(etcd + kwok).not.toContain("-tags");
    expect(promtool).toContain(" -tags=remove_all_sd,enable_kubernetes_sd,netgo ");
  });

  it("copies what a main package embeds out of its dependency", async () => {
    const folder = path.join(shop.folder, "module", "cmd", "pulumi-resource-kubernetes");
    fs.mkdirSync(folder, { recursive: true });
    for (const file of ["schema.json", "terraform-mapping.json"])
      fs.writeFileSync(path.join(folder, file), "{}", { mode: 0o444 });
    const env = { ...shop.env, FAKE_GO_MODULE: path.join(shop.folder, "module") };
    await prepareTools(["pulumi-resource-kubernetes"], shop.options({ env }));
    expect(shop.builds()[0]).toContain("files=go.mod go.sum main.go schema.json terraform-mapping.json");
  });

  it("builds anew when the module or Go changes", async () => {
    await prepareTools(["etcd"], shop.options());
    fs.appendFileSync(path.join(shop.paths.toolSources, "etcd", "go.sum"), "another hash\n");
    await prepareTools(["etcd"], shop.options());
    await prepareTools(["etcd"], shop.options({ env: { ...shop.env, FAKE_GO_VERSION: "1.27.0" } }));
    expect(shop.builds()).toHaveLength(3);
  });

  it("takes any Go's build out of the cache where there is no Go", async () => {
    await prepareTools(["etcd"], shop.options());
    fs.rmSync(path.join(shop.folder, "bin", "go"));
    const [etcd] = await prepareTools(["etcd"], shop.options());
    expect(etcd?.source).toBe("cache");
  });

  it("tells the last line of a failed build and where the rest is, and keeps what was ready", async () => {
    await prepareTools(["etcd"], shop.options());
    const failing = shop.options({ env: { ...shop.env, FAKE_GO: "fail" } });
    const log = path.join(shop.paths.logs, "build-kwok.log");
    await expect(prepareTools(["etcd", "kwok"], failing)).rejects.toThrow(
      `go build of kwok 0.8.0 failed: main.go:3:8: undefined: etcdmain: it builds from the pinned modules there, unchanged; see ${log}`,
    );
    expect(fs.readFileSync(log, "utf8")).toContain("undefined: etcdmain");
    expect((await prepareTools(["etcd"], failing))[0]?.source).toBe("cache");
  });

  it("refuses a build that reports another version", async () => {
    const env = { ...shop.env, FAKE_GO_PRINTS: "etcd Version: 3.6.0" };
    await expect(prepareTools(["etcd"], shop.options({ env }))).rejects.toThrow("reports version 3.6.0, not 3.6.16");
    expect(fs.readdirSync(shop.paths.cache).filter((name) => name.startsWith("etcd-"))).toEqual([]);
  });
});

describe("a stand-in", () => {
  it("is said aloud each time that it is made ready, also out of the cache", async () => {
    const command = "pulumi-resource-command";
    const said = `${command} ${TOOL_VERSIONS[command]}: a stand-in of this project's`;
    const times = () => shop.told().split(said).length - 1;
    expect((await prepareTools([command], shop.options()))[0]?.source).toBe("build");
    expect(times()).toBe(1);
    expect((await prepareTools([command], shop.options()))[0]?.source).toBe("cache");
    expect(times()).toBe(2);
  });

  it("is not said of other programs that are built", async () => {
    await prepareTools(["etcd", "pulumi-resource-random"], shop.options());
    expect(shop.told()).not.toContain("stand-in");
  });
});

describe("without Go and without network", () => {
  it("is one error that names every tool and says what to install", async () => {
    shop.remove();
    shop = createWorkshop({ go: false });
    const error = await prepareTools(TOOL_NAMES, shop.options()).catch((reason: unknown) => reason);
    const { message } = error as Error;
    for (const name of TOOL_NAMES) expect(message).toContain(`${name} (`);
    expect(message).toContain("there is no go on PATH");
    expect(message).toContain("install Go 1.26.7 or newer (https://go.dev/dl)");
  });

  it("says so when Go is too old", async () => {
    const env = { ...shop.env, FAKE_GO_VERSION: "1.22.3" };
    await expect(prepareTools(["kwok"], shop.options({ env }))).rejects.toThrow(
      "and the go on PATH is 1.22.3, 1.26.7 is needed",
    );
  });

  it("says so when Go cannot reach its modules", async () => {
    const env = { ...shop.env, FAKE_GO: "offline" };
    await expect(prepareTools(["etcd"], shop.options({ env }))).rejects.toThrow(
      /modules cannot be downloaded.*GOPROXY/s,
    );
  });

  it("tells a publisher out of reach once", async () => {
    await prepareTools(["etcd", "kube-apiserver", "kubectl"], shop.options());
    expect(shop.told().match(/out of reach/g)).toHaveLength(1);
  });
});

it("prints a table of tool, version, source, time and path", async () => {
  const table = formatTools(await prepareTools(["etcd"], shop.options()));
  expect(table.split("\n")[0]).toMatch(/^tool +version +from +time +path$/);
  expect(table).toMatch(/^etcd +v3\.6\.16 +build +\d\S* s +\/.*\/\.local\/bin\/etcd$/m);
});
