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
 * row to `IMAGES`, or to `MONITORING_IMAGES` or `ADMISSION_IMAGES` where only those need it.
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

/** `nobody`, as Prometheus' images and busybox have it. */
const NOBODY = "65534:65534";

export const IMAGES = {
  /** The one that K3s v1.30 starts every pod with. */
  pause: {
    reference: "docker.io/rancher/mirrored-pause:3.6",
    source: "Debian's catatonit, which waits for a signal and reaps children",
    entrypoint: ["/pause", "-P"],
    user: "65535:65535",
    files: async (options) => ({ "/pause": join(await ensureRootFs("node", options), "usr/bin/catatonit") }),
  },
  coredns: program("coredns", `registry.k8s.io/coredns/coredns:v${TOOL_VERSIONS.coredns}`),
  metricsServer: program(
    "metrics-server",
    `registry.k8s.io/metrics-server/metrics-server:v${TOOL_VERSIONS["metrics-server"]}`,
  ),
  traefik: program("traefik", DEFAULT_IMAGES.traefik, "/usr/local/bin/traefik"),
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

/** What watches the platform, beside `IMAGES`. Grafana is not among them: it is published as binaries and images alone. */
export const MONITORING_IMAGES = {
  /** Without the web UI where it is built here; the official image has it. */
  prometheus: { ...program("prometheus", DEFAULT_IMAGES.prometheus, "/bin/prometheus"), user: NOBODY },
  /** The official one has its templates and a web UI built in; Debian's reads templates, and a page that says that it has no UI. */
  alertmanager: debianProgram(
    "prometheus-alertmanager",
    DEFAULT_IMAGES.alertmanager,
    "/bin/alertmanager",
    ["default.tmpl", "email.tmpl", "no-ui/index.html", "no-ui/favicon.ico"].map(
      (file) => `/usr/share/prometheus/alertmanager/${file}`,
    ),
  ),
  loki: { ...program("loki", DEFAULT_IMAGES.loki, "/usr/bin/loki"), user: "10001:10001" },
  collector: { ...program("otelcol", DEFAULT_IMAGES.collector, "/otelcol-contrib"), user: "10001:10001" },
  kubeStateMetrics: { ...program("kube-state-metrics", DEFAULT_IMAGES.kubeStateMetrics), user: NOBODY },
  nodeExporter: debianProgram("prometheus-node-exporter", DEFAULT_IMAGES.nodeExporter, "/bin/node_exporter"),
} as const satisfies Readonly<Record<string, AssembledImage>>;

/** What admits objects: not of the release whose manifest is installed, which does not build; see `TOOL_VERSIONS`. */
export const ADMISSION_IMAGES = {
  gatekeeper: program("gatekeeper", `docker.io/openpolicyagent/gatekeeper:v${TOOL_VERSIONS.gatekeeper}`, "/manager"),
} as const satisfies Readonly<Record<string, AssembledImage>>;

/** What of a config says which images its pods need. */
export type ImagesNeed = Readonly<Record<"observability" | "admission", { readonly enabled: boolean }>>;

/** Those that a cluster's pods may need: those of observability and of admission only where the stack has it. */
export function imagesOf({ observability, admission }: ImagesNeed): readonly AssembledImage[] {
  return [
    ...Object.values(IMAGES),
    ...(observability.enabled ? Object.values(MONITORING_IMAGES) : []),
    ...(admission.enabled ? Object.values(ADMISSION_IMAGES) : []),
  ];
}

/** One static program, built from its pinned module like the tools. */
function program(
  tool: Extract<ToolName, keyof typeof TOOL_VERSIONS>,
  reference: string,
  path = `/${tool}`,
): AssembledImage {
  return {
    reference,
    source: `${tool} ${TOOL_VERSIONS[tool]}, built from its pinned module`,
    entrypoint: [path],
    user: "65532:65532",
    files: async (options) => {
      const tools = await ensureTools([tool], options);
      return { [path]: realpathSync(tools[tool]) };
    },
  };
}

/** A program of the Debian package of the same name, with the libraries of that Debian and the files that it reads. */
function debianProgram(name: string, reference: string, path: string, data: readonly string[] = []): AssembledImage {
  return {
    reference,
    source: `Debian's ${name}, with the libraries that it loads`,
    entrypoint: [path],
    user: NOBODY,
    files: async (options) => {
      const root = await ensureRootFs("monitoring", options);
      const program = `/usr/bin/${name}`;
      return {
        [path]: join(root, program),
        ...librariesOf(program, { root, env: options.env }),
        ...Object.fromEntries(data.map((file) => [file, join(root, file)])),
      };
    },
  };
}

/** The loader and the libraries of a program, by the paths at which it looks for them; those in `root` of one in there. */
function librariesOf(
  program: string,
  { root = "/", env = process.env }: { readonly root?: string; readonly env?: NodeJS.ProcessEnv | undefined } = {},
): Record<string, string> {
  const [command, ...args] = root === "/" ? ["ldd", program] : ["chroot", root, "ldd", program];
  const lines = execFileSync(command, args, { encoding: "utf8", env }).split("\n");
  const paths = lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  return Object.fromEntries(paths.map((path) => [path, realpathSync(join(root, path))]));
}

export function readFiles(files: Readonly<Record<string, string>>): ImageFile[] {
  return Object.entries(files).map(([path, file]) => ({ path, content: readFileSync(file) }));
}
