import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_IMAGES, TOOL_VERSIONS } from "../../infra/versions";
import { ensureRootFs } from "../node/root-fs";
import type { ToolName } from "../tools/catalog";
import { ensureTools } from "../tools/resolve";
import type { ToolsOptions } from "../tools/session";
import type { ImageFile } from "./layout";

/**
 * An image that is put together here, where the registry that has the official one is out of reach. To add one, add a
 * row to `IMAGES`.
 */
export interface AssembledImage {
  /** As manifests name it. */
  readonly reference: string;
  /** What it is made of, in words. */
  readonly source: string;
  readonly entrypoint: readonly string[];
  /** `uid:gid`, as the official image has it. */
  readonly user: string;
  /** Files of this machine, by their path in the image. */
  readonly files: (options: ToolsOptions) => Promise<Readonly<Record<string, string>>>;
}

export const IMAGES = {
  /** The one that K3s v1.30 starts every pod with. */
  pause: {
    reference: "docker.io/rancher/mirrored-pause:3.6",
    source: "Debian's catatonit, which waits for a signal and reaps children",
    entrypoint: ["/pause", "-P"],
    user: "65535:65535",
    files: async (options) => ({ "/pause": join(await ensureRootFs("node", options), "usr/bin/catatonit") }),
  },
  coredns: program("coredns", "registry.k8s.io/coredns/coredns"),
  metricsServer: program("metrics-server", "registry.k8s.io/metrics-server/metrics-server"),
  traefik: {
    ...program("traefik", "docker.io/library/traefik", "/usr/local/bin/traefik"),
    reference: DEFAULT_IMAGES.traefik,
  },
  /** What the authorizer and the gateway's helper run in. */
  node: {
    reference: DEFAULT_IMAGES.node,
    source: `this machine's Node.js ${process.version}, with the libraries that it loads`,
    entrypoint: ["/usr/local/bin/node"],
    user: "1000:1000",
    files: () => Promise.resolve({ "/usr/local/bin/node": process.execPath, ...librariesOf(process.execPath) }),
  },
} as const satisfies Readonly<Record<string, AssembledImage>>;

/** Those of them that K3s itself brings, in the archive of its release. */
export const K3S_IMAGES = [IMAGES.pause, IMAGES.coredns, IMAGES.metricsServer] as const;

/** One static program, built from its pinned module like the tools. */
function program(
  tool: Extract<ToolName, keyof typeof TOOL_VERSIONS>,
  repository: string,
  path = `/${tool}`,
): AssembledImage {
  return {
    reference: `${repository}:v${TOOL_VERSIONS[tool]}`,
    source: `${tool} ${TOOL_VERSIONS[tool]}, built from its pinned module`,
    entrypoint: [path],
    user: "65532:65532",
    files: async (options) => {
      const tools = await ensureTools([tool], options);
      return { [path]: realpathSync(tools[tool]) };
    },
  };
}

/** The loader and the libraries of a program, by the paths at which it looks for them. */
function librariesOf(program: string): Record<string, string> {
  const lines = execFileSync("ldd", [program], { encoding: "utf8" }).split("\n");
  const paths = lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  return Object.fromEntries(paths.map((path) => [path, realpathSync(path)]));
}

export function readFiles(files: Readonly<Record<string, string>>): ImageFile[] {
  return Object.entries(files).map(([path, file]) => ({ path, content: readFileSync(file) }));
}
