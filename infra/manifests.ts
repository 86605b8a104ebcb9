import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ProblemsError, type Problem } from "./problems";
import type { ReleaseManifest } from "./versions";

/**
 * The text of a controller's release manifest, from its copy in this repository.
 *
 * @throws ProblemsError where the copy is missing, or is not the file that `MANIFESTS` has the sum of
 */
export function readManifest(manifest: ReleaseManifest, projectRoot: string): string {
  const text = readCopy(manifest, projectRoot);
  const problem = sumProblem(
    manifest,
    manifest.file,
    text,
    "run make manifests; the component is where objects are changed",
  );
  if (problem !== undefined) throw refusal([problem]);
  return text;
}

/** What is wrong with a text that should be this manifest's, and was found at `path`. */
export function sumProblem(manifest: ReleaseManifest, path: string, text: string, fix: string): Problem | undefined {
  const sum = createHash("sha256").update(text).digest("hex");
  if (sum === manifest.sha256) return undefined;
  return { path, value: `SHA-256 ${sum}`, limit: `infra/versions.ts has ${manifest.sha256} for ${manifest.url}`, fix };
}

function readCopy(manifest: ReleaseManifest, projectRoot: string): string {
  try {
    return readFileSync(join(projectRoot, manifest.file), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw refusal([
      { path: manifest.file, value: "missing", limit: `it is the copy of ${manifest.url}`, fix: "run make manifests" },
    ]);
  }
}

function refusal(problems: readonly Problem[]): ProblemsError {
  return new ProblemsError("A controller's manifest cannot be used", problems);
}
