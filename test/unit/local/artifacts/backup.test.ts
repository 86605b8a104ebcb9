import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { filesOf, packFolder, unpackInto } from "../../../../local/artifacts/archive";
import { readBackup, writeBackup } from "../../../../local/artifacts/backup";
import { withImages, withoutSecrets } from "../../../../local/artifacts/definitions";
import type { Credentials } from "../../../../local/artifacts/credentials";
import { parseTarget, pushImages, verifyImages } from "../../../../local/artifacts/restore";
import { Repository } from "../../../../local/artifacts/registry";
import type { StackFile } from "../../../../local/engine/stack-file";
import { k3s, rawConfig } from "../../infra/support";
import { failure, newFolder, newOptions, newRegistry, stackOf } from "./support";

const CREDENTIAL = "puller:hunter2-of-the-test";

const functionAt = (image: string) => rawConfig({ functions: [{ name: "checkout", image }] });

/** Backs a stack up, and gives the archive with what it says. */
async function backUp(file: StackFile, credentials: Credentials = {}) {
  const archive = join(newFolder(), "backup.tar.gz");
  const manifest = await writeBackup(file, archive, newFolder(), credentials, newOptions());
  return { archive, ...manifest };
}

/** What is in an archive, as text. */
const textOf = (archive: string) => gunzipSync(readFileSync(archive)).toString("latin1");

async function restore(archive: string, registry: string, credentials: Credentials = {}): Promise<void> {
  const { functions, images } = await readBackup(archive, newFolder());
  await verifyImages(functions, images);
  await pushImages(functions, images, parseTarget(registry), credentials, newOptions());
}

