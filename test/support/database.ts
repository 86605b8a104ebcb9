import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../local/run";
import { startDaemon, stopDaemon } from "../../local/control-plane/processes";
import { ROOT_ENV, withinRoot } from "./root-program";

const PORT = 5432;
const BIN = "/usr/lib/postgresql/17/bin";

/** A real PostgreSQL of Debian's, on one address, asked with a password. */
export class Database {
  private readonly password = randomBytes(12).toString("hex");
  private readonly data: string;
  private readonly pidFile: string;

  /**
   * @param rootFs - the root file system that has it
   * @param folder - where it may keep its data
   */
  constructor(
    private readonly rootFs: string,
    private readonly folder: string,
    private readonly address: string,
  ) {
    this.data = join(folder, "data");
    this.pidFile = join(folder, "pids/unshare.pid");
  }

  get url(): string {
    return `postgres://postgres:${this.password}@${this.address}:${PORT}/postgres`;
  }

  async create(): Promise<void> {
    mkdirSync(this.data, { recursive: true });
    writeFileSync(join(this.data, "password"), this.password);
    const script = [
      "chown -R postgres /out",
      `su postgres -c '${BIN}/initdb -D /out/db -U postgres --auth=scram-sha-256 --pwfile=/out/password >/dev/null'`,
      "echo 'host all all all scram-sha-256' >>/out/db/pg_hba.conf",
    ].join("\n");
    await run("unshare", this.within(script), { timeout: 60_000, env: ROOT_ENV });
  }

  start(): void {
    const settings = `-c listen_addresses=${this.address} -c port=${PORT} -c unix_socket_directories=`;
    startDaemon({
      pidFile: this.pidFile,
      logFile: join(this.folder, "postgres.log"),
      command: "unshare",
      args: this.within(`exec su postgres -c 'exec ${BIN}/postgres -D /out/db ${settings}'`),
      env: ROOT_ENV,
    });
  }

  /** As a crash would: it is simply gone. */
  async kill(): Promise<void> {
    await stopDaemon(this.pidFile);
  }

  private within(script: string): string[] {
    return withinRoot(this.rootFs, this.data, script);
  }
}
