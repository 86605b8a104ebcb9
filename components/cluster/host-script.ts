import { readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(__dirname, "scripts");

/** The scripts that run on hosts, each with one job, and the words that they share beside common.sh. */
const LIBRARIES = {
  "prepare-host": [],
  "install-shim": ["runtime"],
  "install-images": [],
  "install-k3s": ["runtime"],
  "roll-k3s": ["runtime"],
  "restore-host": ["runtime"],
  "drain-node": ["cluster"],
  "join-cluster": ["cluster"],
  "leave-cluster": ["cluster"],
  "check-host": [],
  "list-snapshots": [],
  "take-snapshot": [],
  "restore-snapshot": [],
  "forget-database": [],
  "stop-server": [],
  "start-server": [],
  "rotate-encryption-key": [],
  "encryption-status": [],
} as const;

export type HostScript = keyof typeof LIBRARIES;

export const HOST_SCRIPTS = Object.keys(LIBRARIES) as readonly HostScript[];

/**
 * A command line that runs a script as root, with its settings in front of it. It shows in previews and on the host's
 * process list, so a secret is no setting: those go by standard input.
 */
export function hostCommand(name: HostScript, settings: Readonly<Record<string, string>>, user: string): string {
  const assignments = Object.entries(settings).map(([key, value]) => `${key}=${quote(value.trimEnd())}\n`);
  const script = [read("common"), ...assignments, ...LIBRARIES[name].map(read), read(name)].join("");
  return asRoot(user, `bash -c ${quote(script)}`);
}

/** A command line as root for the user who enters; `sudo` must ask for no password. */
export function asRoot(user: string, command: string): string {
  return user === "root" ? command : `sudo -n ${command}`;
}

function read(name: string): string {
  return readFileSync(join(FOLDER, `${name}.sh`), "utf8");
}

/** As one word of a shell's command line. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