describe("a backup", () => {
  it("brings functions back from another registry once theirs is gone, under the same digests", async () => {
    const old = await newRegistry();
    const digest = old.put("shop/checkout", "1.0.0", "a function");
    const index = old.putIndex("shop/cart", "2.0.0", "another");
    const file = stackOf(
      rawConfig({
        functions: [
          { name: "checkout", image: `${old.host}/shop/checkout:1.0.0` },
          { name: "cart", image: `${old.host}/shop/cart@${index}`, scaling: { max: 40, min: 2, initial: 2 } },
        ],
      }),
    );
    const { archive, functions } = await backUp(file);
    expect(functions.map((one) => one.digest)).toEqual([digest, index]);
    await old.close();

    const next = await newRegistry();
    await restore(archive, next.host);
    expect(next.content).toEqual(new Map([...old.content].filter(([name]) => !/manifests\/\d/.test(name))));
    // Nothing is sent that is there.
    const sent = () => next.requests.filter((request) => /^(?:PUT|POST)/.test(request)).length;
    const before = sent();
    await restore(archive, next.host);
    expect(sent()).toBe(before);
  });

  it("names each image by its digest in the stack's definitions, also one that was left to its default name", async () => {
    const registry = await newRegistry();
    const digest = registry.put("shop/checkout", "1.0.0", "a function");
    const image = `${registry.host}/shop/checkout:1.0.0`;
    const { archive } = await backUp(stackOf(rawConfig({ functions: [{ image, scaling: { max: 100 } }] })));
    const { settings } = await readBackup(archive, newFolder());
    expect(settings.config?.["wasm-functions:functions"]).toEqual([
      { image: `${registry.host}/shop/checkout@${digest}`, scaling: { max: 100 } },
    ]);
  });

  it("lets images in from where they were restored to, where the stack says from where", () => {
    const functions = [{ name: "checkout" }, { name: "cart" }];
    const restored = (admission?: object) =>
      withImages(
        {
          config: {
            "wasm-functions:functions": functions,
            ...(admission && { "wasm-functions:admission": admission }),
          },
        },
        functions,
        (name) => (name === "cart" ? "kept.example.com/shop/cart:1" : `next.example.com:5000/shop/${name}:1`),
      ).config?.["wasm-functions:admission"];
    expect(restored({ replicas: 2, registries: ["kept.example.com/shop/"] })).toEqual({
      replicas: 2,
      registries: ["kept.example.com/shop/", "next.example.com:5000/"],
    });
    expect(restored({ replicas: 2 })).toEqual({ replicas: 2 });
    expect(restored()).toBeUndefined();
  });

  it("holds no secret and not what secrets are encrypted with, and says what it has left out", async () => {
    const registry = await newRegistry();
    registry.put("shop/checkout", "1.0.0", "a function");
    const file = stackOf(
      {
        ...rawConfig({
          functions: [
            {
              name: "checkout",
              image: `${registry.host}/shop/checkout:1.0.0`,
              database: { addresses: ["192.0.2.1/32"] },
            },
          ],
        }),
        databaseUrls: { checkout: "postgres://in-plain-text" },
        pullCredentials: { "registry.example.com": { secure: "v1:pull:encrypted" } },
        tenants: [{ name: "shop", group: "developers" }, { name: "other" }],
      },
      { encryptionsalt: "v1:the-salt", encryptedkey: "the-key", secretsprovider: "awskms://alias/stack" },
    );
    const { archive, leftOut } = await backUp(file);
    expect(leftOut).toEqual(["wasm-functions:databaseUrls", "wasm-functions:pullCredentials"]);
    for (const secret of ["in-plain-text", "pull:encrypted", "the-salt", "the-key"])
      expect(textOf(archive)).not.toContain(secret);
    expect(textOf(archive)).toContain("awskms://alias/stack");
    expect(statSync(archive).mode & 0o777).toBe(0o600);
  });

  it("leaves secrets out wherever they are encrypted, in lists too, and keeps what stands beside them", () => {
    const list = [{ secure: "v1:encrypted" }, { name: "kept", token: { secure: "v1:encrypted" } }];
    expect(withoutSecrets({ config: { "other:list": list, "other:plain": 1 } })).toEqual({
      settings: { config: { "other:list": [{ name: "kept" }], "other:plain": 1 } },
      leftOut: ["other:list[0]", "other:list[1].token"],
    });
  });

  it("is the same archive for the same content, and replaces an older one as a whole", async () => {
    const registry = await newRegistry();
    registry.put("shop/checkout", "1.0.0", "a function");
    const file = stackOf(functionAt(`${registry.host}/shop/checkout:1.0.0`));
    const [first, second] = [await backUp(file), await backUp(file)];
    expect(readFileSync(second.archive).equals(readFileSync(first.archive))).toBe(true);
    await registry.close();
    await failure(writeBackup(file, first.archive, newFolder(), {}, newOptions()));
    expect(readFileSync(second.archive).equals(readFileSync(first.archive))).toBe(true);
    expect(filesOf(join(first.archive, ".."))).toEqual(["backup.tar.gz"]);
  });

  it("asks a mirror of the stack before the registry itself, and that where the mirror does not have it", async () => {
    const [mirror, registry] = [await newRegistry(), await newRegistry()];
    const file = (repository: string) =>
      stackOf({
        cluster: k3s(1, 1, { mirrors: { [registry.host]: [`http://${mirror.host}`] } }),
        functions: [{ image: `${registry.host}/${repository}:1.0.0` }],
      });
    mirror.put("shop/checkout", "1.0.0", "of the mirror");
    registry.put("shop/cart", "1.0.0", "of the registry");
    await backUp(file("shop/checkout"));
    expect(registry.requests).toEqual([]);
    await backUp(file("shop/cart"));
    expect(mirror.requests).toContain("GET /v2/shop/cart/manifests/1.0.0");
    expect(registry.requests).toContain("GET /v2/shop/cart/manifests/1.0.0");
  });
});

