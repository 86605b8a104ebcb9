import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { run } from "../../../local/run";
import { LocalStack, type Outcome, type Running } from "../local-stack";
import type { Host } from "./hosts";

const REPOSITORY = resolve(__dirname, "../../..");

const NAME = "hosts";

/** Of an issuer whose other half nobody has: no test here shows a token. */
const ISSUER = {
  issuer: "nobody",
  audience: "nobody",
  keys: [
    {
      kty: "EC",
      crv: "P-256",
      x: "eHAo9TVHxkPTJRpTstyMhSf84VUMmr5s0oNW6fGE7lg",
      y: "klofNRwtx03MyNCTR2Z0YU_cEi2-erHyTyamE-_2ZG4",
    },
  ],
};

export interface StateResource {
  readonly urn: string;
  readonly outputs?: object;
}

/** A stack of kind k3s in a project of its own, with a backend and a passphrase as a user has them. */
export class HostsStack {
  readonly local = new LocalStack();
  private readonly env: NodeJS.ProcessEnv;

  constructor() {
    const backend = join(this.local.root, "own-backend");
    mkdirSync(backend);
    // The engine looks for the program's file there.
    symlinkSync(join(REPOSITORY, "infra"), join(this.local.root, "infra"));
    this.env = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: "of this test" };
  }

  /**
   * The stack `real` on hosts; what it stores encrypted stays in it.
   *
   * @param pods - of its function, at least and at first
   */
  configure(cluster: object, pods = 2): void {
    const file = join(this.local.root, `Pulumi.${NAME}.yaml`);
    const before = existsSync(file) ? (parse(readFileSync(file, "utf8")) as { config: object }) : undefined;
    const { config } = parse(readFileSync(join(this.local.root, "Pulumi.real.yaml"), "utf8")) as {
      config: Record<string, object>;
    };
    const functions = (config["wasm-functions:functions"] as { scaling: object }[]).map((fn) => ({
      ...fn,
      scaling: { ...fn.scaling, min: pods, initial: pods },
    }));
    const changed = {
      "wasm-functions:cluster": { kind: "k3s", ...cluster },
      "wasm-functions:functions": functions,
      "wasm-functions:authorization": { ...config["wasm-functions:authorization"], jwt: ISSUER },
    };
    const merged = { ...before?.config, ...config, ...changed };
    writeFileSync(file, stringify({ ...before, config: merged }));
  }

  /** Stores the private key that opens the hosts, encrypted; the tools are there. */
  async setKey(key: string): Promise<void> {
    await this.pulumi(["stack", "init", NAME]);
    await this.pulumi(["config", "set", "--stack", NAME, "--secret", "--path", 'sshKeys["default"]'], key);
  }

  /** A command of the official CLI in this project. */
  pulumi(args: readonly string[], input = ""): Promise<string> {
    return run(join(this.local.paths.bin, "pulumi"), [...args, "--non-interactive"], {
      cwd: this.local.root,
      env: { ...process.env, ...this.env, PULUMI_HOME: this.local.paths.pulumiHome, NO_COLOR: "1" },
      input,
    });
  }

  async state(): Promise<readonly StateResource[]> {
    const { deployment } = JSON.parse(await this.pulumi(["stack", "export", "--stack", NAME])) as {
      deployment: { resources?: readonly StateResource[] };
    };
    return deployment.resources ?? [];
  }

  /** As somebody gives up a resource whose host is gone for good. */
  async forget(resource: string): Promise<void> {
    const found = (await this.state()).find(({ urn }) => urn.endsWith(`::${resource}`));
    if (!found) throw new Error(`there is no ${resource} in the state`);
    await this.pulumi(["state", "delete", "--stack", NAME, "--yes", found.urn]);
  }

  start(command: string, env: NodeJS.ProcessEnv = {}, input = ""): Running {
    return this.local.start(command, NAME, { ...this.env, ...env }, input);
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
