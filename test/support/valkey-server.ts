// The certificate library's dependency injection wants it loaded first.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { Redis } from "iovalkey";
import { randomBytes, webcrypto } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDaemon, stopDaemon } from "../../local/control-plane/processes";
import { eventually } from "./local-stack";
import { ROOT_ENV, withinRoot } from "./root-program";

/** Why it cannot run here, as it is Debian's in a root file system of its own. */
export const NO_VALKEY =
  process.platform !== "linux" ? "this is not Linux" : process.getuid?.() !== 0 ? "this is not root" : undefined;

if (NO_VALKEY !== undefined) {
  process.stderr.write(`\nSKIPPED: the tests with Valkey, since ${NO_VALKEY}. Budgets are not proved to be shared.\n`);
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;

/** A real Valkey of Debian's on loopback, asked with a password, with and without TLS, that keeps nothing on disk. */
export class ValkeyServer {
  readonly host = "localhost";
  readonly password = randomBytes(12).toString("hex");
  /** A user who may do what the authorizer does, on keys that begin with `shop:`. */
  readonly limited = { name: "authorizer", password: randomBytes(12).toString("hex") };
  /** Its own certificate, as PEM. */
  ca = "";
  private readonly data: string;
  private readonly pidFile: string;

  /**
   * @param rootFs - the root file system that has it
   * @param folder - where it may keep its data
   */
  constructor(
    private readonly rootFs: string,
    private readonly folder: string,
    readonly port: number,
    readonly tlsPort: number,
  ) {
    this.data = join(folder, "data");
    this.pidFile = join(folder, "pids/unshare.pid");
  }

  async create(): Promise<void> {
    mkdirSync(this.data, { recursive: true });
    const { certificate, key } = await selfSigned(this.host);
    this.ca = certificate;
    writeFileSync(join(this.data, "tls.crt"), certificate);
    writeFileSync(join(this.data, "tls.key"), key, { mode: 0o600 });
    const { name, password } = this.limited;
    const settings = [
      "bind 127.0.0.1",
      `port ${this.port}`,
      `tls-port ${this.tlsPort}`,
      "tls-cert-file /out/tls.crt",
      "tls-key-file /out/tls.key",
      "tls-auth-clients no",
      'save ""',
      `requirepass ${this.password}`,
      `user ${name} on >${password} resetchannels ~shop:* +evalsha +eval +get +set +time`,
    ];
    writeFileSync(join(this.data, "valkey.conf"), `${settings.join("\n")}\n`, { mode: 0o600 });
  }

  async start(): Promise<void> {
    startDaemon({
      pidFile: this.pidFile,
      logFile: join(this.folder, "valkey.log"),
      command: "unshare",
      args: withinRoot(this.rootFs, this.data, "exec valkey-server /out/valkey.conf"),
      env: ROOT_ENV,
    });
    const answer = () => this.ask((client) => client.ping()).catch(String);
    await eventually(20, "Valkey answers", answer, (text) => text === "PONG");
  }

  /** As a crash would: it is simply gone, and all that it knew. */
  async kill(): Promise<void> {
    await stopDaemon(this.pidFile);
  }

  /** As an administrator. */
  async ask<T>(question: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis({
      host: "127.0.0.1",
      port: this.port,
      password: this.password,
      lazyConnect: true,
      retryStrategy: () => null,
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return await question(client);
    } finally {
      client.disconnect();
    }
  }
}

async function selfSigned(name: string): Promise<{ certificate: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: `7${randomBytes(16).toString("hex").slice(1)}`,
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + DAY),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }])],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { certificate: `${certificate.toString("pem")}\n`, key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}
