import * as fs from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { TOOL_VERSIONS } from "../../infra/versions";
import { projectPaths, type Paths } from "../../local/paths";
import { createProgress, type Progress } from "../../local/progress";
import { TOOLS } from "../../local/tools/catalog";
import type { ToolsOptions } from "../../local/tools/resolve";

/** A project of its own in a temporary folder, with a PATH of its own, a stand-in for Go and no publisher in reach. */
export interface Workshop {
  readonly folder: string;
  readonly paths: Paths;
  readonly env: NodeJS.ProcessEnv;
  /** What progress has told so far. */
  readonly told: () => string;
  readonly options: (more?: Partial<ToolsOptions>) => ToolsOptions;
  /** Puts a program on PATH. */
  readonly onPath: (name: string, script: string) => string;
  /** One line for each `go build` so far. */
  readonly builds: () => string[];
  readonly remove: () => void;
}

/** What every tool that is tested with the stand-in has to print when asked for its version. */
export const ALL_VERSIONS = [
  `etcd Version: ${TOOL_VERSIONS.etcd}`,
  `Kubernetes v${TOOL_VERSIONS.kubernetes}`,
  `Client Version: v${TOOL_VERSIONS.kubernetes}`,
  `kwok version v${TOOL_VERSIONS.kwok} go1.26.8 (linux/amd64)`,
].join("\n");

/** A port on which nobody listens: a connection is refused at once. */
const NOWHERE = "http://127.0.0.1:9";
export const UNREACHABLE = { pulumi: NOWHERE, github: NOWHERE, kubernetes: NOWHERE };

export function createWorkshop({ go = true } = {}): Workshop {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tools-"));
  const bin = path.join(folder, "bin");
  fs.mkdirSync(bin);
  // Only what the stand-ins and the code under test call, so that no real tool of this machine is found.
  for (const name of ["sh", "sleep", "cat", "chmod", "tar", "gzip"])
    fs.symlinkSync(systemProgram(name), path.join(bin, name));
  const log = path.join(folder, "builds.log");
  const env = { PATH: bin, FAKE_GO_LOG: log, FAKE_GO_PRINTS: ALL_VERSIONS, NO_COLOR: "1" };
  writeModules(path.join(folder, "local", "tools"));
  const paths = projectPaths(folder, {});
  const lines: string[] = [];
  const progress: Progress = createProgress({ write: (text) => lines.push(text) }, { env });
  const onPath = (name: string, script: string) => {
    const file = path.join(bin, name);
    fs.writeFileSync(file, script, { mode: 0o755 });
    return file;
  };
  if (go) onPath("go", fs.readFileSync(path.join(__dirname, "fake-go.sh"), "utf8"));
  return {
    folder,
    paths,
    env,
    onPath,
    told: () => lines.join(""),
    options: (more = {}) => ({ paths, progress, env, hosts: UNREACHABLE, ...more }),
    builds: () => (fs.existsSync(log) ? fs.readFileSync(log, "utf8").trim().split("\n") : []),
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

function systemProgram(name: string): string {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  const file = folders.map((folder) => path.join(folder, name)).find((candidate) => fs.existsSync(candidate));
  if (file === undefined) throw new Error(`these tests need ${name} on PATH`);
  return file;
}

function writeModules(sources: string): void {
  for (const name of new Set(Object.values(TOOLS).map((tool) => tool.build.module))) {
    const module = path.join(sources, name);
    fs.mkdirSync(module, { recursive: true });
    fs.writeFileSync(path.join(module, "go.mod"), `module ${name}.invalid\n`);
    fs.writeFileSync(path.join(module, "go.sum"), "");
    fs.writeFileSync(path.join(module, "main.go"), "package main\n");
    fs.writeFileSync(path.join(module, "main_test.go"), "package main\n");
    fs.writeFileSync(path.join(module, "README"), "not a source of the build\n");
  }
}

export interface Publisher {
  readonly urls: Record<"pulumi" | "github" | "kubernetes", string>;
  /** The paths that were asked for. */
  readonly requests: string[];
  readonly close: () => Promise<void>;
}

/** A loopback server in the place of the publishers. */
export async function createPublisher(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Publisher> {
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request.url ?? "");
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    urls: { pulumi: url, github: url, kubernetes: url },
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
