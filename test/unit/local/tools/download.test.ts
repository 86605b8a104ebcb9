import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TOOL_RELEASES, TOOL_VERSIONS, type ToolRelease } from "../../../../infra/versions";
import { findSum } from "../../../../local/tools/download";
import { prepareTools } from "../../../../local/tools/resolve";
import { createPublisher, createWorkshop, type Publisher, type Workshop } from "../../../support/tool-workshop";

const ARCH = process.arch === "x64" ? "amd64" : "arm64";
const KUBECTL = TOOL_RELEASES.kubectl.path(ARCH);

let shop: Workshop;
let publisher: Publisher | undefined;
beforeEach(() => void (shop = createWorkshop()));
afterEach(async () => {
  await publisher?.close();
  publisher = undefined;
  shop.remove();
});

type Answer = string | Buffer | ((request: IncomingMessage, response: ServerResponse) => void);

async function publish(files: Record<string, Answer>): Promise<Publisher> {
  publisher = await createPublisher((request, response) => {
    const answer = files[request.url ?? ""];
    if (answer === undefined) response.writeHead(404).end();
    else if (typeof answer === "function") answer(request, response);
    else response.end(answer);
  });
  return publisher;
}

/** Leaves a mark when it is run, so that a test can tell that it never was. */
function program(text: string): string {
  return `#!/bin/sh\n: > '${mark()}'\ncat <<END\n${text}\nEND\n`;
}

const mark = () => path.join(shop.folder, "was-run");
const kubectl = () => program(`Client Version: v${TOOL_VERSIONS.kubernetes}`);
const sum = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

