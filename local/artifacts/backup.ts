import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument, stringify } from "yaml";
import { z } from "zod";
import { ProblemsError } from "../../infra/problems";
import type { StackFile, StackSettings } from "../engine/stack-file";
import type { ToolsOptions } from "../tools/session";
import { packFolder, unpackInto } from "./archive";
import { IMAGES } from "./bundle";
import type { Credentials } from "./credentials";
import { withImages, withoutSecrets } from "./definitions";
import { keepImages, keptImage, pinned, type KeptImage } from "./function-images";
import { ImageStore } from "./image-store";
import { parseJson } from "./json";

const MANIFEST = "backup.json";
const STACK = "stack.yaml";
const PARTS = /^(?:backup\.json|stack\.yaml|images\/(?:oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64}))$/;

const manifestSchema = z.strictObject({
  version: z.literal(1),
  stack: z.string(),
  functions: z.array(keptImage),
  /** The config's keys that were secrets, and so are not in it. */
  leftOut: z.array(z.string()),
});

/** What `backup.json` says of a backup. */
export type BackupManifest = z.output<typeof manifestSchema>;

/** A backup that was unpacked. */
export interface Backup extends BackupManifest {
  /** Where the images are. */
  readonly images: ImageStore;
  /** The stack's settings without secrets, each function's image by digest. */
  readonly settings: StackSettings;
}

/**
 * Writes the definitions of a stack's functions and their images into one archive. No secret is in it.
 *
 * @param work - an empty folder of the caller's, for what is packed
 * @throws ProblemsError where an image cannot be had, or a secret stands where none belongs
 */
export async function writeBackup(
  file: StackFile,
  archive: string,
  work: string,
  credentials: Credentials,
  options: ToolsOptions,
): Promise<BackupManifest> {
  const { settings, leftOut } = withoutSecrets(file.settings);
  mkdirSync(work, { recursive: true, mode: 0o700 });
  const functions = [...(await keepImages(file.config, new ImageStore(join(work, IMAGES)), credentials, options))];
  const manifest: BackupManifest = { version: 1, stack: file.stack, functions, leftOut: [...leftOut] };
  writeFileSync(join(work, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(work, STACK), stringify(withImages(settings, functions, imageOf(functions))));
  await packFolder(work, archive);
  return manifest;
}

/**
 * Unpacks a backup.
 *
 * @throws ProblemsError where it is none, or is not whole
 */
export async function readBackup(archive: string, work: string): Promise<Backup> {
  if (!existsSync(archive)) throw noBackup(archive, "does not exist");
  mkdirSync(work, { recursive: true, mode: 0o700 });
  await unpackInto(work, archive, PARTS);
  const [manifest, stack] = [MANIFEST, STACK].map((name) => join(work, name));
  if (!manifest || !stack || !existsSync(manifest) || !existsSync(stack))
    throw noBackup(archive, `lacks ${MANIFEST} or ${STACK}`);
  const parsed = manifestSchema.safeParse(parseJson(readFileSync(manifest, "utf8")));
  if (!parsed.success) throw noBackup(archive, `has a ${MANIFEST} of another form`);
  const settings = parseDocument(readFileSync(stack, "utf8"));
  if (settings.errors.length > 0) throw noBackup(archive, `has a ${STACK} that is no YAML`);
  return {
    ...parsed.data,
    settings: settings.toJS() as StackSettings,
    images: new ImageStore(join(work, IMAGES)),
  };
}

/** Finds a function's image by the function's name. */
export function imageOf(functions: readonly KeptImage[], registry?: string): (name: string) => string {
  return (name) => {
    const image = functions.find((one) => one.name === name);
    if (!image) throw new Error(`no image of ${name} is kept`);
    return pinned(registry === undefined ? image : { ...image, registry });
  };
}

function noBackup(archive: string, limit: string): ProblemsError {
  return new ProblemsError("There is no backup", [
    { path: "ARCHIVE", value: archive, limit, fix: "name one that make backup has written" },
  ]);
}
