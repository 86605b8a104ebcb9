import { mkdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { sumProblem } from "../../infra/manifests";
import { ProblemsError, type Problem } from "../../infra/problems";
import type { ReleaseManifest } from "../../infra/versions";
import { writeIfChanged } from "../files";
import type { Paths } from "../paths";
import { runChild } from "../tools/child";
import { Unavailable } from "../tools/failures";
import { fetchFile, reasonOf } from "../tools/fetch";

export interface RenewOptions {
  readonly paths: Pick<Paths, "root" | "scratch">;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

export interface Renewed {
  /** The URL, or the module, that it came from. */
  readonly from: string;
  /** Whether the copy was another one, or was missing. */
  readonly changed: boolean;
}

/**
 * Fetches a manifest from its URL, or where that cannot be had from the publisher's Go module, and writes its copy.
 *
 * @throws ProblemsError where neither can be had, or what came is of another sum; the copy is then as it was
 */
export async function renewManifest(manifest: ReleaseManifest, options: RenewOptions): Promise<Renewed> {
  const { paths } = options;
  mkdirSync(paths.scratch, { recursive: true });
  const { from, text } = await fetchManifest(manifest, options);
  const fix = "look at what has changed; if it is the one you want, set that sum in infra/versions.ts";
  const problem = sumProblem(manifest, from, text, fix);
  if (problem !== undefined) throw refusal(problem);
  return { from, changed: writeIfChanged(join(paths.root, manifest.file), text, 0o644) };
}

async function fetchManifest(
  manifest: ReleaseManifest,
  options: RenewOptions,
): Promise<{ from: string; text: string }> {
  const { url, module } = manifest;
  try {
    return { from: url, text: await joined(manifest, (part) => fetchPart(`${url}${part}`, options)) };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    if (module === undefined) throw refusal(unavailable(url, error.message, "no Go module has it"));
    const name = `${module.path}@v${manifest.version}`;
    const folder = await downloadModule(name, options).catch((reason: unknown) => {
      options.signal?.throwIfAborted();
      throw refusal(unavailable(url, error.message, `nor can the Go module ${name}: ${reasonOf(reason)}`));
    });
    const read = (part: string) => Promise.resolve(readFileSync(join(folder, module.file, part), "utf8"));
    return { from: `${name}/${module.file}`, text: await joined(manifest, read) };
  }
}

/** The manifest's only text, or its parts one after another, each a document or more of its own. */
async function joined({ parts }: ReleaseManifest, read: (part: string) => Promise<string>): Promise<string> {
  if (parts === undefined) return read("");
  const texts: string[] = [];
  for (const part of parts) texts.push((await read(`/${part}`)).replace(/^(?!---\n)/, "---\n"));
  return texts.join("");
}

async function fetchPart(url: string, options: RenewOptions): Promise<string> {
  const file = join(options.paths.scratch, posix.basename(url));
  await fetchFile(url, file, options);
  return readFileSync(file, "utf8");
}

/** The module's folder in Go's own cache; Go has verified it by its checksum database. */
async function downloadModule(name: string, { paths, env, signal }: RenewOptions): Promise<string> {
  const { code, stdout, stderr } = await runChild("go", ["mod", "download", "-json", name], {
    env: { ...env, GOFLAGS: "-mod=mod", GOTOOLCHAIN: "local", GOWORK: "off" },
    cwd: paths.scratch,
    signal,
  });
  // Its errors are told in the answer.
  const answer = stdout === "" ? {} : (JSON.parse(stdout) as { readonly Dir?: string; readonly Error?: string });
  if (code !== 0 || answer.Dir === undefined) throw new Error(answer.Error ?? stderr.trim());
  return answer.Dir;
}

function unavailable(url: string, value: string, limit: string): Problem {
  return { path: url, value, limit, fix: "run it where one of them can be reached" };
}

function refusal(problem: Problem): ProblemsError {
  return new ProblemsError("The manifests were not renewed", [problem]);
}