describe.runIf(process.platform === "linux")("a download", () => {
  it("is verified by its publisher's checksum and needs no Go", async () => {
    shop.remove();
    shop = createWorkshop({ go: false });
    const { urls } = await publish({ [KUBECTL]: kubectl(), [`${KUBECTL}.sha256`]: sum(kubectl()) });
    const [first] = await prepareTools(["kubectl"], shop.options({ hosts: urls }));
    expect(first).toMatchObject({ source: "download", version: TOOL_VERSIONS.kubernetes });
    expect(fs.readFileSync(first?.path ?? "", "utf8")).toBe(kubectl());
    const [second] = await prepareTools(["kubectl"], shop.options());
    expect(second?.source).toBe("cache");
  });

  it("comes out of an archive, with what lies beside it", async () => {
    const release: ToolRelease = TOOL_RELEASES.etcd;
    const member = release.member?.(ARCH) ?? "";
    const folder = path.join(shop.folder, "release");
    fs.mkdirSync(path.dirname(path.join(folder, member)), { recursive: true });
    fs.writeFileSync(path.join(folder, member), program(`etcd Version: ${TOOL_VERSIONS.etcd}`), { mode: 0o755 });
    fs.writeFileSync(path.join(folder, path.dirname(member), "README"), "beside");
    const archive = execFileSync("tar", ["-cz", "-C", folder, path.dirname(member)]);
    const file = release.path(ARCH);
    const { urls } = await publish({
      [file]: archive,
      [release.checksums?.path(ARCH) ?? ""]:
        `${"0".repeat(64)}  other.tar.gz\n${sum(archive)}  ${path.basename(file)}\n`,
    });
    const [etcd] = await prepareTools(["etcd"], shop.options({ hosts: urls }));
    expect(etcd?.source).toBe("download");
    const target = fs.realpathSync(etcd?.path ?? "");
    expect(fs.readdirSync(path.dirname(target)).sort()).toEqual(["README", "etcd"]);
  });

  describe("of a plugin that has a stand-in", () => {
    const plugin = "pulumi-resource-command";
    const release = TOOL_RELEASES[plugin];
    const archive = () => {
      fs.writeFileSync(path.join(shop.folder, plugin), program("official"), { mode: 0o755 });
      return execFileSync("tar", ["-cz", "-C", shop.folder, plugin]);
    };
    const publishArchive = (content: Buffer, digest: string) =>
      publish({
        [release.path(ARCH)]: content,
        [release.checksums?.path(ARCH) ?? ""]: `${digest}  ${path.basename(release.path(ARCH))}\n`,
      });

    it("takes the stand-in's place, and nothing is said of one", async () => {
      const content = archive();
      const { urls } = await publishArchive(content, sum(content));
      expect((await prepareTools([plugin], shop.options({ hosts: urls })))[0]?.source).toBe("download");
      expect((await prepareTools([plugin], shop.options()))[0]?.source).toBe("cache");
      expect(shop.told()).not.toContain("stand-in");
      expect(shop.builds()).toEqual([]);
    });

    it("leaves it to the stand-in where the publisher's sums are SHA-1, and says so", async () => {
      const content = archive();
      const { urls } = await publishArchive(content, createHash("sha1").update(content).digest("hex"));
      expect((await prepareTools([plugin], shop.options({ hosts: urls })))[0]?.source).toBe("build");
      expect(shop.told()).toContain("has no SHA-256 for pulumi-resource-command");
      expect(shop.told()).toContain(`${plugin} ${TOOL_VERSIONS[plugin]}: a stand-in`);
      expect(fs.existsSync(mark())).toBe(false);
    });
  });

  it("with a wrong checksum is refused before it is run, and built instead", async () => {
    const { urls } = await publish({ [KUBECTL]: kubectl(), [`${KUBECTL}.sha256`]: sum("something else") });
    const [tool] = await prepareTools(["kubectl"], shop.options({ hosts: urls }));
    expect(tool?.source).toBe("build");
    expect(fs.existsSync(mark())).toBe(false);
    expect(shop.told()).toContain(
      `has SHA-256 ${sum(kubectl())}, its publisher says ${sum("something else")}: refused`,
    );
    expect(fs.readdirSync(shop.paths.cache).filter((name) => name.startsWith("kubectl-"))).toEqual([]);
  });

  it("with a wrong checksum is an error where nothing else is left", async () => {
    shop.remove();
    shop = createWorkshop({ go: false });
    const { urls } = await publish({ [KUBECTL]: kubectl(), [`${KUBECTL}.sha256`]: sum("something else") });
    await expect(prepareTools(["kubectl"], shop.options({ hosts: urls }))).rejects.toThrow(
      /kubectl \(v1\.30\.x\): cannot be had: .*refused, it was not run, and there is no go on PATH/,
    );
    expect(fs.existsSync(mark())).toBe(false);
  });

  it("without a checksum is not even fetched", async () => {
    const { urls, requests } = await publish({ [KUBECTL]: kubectl(), [`${KUBECTL}.sha256`]: "not a checksum" });
    const [tool] = await prepareTools(["kubectl"], shop.options({ hosts: urls }));
    expect(tool?.source).toBe("build");
    expect(requests).toEqual([`${KUBECTL}.sha256`]);
  });

  it("that breaks off is tried once more", async () => {
    let first = true;
    const { urls } = await publish({
      [`${KUBECTL}.sha256`]: sum(kubectl()),
      [KUBECTL]: (_, response) => {
        if (first) breakOff(response);
        else response.end(kubectl());
        first = false;
      },
    });
    const [tool] = await prepareTools(["kubectl"], shop.options({ hosts: urls }));
    expect(tool?.source).toBe("download");
  });

  it("that always breaks off is told, and built instead", async () => {
    const { urls, requests } = await publish({
      [`${KUBECTL}.sha256`]: sum(kubectl()),
      [KUBECTL]: (_, response) => breakOff(response),
    });
    const [tool] = await prepareTools(["kubectl"], shop.options({ hosts: urls }));
    expect(tool?.source).toBe("build");
    expect(requests.filter((url) => url === KUBECTL)).toHaveLength(2);
    expect(shop.told()).toContain(`${urls.kubernetes}${KUBECTL} broke off 2 times`);
  });

  it("from a host that takes connections and serves nothing is not tried again", async () => {
    publisher = await createPublisher((request) => request.socket.destroy());
    const options = shop.options({ hosts: publisher.urls });
    const ready = await prepareTools(["kube-apiserver", "kubectl", "etcd"], options);
    expect(ready.map(({ source }) => source)).toEqual(["build", "build", "build"]);
    // etcd comes first and from another publisher, which is the same server here.
    expect(publisher.requests).toHaveLength(2);
    expect(shop.told().match(/is out of reach/g)).toHaveLength(1);
  });

  it("that is not there is built instead", async () => {
    const { urls } = await publish({});
    const [tool] = await prepareTools(["kubectl"], shop.options({ hosts: urls }));
    expect(tool?.source).toBe("build");
    expect(shop.told()).toContain("answers 404");
  });

  it("of another version than the name says is not used", async () => {
    const other = program("Client Version: v1.30.5");
    const { urls } = await publish({ [KUBECTL]: other, [`${KUBECTL}.sha256`]: sum(other) });
    const [tool] = await prepareTools(["kubectl"], shop.options({ hosts: urls }));
    expect(tool?.source).toBe("build");
    expect(shop.told()).toContain("reports version 1.30.5, not 1.30.4");
  });

  it("ends when it is stopped, and leaves nothing", async () => {
    const stop = new AbortController();
    const { urls } = await publish({
      [`${KUBECTL}.sha256`]: sum(kubectl()),
      [KUBECTL]: (_, response) => {
        response.writeHead(200, { "content-length": 1000 }).write("half");
        setTimeout(() => stop.abort(new Error("stopped by the user")), 50);
      },
    });
    await expect(prepareTools(["kubectl"], shop.options({ hosts: urls, signal: stop.signal }))).rejects.toThrow(
      "stopped by the user",
    );
    expect(fs.readdirSync(path.join(shop.paths.cache, "tmp"))).toEqual([]);
    expect(fs.existsSync(path.join(shop.paths.cache, "lock"))).toBe(false);
  });
});

function breakOff(response: ServerResponse): void {
  response.writeHead(200, { "content-length": 1000 });
  response.write("half a program", () => response.destroy());
}

describe("a list of checksums", () => {
  const a = "a".repeat(64);
  const b = "b".repeat(64);
  it.each([
    ["sum and file", `${b}  other\n${a}  tool\n`, a],
    ["sum and binary file", `${a} *tool`, a],
    ["sum and path", `${a}  ./dist/tool`, a],
    ["a sum in capitals", `${a.toUpperCase()}  tool`, a],
    ["a sum alone", `${a}\n`, a],
    ["another file only", `${b}  other`, undefined],
    ["several sums without names", `${a}\n${b}`, undefined],
    ["a shorter hash", `${"a".repeat(40)}  tool`, undefined],
    ["an error page", "<html>not found</html>", undefined],
    ["nothing", "", undefined],
  ])("of %s", (_, list, expected) => {
    expect(findSum(list, "tool")).toBe(expected);
  });
});
