import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { bundle } from "../../../components/bundle";
import { authorizerSettings } from "../../../components/authorization/settings";
import { gatewayRoutes, latencyBuckets, upstreams } from "../../../components/gateway/routes";
import { traefikDynamic, traefikStatic } from "../../../components/gateway/traefik-config";
import { parseConfig, type StackConfig } from "../../../infra/config";
import { planRequestPath } from "../../../infra/plan/request-path";
import { projectPaths } from "../../../local/paths";
import type { GatewayConfig } from "../../../programs/endpoints/settings";
import { makeIssuer, type Issuer } from "../../unit/programs/authorizer/issuer";

const REPOSITORY = resolve(__dirname, "../../..");

/** What a backend saw of a request. */
export interface Seen {
  readonly function: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: number;
}

/** Answers in the place of a function, with what it was asked: what a function itself does with a request, it does not prove. */
export class EchoFunction {
  private server: Server | undefined;
  port = 0;
  requests = 0;
  /** Milliseconds before each answer. */
  delay = 0;
  status = 200;

  constructor(readonly name: string) {}

  async start(port = this.port): Promise<void> {
    const server = createServer((request, response) => {
      this.requests++;
      let body = 0;
      request.on("data", (chunk: Buffer) => (body += chunk.length));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const seen = { function: this.name, method, url, headers, body };
        setTimeout(
          () => response.writeHead(this.status, { "Content-Type": "application/json" }).end(JSON.stringify(seen)),
          this.delay,
        );
      });
    });
    await new Promise<void>((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", done));
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.server = undefined;
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

/**
 * The real Traefik and the real authorizer as processes on loopback, with the very files that the pods get: only ports
 * and folders are others. Servers are written in as the program `endpoints` would.
 */
export class LoopbackGateway {
  readonly folder = mkdtempSync(join(tmpdir(), "wasm-gateway-"));
  private readonly children = new Map<string, ChildProcess>();
  private servers: Readonly<Record<string, readonly number[]>> = {};
  ports = { http: 0, https: 0, admin: 0, gate: 0, authorizerAdmin: 0 };
  issuer!: Issuer;
  logs = "";

  constructor(public config: StackConfig) {}

  static of(raw: Record<string, unknown>): LoopbackGateway {
    return new LoopbackGateway(parseConfig({ cluster: { kind: "existing", kubeconfig: "none" }, ...raw }));
  }

  async start(servers: Readonly<Record<string, readonly number[]>>): Promise<void> {
    const [http = 0, https = 0, admin = 0, gate = 0, authorizerAdmin = 0] = await freePorts(5);
    this.ports = { http, https, admin, gate, authorizerAdmin };
    this.issuer = await makeIssuer();
    for (const name of ["dynamic", "tls"]) mkdirSync(join(this.folder, name), { recursive: true });
    this.servers = servers;
    this.writeAuthorizer();
    this.writeStatic();
    this.writeDynamic();
    this.startAuthorizer();
    this.spawn("traefik", join(projectPaths(REPOSITORY).bin, "traefik"), [
      `--configFile=${join(this.folder, "traefik.yaml")}`,
    ]);
    await this.ready(`http://127.0.0.1:${this.ports.admin}/ping`);
    await this.ready(`http://127.0.0.1:${this.ports.authorizerAdmin}/readyz`);
  }

  startAuthorizer(): void {
    const files = ["authorizer.js", "settings.json", "policy.wasm"].map((name) => join(this.folder, name));
    this.spawn("authorizer", process.execPath, [...files, "127.0.0.1"]);
  }

  authorizerReady(): Promise<void> {
    return this.ready(`http://127.0.0.1:${this.ports.authorizerAdmin}/readyz`);
  }

  /** Other routes or servers, taken over while Traefik runs. */
  async reload(change: { config?: StackConfig; servers?: Readonly<Record<string, readonly number[]>> }): Promise<void> {
    this.config = change.config ?? this.config;
    this.servers = change.servers ?? this.servers;
    this.writeDynamic();
    // Its file watcher and throttle take some hundred milliseconds.
    await new Promise((taken) => setTimeout(taken, 1500));
  }

  kill(name: "traefik" | "authorizer", signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.children.get(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    child.kill(signal);
    return ended;
  }

  async end(): Promise<void> {
    await Promise.all([this.kill("traefik"), this.kill("authorizer")]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get args() {
    const { gateway, routes, functions } = this.config;
    const reached = upstreams(routes, functions);
    return {
      gateway,
      routes: gatewayRoutes(routes),
      upstreams: reached,
      authorizer: `http://127.0.0.1:${this.ports.gate}`,
      buckets: latencyBuckets(functions),
      slow: 20,
      longest: Math.max(...reached.map(({ timeout }) => timeout)),
    };
  }

  private writeAuthorizer(): void {
    const plan = planRequestPath(this.config);
    const { issuer, audience, algorithms } = this.issuer.settings;
    const settings = authorizerSettings({
      ...this.config,
      keys: [this.issuer.publicJwk],
      authorization: {
        ...this.config.authorization,
        jwt: { issuer, audience, algorithms, rolesClaim: "role", clockTolerance: 5000, keysAddresses: [] } as never,
      },
      peers: "localhost",
      remembered: plan.remembered,
      seesAddresses: plan.seesAddresses,
    });
    const moved = {
      ...settings,
      port: this.ports.gate,
      adminPort: this.ports.authorizerAdmin,
      logSampling: 1,
      replicas: 1,
    };
    writeFileSync(join(this.folder, "settings.json"), JSON.stringify(moved));
    writeFileSync(join(this.folder, "authorizer.js"), bundle("authorizer"));
    writeFileSync(
      join(this.folder, "policy.wasm"),
      readFileSync(join(REPOSITORY, "policies/authorization/policy.wasm")),
    );
  }

  private writeStatic(): void {
    const config = traefikStatic(this.args);
    const at = (port: number) => `127.0.0.1:${port}`;
    const { http, https, admin } = config.entryPoints;
    const moved = {
      ...config,
      entryPoints: {
        http: { ...http, address: at(this.ports.http) },
        https: { ...https, address: at(this.ports.https) },
        admin: { ...admin, address: at(this.ports.admin) },
      },
      providers: { ...config.providers, file: { ...config.providers.file, directory: join(this.folder, "dynamic") } },
    };
    writeFileSync(join(this.folder, "traefik.yaml"), stringify(moved));
  }

  private writeDynamic(): void {
    const { dynamic }: GatewayConfig = traefikDynamic(this.args);
    const services = Object.entries(dynamic.http.services).map(([name, service]) => {
      if (service.loadBalancer === undefined) return [name, service] as const;
      const servers = (this.servers[name] ?? []).map((port) => ({ url: `http://127.0.0.1:${port}` }));
      return [name, { ...service, loadBalancer: { ...service.loadBalancer, servers } }] as const;
    });
    const text = JSON.stringify({ ...dynamic, http: { ...dynamic.http, services: Object.fromEntries(services) } });
    const file = join(this.folder, "dynamic", "dynamic.yaml");
    writeFileSync(`${file}.new`, text.replaceAll("/etc/traefik/tls", join(this.folder, "tls")));
    renameSync(`${file}.new`, file);
  }

  private spawn(name: string, program: string, args: readonly string[]): void {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env["PATH"] } });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (this.logs += chunk.toString()));
    this.children.set(name, child);
  }

  private async ready(url: string): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const ok = await fetch(url).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ok) return;
      await new Promise((resume) => setTimeout(resume, 50));
    }
    throw new Error(`${url} did not get ready:\n${this.logs.slice(-4000)}`);
  }
}

/** A certificate and its key, made by OpenSSL, for this host name. */
export function makeCertificate(folder: string, name: string, commonName: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      `/CN=${commonName}`,
      "-addext",
      `subjectAltName=DNS:${commonName}`,
      "-keyout",
      key,
      "-out",
      cert,
    ],
    { stdio: "ignore" },
  );
  return { cert, key };
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createTcpServer();
      return new Promise<ReturnType<typeof createTcpServer>>((done) =>
        server.listen(0, "127.0.0.1", () => done(server)),
      );
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
