import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../../local/run";
import { ensureArtifact } from "../../../local/tools/artifact";
import type { ToolsOptions } from "../../../local/tools/session";

/**
 * checkov and all that it needs, each by its version and sums: `pip-compile --generate-hashes --strip-extras` of the one
 * line `checkov==VERSION`, for Python 3.11 or newer.
 */
const REQUIREMENTS = join(__dirname, "requirements.txt");

const TELL = "import sys, venv, ensurepip; print(sys.executable, *sys.version_info[:3])";

/** Which Python it is: an environment is good for that one alone. Undefined where there is none that will do. */
const PYTHON = findPython();

/** Why checkov cannot be had here; undefined where it can. */
export const CANNOT_RUN =
  PYTHON === undefined
    ? "there is no python3 of 3.11 or newer with its modules venv and pip (Debian: python3-venv)"
    : undefined;

if (CANNOT_RUN !== undefined) {
  process.stderr.write(
    `\nSKIPPED: checkov, since ${CANNOT_RUN}. What it looks for in objects and workflows is not proved.\n`,
  );
}

/** An environment of Python that holds checkov alone, made in the cache where it is not there; its interpreter. */
export async function ensureCheckov(options: ToolsOptions): Promise<string> {
  const folder = await ensureArtifact(
    {
      name: "checkov",
      key: [process.arch, PYTHON ?? "", readFileSync(REQUIREMENTS, "utf8")],
      doing: "installing",
      make: async (staging) => {
        await run("python3", ["-m", "venv", staging]);
        const pip = [
          "-m",
          "pip",
          "install",
          "--quiet",
          "--require-hashes",
          "--only-binary",
          ":all:",
          "-r",
          REQUIREMENTS,
        ];
        await run(join(staging, "bin/python"), pip);
      },
    },
    options,
  );
  // By the interpreter: the scripts beside it name the folder that it was made in.
  return join(folder, "bin/python");
}

function findPython(): string | undefined {
  try {
    const told = execFileSync("python3", ["-c", TELL], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    const [, minor = 0] = /^\S+ 3 (\d+) \d+$/.exec(told) ?? [];
    return Number(minor) >= 11 ? told : undefined;
  } catch {
    return undefined;
  }
}

/** What checkov says of a folder, asking nobody for anything. */
export async function checkov(python: string, folder: string): Promise<readonly CheckovReport[]> {
  const frameworks = ["--framework", "kubernetes", "github_actions"];
  const quiet = ["--output", "json", "--compact", "--quiet", "--skip-download", "--soft-fail"];
  // Else it leaves out what begins with a dot, the workflows among it.
  const env = { ...process.env, CKV_IGNORE_HIDDEN_DIRECTORIES: "false" };
  const said = await run(python, ["-m", "checkov.main", "--directory", folder, ...frameworks, ...quiet], { env });
  return JSON.parse(said) as readonly CheckovReport[];
}

export interface CheckovReport {
  readonly check_type: "kubernetes" | "github_actions";
  readonly results: {
    readonly failed_checks: readonly {
      readonly check_id: string;
      readonly check_name: string;
      readonly file_path: string;
      readonly resource: string;
    }[];
  };
  readonly summary: { readonly passed: number; readonly parsing_errors: number };
}
