import { ProblemsError, type Problem } from "../../infra/problems";
import type { Progress } from "../progress";
import type { Credentials } from "./credentials";
import { registryUrl, withVersion, type KeptImage } from "./function-images";
import { ImageError, type ImageStore } from "./image-store";
import { isManifest } from "./oci";
import { Repository, type Manifest } from "./registry";
import { RegistryError } from "./registry-auth";

/** Where images are pushed to. */
export interface Target {
  /** As an image's name begins with it. */
  readonly registry: string;
  readonly url: string;
}

/** @throws ProblemsError where it is no registry's name or URL */
export function parseTarget(text: string): Target {
  const [, scheme, registry] = /^(https?:\/\/)?([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?)$/i.exec(text) ?? [];
  if (registry !== undefined) return { registry, url: scheme === undefined ? registryUrl(registry) : text };
  throw new ProblemsError("There is nowhere to push to", [
    {
      path: "REGISTRY",
      // A user and a password may be in it.
      value: text === "" ? "missing" : "(not shown)",
      limit: "must be a registry's name with its port, or its URL where it is not encrypted",
      fix: "for example REGISTRY=registry.example.com or REGISTRY=http://registry.internal:5000",
    },
  ]);
}

/**
 * Verifies that every image is whole and right. Nothing is pushed before that.
 *
 * @throws ProblemsError with all that are not
 */
export async function verifyImages(images: readonly KeptImage[], store: ImageStore): Promise<void> {
  const problems: Problem[] = [];
  for (const { name, digest } of images) {
    try {
      await store.contents(digest);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      problems.push({
        path: `function ${name}`,
        value: digest,
        limit: error.message,
        fix: "use another archive or bundle; nothing was pushed",
      });
    }
  }
  if (problems.length > 0) throw new ProblemsError("Not all images are whole", problems);
}

/**
 * Puts images into a registry, under the digests that they have; what is there already is not sent again.
 *
 * @throws ProblemsError with all that the registry did not take
 */
export async function pushImages(
  images: readonly KeptImage[],
  store: ImageStore,
  { registry, url }: Target,
  credentials: Credentials,
  { progress, signal }: { readonly progress: Progress; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const problems: Problem[] = [];
  for (const { name, repository, digest } of images) {
    const task = progress.task(`image of ${name}`, `pushing to ${registry}/${repository}`);
    try {
      const to = new Repository(withVersion(url), repository, { credential: credentials[registry], signal });
      const sent = await push(digest, store, to, task.update);
      // What the registry gives from now on is what was kept.
      await to.manifest(digest);
      task.done(sent ? digest : `${digest} was there`);
    } catch (error) {
      task.fail(signal?.aborted ? "stopped" : "failed");
      if (!(error instanceof RegistryError)) throw error;
      problems.push({
        path: "REGISTRY",
        value: `${registry}/${repository}`,
        limit: error.message,
        fix: "correct the registry or its credential, which must be one that may push, and run again: what was sent is kept",
      });
    }
  }
  if (problems.length > 0) throw new ProblemsError("Not all images were pushed", problems);
}

async function push(digest: string, store: ImageStore, to: Repository, update: (doing: string) => void) {
  const contents = await store.contents(digest);
  let sent = false;
  for (const [i, part] of contents.entries()) {
    update(`${i + 1} of ${contents.length} parts`);
    const isNew = isManifest(part.mediaType)
      ? await to.putManifest(part as Manifest)
      : await to.putBlob(part, store.file(part.digest));
    sent ||= isNew;
  }
  return sent;
}
