import { createReadStream, createWriteStream, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { extract, pack, type Header } from "tar-stream";
import { ProblemsError } from "../../infra/problems";

/** Packs a folder as .tar.gz, for its owner's eyes alone; the file is replaced as a whole, or stays as it was. */
export async function packFolder(folder: string, file: string): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`;
  mkdirSync(dirname(file), { recursive: true });
  const archive = pack();
  try {
    const written = pipeline(archive, createGzip(), createWriteStream(draft, { mode: 0o600 }));
    await Promise.all([written, addFiles(archive, folder)]);
    renameSync(draft, file);
  } catch (error) {
    archive.destroy();
    rmSync(draft, { force: true });
    throw error;
  }
}

async function addFiles(archive: ReturnType<typeof pack>, folder: string): Promise<void> {
  for (const name of filesOf(folder)) {
    const size = statSync(join(folder, name)).size;
    // Times and owners say nothing of what is kept: the same content is the same archive.
    const entry = archive.entry({ name, size, mode: 0o600, mtime: new Date(0) });
    await pipeline(createReadStream(join(folder, name)), entry);
  }
  archive.finalize();
}

/** Every file of a folder by its path in it, in a fixed order. */
export function filesOf(folder: string, at = ""): string[] {
  return readdirSync(join(folder, at), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      return entry.isDirectory() ? filesOf(folder, path) : [path];
    });
}

/**
 * Unpacks what `packFolder` has packed.
 *
 * @param expected - the paths that may be in it: any other is refused, and so leads out of no folder
 * @throws ProblemsError where it cannot be read whole
 */
export async function unpackInto(folder: string, file: string, expected: RegExp): Promise<void> {
  const unpack = extract();
  unpack.on("entry", (header, content, next) => {
    take(folder, header, content, expected).then(
      () => next(),
      (error: unknown) => unpack.destroy(error as Error),
    );
  });
  try {
    await pipeline(createReadStream(file), createGunzip(), unpack);
  } catch (error) {
    throw new ProblemsError("The archive cannot be read", [
      {
        path: "ARCHIVE",
        value: file,
        limit: (error as Error).message,
        fix: "use one that make backup has written, and compare its sum with the one that was told then",
      },
    ]);
  }
}

async function take(folder: string, header: Header, content: AsyncIterable<unknown>, expected: RegExp): Promise<void> {
  if (header.type !== "file" || !expected.test(header.name))
    throw new Error(`it holds ${header.name}, which is no part of it`);
  const file = join(folder, header.name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  await pipeline(content, createWriteStream(file, { mode: 0o600 }));
}
