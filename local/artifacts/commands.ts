import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { ProblemsError } from "../../infra/problems";
import type { Session } from "../engine/commands";
import { readStackFile, type StackSettings } from "../engine/stack-file";
import { writeFileAtomic } from "../files";
import { withLock } from "../lock";
import type { Paths } from "../paths";
import { table } from "../table";
import { DENIED, isDiskFull } from "../tools/failures";
import { imageOf, readBackup, writeBackup } from "./backup";
import { checkBundle, IMAGES, makeBundle, readBundle } from "./bundle";
import { bundleFiles } from "./bundle-plan";
import { pullCredentials } from "./credentials";
import { withImages } from "./definitions";
import { pinned, type KeptImage } from "./function-images";
import { ImageStore } from "./image-store";
import { parseTarget, pushImages, verifyImages, type Target } from "./restore";
import { sumOf } from "./sums";

/** Collects what the stack's hosts install and its functions run in a folder, for where there is no internet. */
export async function bundle(session: Session, stackName: string): Promise<void> {
  const { paths, progress, signal, print } = session;
  const file = readStackFile(paths.root, stackName);
  // What cannot be collected is told before the engine is asked for credentials.
  bundleFiles(file.config);
  const folder = bundleFolder(paths, stackName);
  const credentials = await pullCredentials(session, file);
  const lock = { waitingMessage: "Waiting for another run on this bundle", onWait: progress.note, signal };
  const sum = await writing(folder, () =>
    withLock(`${folder}.lock`, lock, () => makeBundle(file.stack, file.config, folder, credentials, session)),
  );
  print(
    table([
      ["Bundle:", folder, "serve it by any web server: docs/air-gap.md"],
      ["Sum:", sum, "of its SHA256SUMS: compare it where the bundle arrives"],
      ["Next:", `make bundle-check BUNDLE=${folder}`, "finds what has changed"],
    ]),
  );
}

/** Compares a bundle with its sums. */
export async function bundleCheck({ paths, progress, print }: Session, stackName: string): Promise<void> {
  const folder = bundleFolder(paths, stackName);
  const task = progress.task("bundle", "comparing");
  try {
    const { files, sha256 } = await checkBundle(folder, task);
    task.done(`${files} files are as they were made`);
    print(table([["Sum:", sha256, "of its SHA256SUMS: it must be the one that was told when the bundle was made"]]));
  } catch (error) {
    task.fail("is not as it was made");
    throw error;
  }
}

/** Writes the functions' definitions and images into one archive. */
export async function backup(session: Session, stackName: string): Promise<void> {
  const { paths, progress, print } = session;
  const file = readStackFile(paths.root, stackName);
  const archive = resolve(paths.root, setting("ARCHIVE") || defaultArchive(paths, stackName));
  const credentials = await pullCredentials(session, file);
  const { leftOut, functions } = await writing(archive, () =>
    writeBackup(file, archive, join(paths.scratch, "backup"), credentials, session),
  );
  if (leftOut.length > 0) progress.note(`Secrets are not in it, keep them elsewhere: ${leftOut.join(", ")}`);
  print(`${imageTable(functions)}\n`);
  print(
    table([
      ["Backup:", archive, ""],
      ["Sum:", await sumOf(archive), "SHA-256 of it: compare it before you restore"],
    ]),
  );
}

/** Puts the functions' images of a backup or a bundle into a registry, so that the stack can be brought up from it. */
export async function restoreFunctions(session: Session, stackName: string): Promise<void> {
  const { paths, print } = session;
  const target = parseTarget(setting("REGISTRY"));
  const { functions, images, settings } = await openKept(paths);
  await verifyImages(functions, images);
  const written = settings !== undefined && writeStackFile(paths, stackName, settings, functions, target);
  const credentials = await pullCredentials(session, readStackFile(paths.root, stackName));
  await pushImages(functions, images, target, credentials, session);
  print(`${imageTable(functions.map((one) => ({ ...one, registry: target.registry })))}\n`);
  print(written ? writtenNext(stackName) : namedNext(functions, target));
}

interface Kept {
  readonly functions: readonly KeptImage[];
  readonly images: ImageStore;
  /** Of a backup, which has the stack's definitions, too. */
  readonly settings?: StackSettings;
}

/** What is restored from: an archive or a bundle. */
async function openKept(paths: Paths): Promise<Kept> {
  const [archive, folder] = [setting("ARCHIVE"), setting("BUNDLE")];
  if ((archive === "") === (folder === ""))
    throw new ProblemsError("There is nothing to restore from", [
      {
        path: "ARCHIVE",
        value: archive === "" ? "missing" : "set beside BUNDLE",
        limit: "images come from one backup or one bundle",
        fix: "set ARCHIVE=file or BUNDLE=folder",
      },
    ]);
  if (archive !== "") return readBackup(resolve(paths.root, archive), join(paths.scratch, "restore"));
  const root = resolve(paths.root, folder);
  return { functions: readBundle(root).functions, images: new ImageStore(join(root, IMAGES)) };
}

/**
 * Where the stack's file was lost with everything else, it is made of the backup, with the images where they are now.
 *
 * @returns whether it was written
 */
function writeStackFile(
  paths: Paths,
  stackName: string,
  settings: StackSettings,
  functions: readonly KeptImage[],
  { registry }: Target,
): boolean {
  const file = join(paths.root, `Pulumi.${stackName}.yaml`);
  if (existsSync(file)) return false;
  writeFileAtomic(file, stringify(withImages(settings, functions, imageOf(functions, registry))), 0o644);
  return true;
}

function writtenNext(stackName: string): string {
  return table([
    ["Written:", `Pulumi.${stackName}.yaml`, "from the backup, with these images and without secrets: set them again"],
    ["Next:", `make up STACK=${stackName}`, "the functions are made anew"],
  ]);
}

function namedNext(functions: readonly KeptImage[], { registry, url }: Target): string {
  const former = [...new Set(functions.map((one) => one.registry))];
  return table([
    ["In the stack's file, either", "name these images,", ""],
    ...former.map((name) => ["or set cluster.mirrors", `${JSON.stringify(name)}: [${JSON.stringify(url)}]`, registry]),
  ]);
}

function imageTable(functions: readonly KeptImage[]): string {
  return table([["FUNCTION", "IMAGE", "BYTES"], ...functions.map((one) => [one.name, pinned(one), String(one.size)])]);
}

/** What the system refuses to write is told as a problem. */
async function writing<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, path = place } = error as NodeJS.ErrnoException;
    if (!(error instanceof Error) || code === undefined || !(isDiskFull(error) || DENIED.has(code))) throw error;
    throw new ProblemsError("Artifacts cannot be kept", [
      {
        path,
        value: isDiskFull(error) ? "no room" : `cannot be written (${code})`,
        limit: `what is kept goes to ${place}`,
        fix: "free some, or name another place with BUNDLE=folder or ARCHIVE=file; what is ready is kept",
      },
    ]);
  }
}

function bundleFolder(paths: Paths, stackName: string): string {
  return resolve(paths.root, setting("BUNDLE") || join(paths.home, "bundle", stackName));
}

/** By the time, so that an older one is never replaced by chance. */
function defaultArchive(paths: Paths, stackName: string): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return join(paths.home, "backup", `${stackName}-${time}.tar.gz`);
}

/** As `make` passes it on; empty where it is not set. */
function setting(name: "BUNDLE" | "ARCHIVE" | "REGISTRY"): string {
  return process.env[name] ?? "";
}