describe("a registry that lies", () => {
  it("about a manifest is refused", async () => {
    const registry = await newRegistry();
    const digest = registry.put("shop/checkout", "1.0.0", "a function");
    const other = registry.put("shop/checkout", "2.0.0", "another");
    const lie = registry.content.get("shop/checkout/manifests/2.0.0");
    registry.lies.set(`shop/checkout/manifests/${digest}`, lie ?? Buffer.alloc(0));
    const message = await failure(backUp(stackOf(functionAt(`${registry.host}/shop/checkout@${digest}`))));
    expect(message).toContain("functions.checkout.image");
    expect(message).toContain(`has the digest ${other}: refused`);
  });

  it.each([
    ["another of the same size", "A FUNCTION", /gives sha256:[0-9a-f]{64} for sha256:[0-9a-f]{64}: refused/],
    ["a longer one", "a function and more", /gives more than the 10 bytes of sha256:/],
    ["none at all", "", /gives sha256:e3b0c442\w+ for sha256:/],
  ])("about a blob is refused: %s", async (_, lie, expected) => {
    const registry = await newRegistry();
    registry.put("shop/checkout", "1.0.0", "a function");
    const [name = ""] = [...registry.content].find(([, content]) => content.toString() === "a function") ?? [];
    registry.lies.set(name, Buffer.from(lie));
    const work = newFolder();
    const file = stackOf(functionAt(`${registry.host}/shop/checkout:1.0.0`));
    const archive = join(newFolder(), "backup.tar.gz");
    expect(await failure(writeBackup(file, archive, work, {}, newOptions()))).toMatch(expected);
    expect(filesOf(work).filter((path) => path.endsWith(".part"))).toEqual([]);
    expect(filesOf(join(archive, ".."))).toEqual([]);
  });

  it("about a blob's size is refused", async () => {
    const registry = await newRegistry();
    registry.put("shop/checkout", "1.0.0", "a function");
    const manifest = registry.content.get("shop/checkout/manifests/1.0.0")?.toString() ?? "";
    const lie = Buffer.from(manifest.replace('"size":10', '"size":11'));
    registry.lies.set("shop/checkout/manifests/1.0.0", lie);
    const message = await failure(backUp(stackOf(functionAt(`${registry.host}/shop/checkout:1.0.0`))));
    expect(message).toMatch(/gives 10 bytes of sha256:\w+, not 11: refused/);
  });

  it("or breaks off is told, and half of what it gave is not kept", async () => {
    const registry = await newRegistry();
    registry.put("shop/checkout", "1.0.0", "a function");
    const [name = ""] = [...registry.content].find(([, content]) => content.toString() === "a function") ?? [];
    registry.broken.add(name);
    const work = newFolder();
    const file = stackOf(functionAt(`${registry.host}/shop/checkout:1.0.0`));
    const message = await failure(writeBackup(file, join(newFolder(), "backup.tar.gz"), work, {}, newOptions()));
    expect(message).toContain(`${registry.host}/shop/checkout broke off`);
    expect(filesOf(work).filter((path) => path.endsWith(".part") || name.endsWith(path.slice(-64)))).toEqual([]);
  });

  it("with what is no image is refused", async () => {
    const registry = await newRegistry();
    registry.content.set("shop/checkout/manifests/1.0.0", Buffer.from("<html>sign in</html>"));
    const message = await failure(backUp(stackOf(functionAt(`${registry.host}/shop/checkout:1.0.0`))));
    expect(message).toContain("is no image's manifest");
  });
});

describe("a registry's credential", () => {
  it.each(["basic", "bearer"] as const)("lets a backup and a restore in (%s)", async (auth) => {
    const [old, next] = [
      await newRegistry({ credential: CREDENTIAL, auth }),
      await newRegistry({ credential: CREDENTIAL, auth }),
    ];
    const digest = old.put("shop/checkout", "1.0.0", "a function");
    const file = stackOf(functionAt(`${old.host}/shop/checkout:1.0.0`));
    const { archive } = await backUp(file, { [old.host]: CREDENTIAL });
    await restore(archive, next.host, { [next.host]: CREDENTIAL });
    expect(next.content.has(`shop/checkout/manifests/${digest}`)).toBe(true);
    expect(textOf(archive)).not.toContain("hunter2");
  });

  it.each(["basic", "bearer"] as const)("is in no error, be it wrong or missing (%s)", async (auth) => {
    const registry = await newRegistry({ credential: CREDENTIAL, auth });
    registry.put("shop/checkout", "1.0.0", "a function");
    const file = stackOf(functionAt(`${registry.host}/shop/checkout:1.0.0`));
    const wrong = await failure(backUp(file, { [registry.host]: "puller:wrong-password" }));
    expect(wrong).toContain(`does not let in the credential that is set in pullCredentials for ${registry.host}`);
    expect(wrong).not.toMatch(/wrong-password|puller|hunter2/);
    expect(wrong).not.toContain(Buffer.from("puller:wrong-password").toString("base64"));
    const missing = await failure(backUp(file));
    expect(missing).toContain(`no credential is set in pullCredentials for ${registry.host}`);
  });

  it("is not sent where others could read it, and not shown by who looks at the client", () => {
    expect(() => new Repository(new URL("http://registry.example.com/v2"), "shop", { credential: CREDENTIAL })).toThrow(
      "http://registry.example.com is not encrypted, and there is a credential for it: refused",
    );
    const repository = new Repository(new URL("https://registry.example.com/v2"), "shop", { credential: CREDENTIAL });
    expect(JSON.stringify(repository)).not.toContain("hunter2");
  });

  it("is none of what the registry may be named with", () => {
    expect(() => parseTarget("https://user:hunter2@registry.example.com")).toThrow("REGISTRY: (not shown)");
    expect(() => parseTarget("")).toThrow("REGISTRY: missing");
    expect(parseTarget("http://registry.internal:5000")).toEqual({
      registry: "registry.internal:5000",
      url: "http://registry.internal:5000",
    });
    expect(parseTarget("registry.example.com").url).toBe("https://registry.example.com");
  });
});

