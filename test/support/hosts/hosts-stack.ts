import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { run } from "../../../local/run";
import { LocalStack, type Outcome, type Running } from "../local-stack";
import type { Host } from "./hosts";

const REPOSITORY = resolve(__dirname, "../../..");

/** A stack of kind k3s in a project of its own, with a backend and a passphrase as a user has them. */
export class HostsStack {
  readonly name = "hosts";
  readonly local = new LocalStack();
  private readonly env: NodeJS.ProcessEnv;

  constructor() {
    const backend = join(this.local.root, "own-backend");
    mkdirSync(backend);
    // The engine looks for the program's file there.
    symlinkSync(join(REPOSITORY, "infra"), join(this.local.root, "infra"));
    this.env = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: "of this test" };
  }

  /** The stack `real` on hosts; what it stores encrypted stays in it. */
  configure(cluster: object): void {
    const file = join(this.local.root, `Pulumi.${this.name}.yaml`);
    const before = existsSync(file) ? (parse(readFileSync(file, "utf8")) as { config: object }) : undefined;
    const { config } = parse(readFileSync(join(this.local.root, "Pulumi.real.yaml"), "utf8")) as { config: object };
    const merged = { ...before?.config, ...config, "wasm-functions:cluster": { kind: "k3s", ...cluster } };
    writeFileSync(file, stringify({ ...before, config: merged }));
  }

  /** Stores the private key that opens the hosts, encrypted; the tools are there. */
  async setKey(key: string): Promise<void> {
    const pulumi = (args: readonly string[], input = "") =>
      run(join(this.local.paths.bin, "pulumi"), [...args, "--non-interactive"], {
        cwd: this.local.root,
        env: { ...process.env, ...this.env, PULUMI_HOME: this.local.paths.pulumiHome, NO_COLOR: "1" },
        input,
      });
    await pulumi(["stack", "init", this.name]);
    await pulumi(["config", "set", "--stack", this.name, "--secret", "--path", 'sshKeys["default"]'], key);
  }

  start(command: string, env: NodeJS.ProcessEnv = {}, input = ""): Running {
    return this.local.start(command, this.name, { ...this.env, ...env }, input);
  }

  run(command: string, env: NodeJS.ProcessEnv = {}, input = ""): Promise<Outcome> {
    return this.start(command, env, input).outcome;
  }

  /** Runs a command that must succeed, and gives what it said. */
  async ok(command: string, env: NodeJS.ProcessEnv = {}, input = ""): Promise<Outcome> {
    const outcome = await this.run(command, env, input);
    if (outcome.code !== 0)
      throw new Error(`${command} failed with ${outcome.code}:\n${outcome.stderr}\n${outcome.stdout}`);
    return outcome;
  }
}

/** How a host is entered, as the config has it. */
export function loginTo({ name, address, port, hostKey }: Host) {
  return { name, host: address, port, hostKey };
}
