import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatProblem } from "../../../../infra/problems";
import { isDisposable, readStackFile } from "../../../../local/engine/stack-file";
import { caught, problemsOf } from "../../infra/support";

const REPOSITORY = resolve(__dirname, "../../../..");

const EXISTING = "  wasm-functions:cluster: { kind: existing, kubeconfig: kubeconfig.yaml }\n";

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), "stack-file-"))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (text: string, stack = "test") => writeFileSync(join(root, `Pulumi.${stack}.yaml`), text);
const read = (stack = "test") => readStackFile(root, stack);

describe("a stack's file", () => {
  it("gives the config, checked and filled in, and the settings as they stand", () => {
    write(`secretsprovider: passphrase\nencryptionsalt: v1:abc\nconfig:\n${EXISTING}`);
    const file = read();
    expect([file.stack, file.path]).toEqual(["test", join(root, "Pulumi.test.yaml")]);
    expect(file.config.cluster).toMatchObject({ kind: "existing", kubeconfig: "kubeconfig.yaml", agents: 10 });
    expect(file.settings).toEqual({
      secretsprovider: "passphrase",
      encryptionsalt: "v1:abc",
      config: { "wasm-functions:cluster": { kind: "existing", kubeconfig: "kubeconfig.yaml" } },
    });
  });

  it("takes a key without a namespace for the project's, as the engine does", () => {
    write("config:\n  cluster: { kind: existing, kubeconfig: kubeconfig.yaml }\n  gateway: { kind: kong }\n");
    const file = read();
    expect(file.config.gateway.kind).toBe("kong");
    expect(Object.keys(file.settings.config ?? {})).toEqual(["wasm-functions:cluster", "wasm-functions:gateway"]);
  });

  it("leaves other namespaces' keys alone", () => {
    write(`config:\n${EXISTING}  kubernetes:context: other\n`);
    expect(read().settings.config).toMatchObject({ "kubernetes:context": "other" });
  });

  it.each(["config:\n  clusters: { kind: existing }\n", "config:\n  wasm-functions:clusters: { kind: existing }\n"])(
    "refuses an unknown key, with all else that is wrong: %j",
    (text) => {
      write(text);
      const problems = problemsOf(read);
      expect(problems).toHaveLength(2);
      expect(problems[0]).toMatch(/^cluster/);
      expect(problems[1]).toMatch(/^clusters: unknown key: the keys here are .*; did you mean cluster\?$/);
    },
  );

  it("of each stack that is checked in can be read", () => {
    const stacks = readdirSync(REPOSITORY).flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? []);
    expect(stacks.sort()).toEqual(["dev", "local", "prod", "real"]);
    const disposable = stacks.filter((stack) => isDisposable(readStackFile(REPOSITORY, stack).config));
    expect(disposable.sort()).toEqual(["local", "real"]);
  });
});

describe("a stack that does not exist", () => {
  it("is refused with those that do", () => {
    for (const name of ["Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.dev.yaml"])
      cpSync(join(REPOSITORY, name), join(root, name));
    expect(problemsOf(() => read("prd"))).toEqual([
      "STACK: prd: Pulumi.prd.yaml does not exist; use one of dev, local",
    ]);
    expect(caught(() => read("prd")).summary).toBe("There is no such stack");
  });

  it("is refused with the folder to be in where there is none at all", () => {
    expect(problemsOf(read)).toEqual([
      "STACK: test: Pulumi.test.yaml does not exist; run this in the project's folder",
    ]);
  });
});

describe("a file that is no YAML", () => {
  it.each([
    ["config:\n  a: b: c\n", "Nested mappings are not allowed in compact mappings at line 2, column 6"],
    ["config:\n\ta: 1\n", "Tabs are not allowed as indentation at line 2, column 1"],
    ["config:\n  a: 1\n  a: 2\n", "Map keys must be unique at line 3, column 3"],
    ["config:\n  a: 'x\n", "Missing closing 'quote at line 3, column 1"],
    ["", "holds no settings"],
    ["- a\n", "holds no settings"],
    ["text\n", "holds no settings"],
  ])("%j is refused with path, place and reason", (text, reason) => {
    write(text);
    const error = caught(read);
    expect(error.summary).toBe("The stack's file cannot be read");
    expect(error.problems.map(formatProblem)).toEqual([
      `${join(root, "Pulumi.test.yaml")}: its content: ${reason}; correct the YAML`,
    ]);
  });

  it("is not quoted, since it may hold a secret", () => {
    write("config:\n  wasm-functions:databaseUrls: { checkout: postgres://user:hunter2@db }: x\n");
    expect(caught(read).message).not.toContain("hunter2");
  });
});

describe("secrets", () => {
  it("that are encrypted one by one become markers", () => {
    write(
      `config:\n${EXISTING}  wasm-functions:pullCredentials:\n    registry.example.com: { secure: v1:abc }\n    other.example.com: { secure: v1:def }\n`,
    );
    expect(read().config.pullCredentials).toEqual({
      "registry.example.com": "<secret>",
      "other.example.com": "<secret>",
    });
  });

  it("that are encrypted as a whole stay unseen: only the program can tell what is in them", () => {
    write(`config:\n${EXISTING}  wasm-functions:databaseUrls: { secure: v1:abc }\n`);
    expect(read().config.databaseUrls).toEqual({});
  });

  it("may be the kubeconfig", () => {
    write("config:\n  wasm-functions:cluster: { kind: existing }\n  wasm-functions:kubeconfig: { secure: v1:abc }\n");
    expect(read().config.kubeconfig).toBe("<secret>");
    write(`config:\n${EXISTING}  wasm-functions:kubeconfig: { secure: v1:abc }\n`);
    expect(problemsOf(read)).toEqual([
      "cluster.kubeconfig: set twice: an existing cluster is reached by one kubeconfig; drop either the path or the secret key kubeconfig",
    ]);
  });

  it("that are empty are not set", () => {
    write(`config:\n${EXISTING}  wasm-functions:kubeconfig: ""\n`);
    expect(read().config.kubeconfig).toBeUndefined();
  });

  it("in plain text come neither into the config nor into an error", () => {
    write(
      "config:\n  wasm-functions:gateway: { kind: nginx }\n  wasm-functions:kubeconfig: hunter2\n  wasm-functions:pullCredentials: { registry.example.com: user:hunter2 }\n  wasm-functions:cluster: { kind: existing }\n",
    );
    const { message } = caught(read);
    expect(message).toContain("gateway.kind");
    expect(message).not.toContain("hunter2");
  });
});

describe("a disposable stack", () => {
  const disposable = (cluster: string) => {
    write(`config:\n  wasm-functions:cluster: ${cluster}\n`);
    return isDisposable(read().config);
  };

  it("is one whose cluster lives on this machine alone", () => {
    expect(disposable("{ kind: existing, kubeconfig: .local/kubeconfig, embedded: simulated-nodes }")).toBe(true);
    expect(disposable("{ kind: existing, kubeconfig: kubeconfig.yaml }")).toBe(false);
    expect(
      disposable(
        "{ kind: k3s, servers: [{ name: s, host: 192.0.2.1, hostKeyUnchecked: true }], agents: [{ name: a, host: 192.0.2.2, hostKeyUnchecked: true }] }",
      ),
    ).toBe(false);
  });
});
