import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { watch, type Credentials } from "./kube";
import { merge, type EndpointSlice } from "./merge";
import { CONFIG_KEY, DYNAMIC_FILE, type GatewayConfig } from "./settings";

/** Changes of so many milliseconds are written together: a scale-out brings hundreds in a second. */
const SETTLING = 250;
/** How often it is looked whether the certificate was renewed: milliseconds. */
const CERTIFICATE_CHECK = 10_000;

interface ConfigMap {
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
}

interface Options {
  readonly namespace: string;
  readonly configMap: string;
  /** Where the gateway reads from. */
  readonly folder: string;
  readonly certificates: string;
  readonly healthPort: number;
  readonly credentials: Credentials;
}

/**
 * Writes the gateway's dynamic configuration: the routes of its ConfigMap, with the ready pods of EndpointSlices as
 * servers. So the gateway itself, which strangers talk to, holds no credential for the API.
 */
function main(options: Options): void {
  const slices = new Map<string, ReadonlyMap<string, EndpointSlice>>();
  const synced = new Map<string, boolean>();
  let config: GatewayConfig | undefined;
  let written = "";
  let settling: NodeJS.Timeout | undefined;

  watch<ConfigMap>(
    options.credentials,
    {
      path: `/api/v1/namespaces/${options.namespace}/configmaps`,
      selector: { fieldSelector: `metadata.name=${options.configMap}` },
    },
    (maps) => {
      const text = maps.get(options.configMap)?.data?.[CONFIG_KEY];
      // Deleted by somebody, or not there yet: the last one stands.
      if (text === undefined) return;
      try {
        config = parse(text);
      } catch (error) {
        log("the ConfigMap cannot be read", { reason: (error as Error).message });
        return;
      }
      for (const namespace of namespacesOf(config)) follow(namespace);
      settle();
    },
    (reason) => log("the API cannot be reached", { reason }),
  );

  if (options.certificates !== "") setInterval(settle, CERTIFICATE_CHECK);
  createServer((_, response) => response.writeHead(written === "" ? 503 : 200).end()).listen(options.healthPort);
  // The gateway still serves while it is told to leave: this goes when it has gone.
  process.once("SIGTERM", () => process.exit(0));

  /** A namespace is followed from when a route first leads there. */
  function follow(namespace: string): void {
    if (slices.has(namespace)) return;
    slices.set(namespace, new Map());
    synced.set(namespace, false);
    watch<EndpointSlice>(
      options.credentials,
      { path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices` },
      (objects) => {
        slices.set(namespace, objects);
        synced.set(namespace, true);
        settle();
      },
      (reason) => log("the API cannot be reached", { reason }),
    );
  }

  function settle(): void {
    settling ??= setTimeout(() => {
      settling = undefined;
      write();
    }, SETTLING);
  }

  function write(): void {
    // Half of the pods would be worse than the configuration from before.
    if (config === undefined || namespacesOf(config).some((namespace) => synced.get(namespace) !== true)) return;
    const all = [...slices.values()].flatMap((objects) => [...objects.values()]);
    const content = JSON.stringify(merge(config, all));
    // A renewed certificate changes nothing in the file, and the gateway reads it only with the file.
    const version = createHash("sha256").update(content).update(certificateOf(options.certificates)).digest("hex");
    if (version === written) return;
    const target = join(options.folder, DYNAMIC_FILE);
    writeFileSync(`${target}.new`, content, { mode: 0o640 });
    renameSync(`${target}.new`, target);
    if (written === "") log("first configuration written", { namespaces: [...slices.keys()] });
    written = version;
  }
}

/** @throws where it is no JSON, or not of the form that servers are filled in to: one that was good stands then */
function parse(text: string): GatewayConfig {
  const config = JSON.parse(text) as GatewayConfig;
  merge(config, []);
  namespacesOf(config);
  return config;
}

function namespacesOf({ endpoints }: GatewayConfig): string[] {
  return Object.values(endpoints).map(({ namespace }) => namespace);
}

function certificateOf(folder: string): Buffer {
  if (folder === "" || !existsSync(folder)) return Buffer.alloc(0);
  const files = readdirSync(folder).filter((name) => name.startsWith("tls."));
  return Buffer.concat(files.sort().map((name) => readFileSync(join(folder, name))));
}

function log(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
}

const { env } = process;
const account = env["CREDENTIALS_FOLDER"] ?? "/var/run/secrets/kubernetes.io/serviceaccount";
main({
  namespace: env["GATEWAY_NAMESPACE"] ?? "gateway",
  configMap: env["GATEWAY_CONFIG_MAP"] ?? "gateway-routes",
  folder: env["DYNAMIC_FOLDER"] ?? "/etc/traefik/dynamic",
  certificates: env["CERTIFICATES_FOLDER"] ?? "",
  healthPort: Number(env["HEALTH_PORT"] ?? "9101"),
  credentials: {
    host: env["KUBERNETES_SERVICE_HOST"] ?? "127.0.0.1",
    port: Number(env["KUBERNETES_SERVICE_PORT"] ?? "443"),
    tokenFile: join(account, "token"),
    caFile: join(account, "ca.crt"),
  },
});