describe("a restore", () => {
  async function archived() {
    const registry = await newRegistry();
    const digest = registry.put("shop/checkout", "1.0.0", "a function");
    const { archive } = await backUp(stackOf(functionAt(`${registry.host}/shop/checkout:1.0.0`)));
    const blobs = [...registry.content.keys()].flatMap((name) => /blobs\/sha256:(\w+)$/.exec(name)?.[1] ?? []);
    return { archive, digest, blobs };
  }

  /** The same archive, with something done to what is in it. */
  async function changed(archive: string, change: (folder: string) => void): Promise<string> {
    const folder = newFolder();
    await unpackInto(folder, archive, /./);
    change(folder);
    const other = join(newFolder(), "changed.tar.gz");
    await packFolder(folder, other);
    return other;
  }

  it("pushes nothing of an archive in which one blob was changed", async () => {
    const { archive, blobs } = await archived();
    const other = await changed(archive, (folder) => {
      writeFileSync(join(folder, "images/blobs/sha256", blobs[1] ?? ""), "A FUNCTION");
    });
    const registry = await newRegistry();
    const message = await failure(restore(other, registry.host));
    expect(message).toContain(`sha256:${blobs[1]} was changed`);
    expect(registry.requests).toEqual([]);
  });

  it("refuses an archive with anything else in it, and one that was cut off", async () => {
    const { archive } = await archived();
    const more = await changed(archive, (folder) => writeFileSync(join(folder, "run.sh"), ""));
    expect(await failure(readBackup(more, newFolder()))).toContain("it holds run.sh, which is no part of it");
    const cut = join(newFolder(), "cut.tar.gz");
    writeFileSync(cut, readFileSync(archive).subarray(0, 400));
    expect(await failure(readBackup(cut, newFolder()))).toMatch(/cut\.tar\.gz: .*unexpected end of/);
    appendFileSync(cut, "no gzip");
    writeFileSync(cut, gzipSync("no archive"));
    expect(await failure(readBackup(cut, newFolder()))).toContain("The archive cannot be read");
  });

  it.each([
    ["backup.json", "{", "has a backup.json of another form"],
    ["backup.json", '{"version":2}', "has a backup.json of another form"],
    ["stack.yaml", "a: [", "has a stack.yaml that is no YAML"],
  ])("refuses an archive whose %s is %s", async (name, text, expected) => {
    const { archive } = await archived();
    const other = await changed(archive, (folder) => {
      writeFileSync(join(folder, name), text);
    });
    expect(await failure(readBackup(other, newFolder()))).toContain(expected);
  });

  it("tells what a registry does not take", async () => {
    const { archive } = await archived();
    const registry = await newRegistry({ credential: CREDENTIAL });
    const message = await failure(restore(archive, registry.host));
    expect(message).toContain("Not all images were pushed");
    expect(message).toContain("asks who you are");
  });

  it("is not content with a registry that gives something else than it was sent", async () => {
    const { archive, digest } = await archived();
    const registry = await newRegistry();
    registry.lies.set(`shop/checkout/manifests/${digest}`, Buffer.from("{}"));
    expect(await failure(restore(archive, registry.host))).toContain(": refused");
  });
});
