import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readIfExists, writeFileAtomic } from "../../../local/files";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "files-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe("writing a file as a whole", () => {
  it("makes its folders, which nobody else may enter, and leaves nothing beside it", () => {
    const file = join(folder, "a", "b", "passphrase");
    writeFileAtomic(file, "secret");
    expect(readFileSync(file, "utf8")).toBe("secret");
    expect([modeOf(file), modeOf(join(folder, "a")), modeOf(join(folder, "a", "b"))]).toEqual(["600", "700", "700"]);
    expect(readdirSync(join(folder, "a", "b"))).toEqual(["passphrase"]);
  });

  it("replaces an open file by one that only its owner may read", () => {
    const file = join(folder, "passphrase");
    writeFileSync(file, "a longer text than the new one");
    chmodSync(file, 0o644);
    writeFileAtomic(file, "new");
    expect([readFileSync(file, "utf8"), modeOf(file)]).toEqual(["new", "600"]);
  });

  it("takes another mode", () => {
    writeFileAtomic(join(folder, "script"), "", 0o700);
    expect(modeOf(join(folder, "script"))).toBe("700");
  });

  it("leaves what is there, and no draft, when it cannot be replaced", () => {
    const target = join(folder, "target");
    mkdirSync(target);
    writeFileSync(join(target, "kept"), "kept");
    expect(() => writeFileAtomic(target, "new")).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(folder)).toEqual(["target"]);
    expect(readFileSync(join(target, "kept"), "utf8")).toBe("kept");
  });

  it("leaves the old file whole, and no draft, when the disk takes only a part of the new one", () => {
    const file = join(folder, "state");
    writeFileAtomic(file, "old");
    // A process that may write 4 KiB to a file meets what a full disk is: a write that ends in the middle.
    const module = resolve(__dirname, "../../../local/files.ts");
    const script = `
      const { writeFileAtomic } = require(${JSON.stringify(module)});
      try { writeFileAtomic(${JSON.stringify(file)}, "x".repeat(100_000)); } catch (error) { console.log(error.code); }`;
    const limited = 'ulimit -f 4; exec "$0" --require "$1" --eval "$2"';
    const answer = execFileSync("bash", ["-c", limited, process.execPath, require.resolve("tsx/cjs"), script], {
      env: { ...process.env, TSX_DISABLE_CACHE: "1" },
      encoding: "utf8",
    });
    expect(answer.trim()).toBe("EFBIG");
    expect(readdirSync(folder)).toEqual(["state"]);
    expect(readFileSync(file, "utf8")).toBe("old");
  });
});

describe("reading a file that may not be there", () => {
  it("gives its text, or undefined", () => {
    writeFileSync(join(folder, "empty"), "");
    expect(readIfExists(join(folder, "empty"))).toBe("");
    expect(readIfExists(join(folder, "missing"))).toBeUndefined();
  });

  it("does not take a file that cannot be read for one that is not there", () => {
    expect(() => readIfExists(folder)).toThrow("EISDIR");
  });
});
