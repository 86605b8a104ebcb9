import { readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(__dirname, "scripts");

/** The scripts that run on hosts, each with one job. */
export type HostScript =
  | "prepare-host"
  | "restore-host"
  | "install-shim"
  | "remove-shim"
  | "install-k3s"
  | "uninstall-k3s"
  | "join-node"
  | "drain-node";

/**
 * A command line that runs a script as root, with its settings in front of it. It shows in previews and on the host's
 * process list, so a secret is no setting: those go by standard input.
 */
export function hostCommand(name: HostScript, settings: Readonly<Record<string, string>>, user: string): string {
  const read = (file: string) => readFileSync(join(FOLDER, `${file}.sh`), "utf8");
  const assignments = Object.entries(settings).map(([key, value]) => `${key}=${quote(value.trimEnd())}\n`);
  const script = [read("common"), ...assignments, read(name)].join("");
  return `${user === "root" ? "" : "sudo -n "}bash -c ${quote(script)}`;
}

/** As one word of a shell's command line. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
