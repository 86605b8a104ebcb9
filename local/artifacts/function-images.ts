import { z } from "zod";
import type { ImageRef } from "../../infra/addresses";
import type { FunctionConfig, StackConfig } from "../../infra/config";
import { ProblemsError, type Problem } from "../../infra/problems";
import { FUNCTIONS_REGISTRY, functionImage } from "../images/function";
import type { Progress } from "../progress";
import { Unavailable } from "../tools/failures";
import type { ToolsOptions } from "../tools/session";
import type { Credentials } from "./credentials";
import { ImageError, ImageStore, type ImageSource } from "./image-store";
import { Repository, type Manifest } from "./registry";
import { isLoopback, RegistryError } from "./registry-auth";

export const keptImage = z.strictObject({
  /** The function's. */
  name: z.string(),
  // Both go into URLs.
  registry: z.string().regex(/^[a-zA-Z0-9.-]+(?::\d{1,5})?$/),
  repository: z.string().regex(/^[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*$/),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** Bytes of all that it consists of. */
  size: z.int(),
});

/** A function's image in a bundle or a backup: named by its digest, also where the stack names a tag. */
export type KeptImage = Readonly<z.output<typeof keptImage>>;

/** As a stack's file names an image, at a registry of any name. */
export function pinned({ registry, repository, digest }: Omit<KeptImage, "name" | "size">): string {
  return `${registry}/${repository}@${digest}`;
}

/**
 * Copies the images of the stack's functions into a folder.
 *
 * @throws ProblemsError with every image that cannot be had
 */
export async function keepImages(
  config: StackConfig,
  store: ImageStore,
  credentials: Credentials,
  options: ToolsOptions,
): Promise<readonly KeptImage[]> {
  const images = new Map<string, Manifest>();
  const kept: KeptImage[] = [];
  const problems: Problem[] = [];
  for (const fn of config.functions) {
    const outcome = await keep(fn, config, store, credentials, options);
    if ("limit" in outcome) problems.push(outcome);
    else {
      const { registry, repository } = fn.image;
      const one = { name: fn.name, registry, repository, digest: outcome.digest, size: await sizeOf(store, outcome) };
      kept.push(one);
      images.set(pinned(one), outcome);
    }
  }
  if (problems.length > 0) throw new ProblemsError("Not all images of functions can be had", problems);
  store.name(images);
  return kept;
}

async function keep(
  { name, image }: FunctionConfig,
  config: StackConfig,
  store: ImageStore,
  credentials: Credentials,
  options: ToolsOptions,
): Promise<Manifest | Problem> {
  const task = options.progress.task(`image of ${name}`, `copying ${image.text}`);
  const reasons: string[] = [];
  for (const open of sources(image, config, credentials, options)) {
    try {
      const { source, reference } = await open();
      const manifest = await store.copy(source, reference);
      task.done(`${manifest.digest} from ${source.text}`);
      return manifest;
    } catch (error) {
      if (!isRefusal(error)) {
        task.fail(options.signal?.aborted ? "stopped" : "failed");
        throw error;
      }
      reasons.push(error.message);
    }
  }
  task.fail("cannot be had");
  return {
    path: `functions.${name}.image`,
    value: image.text,
    limit: reasons.join("; "),
    fix: "correct the image, or make its registry answer, and run again: what is there is kept",
  };
}

function isRefusal(error: unknown): error is Error {
  return error instanceof RegistryError || error instanceof ImageError || error instanceof Unavailable;
}

async function sizeOf(store: ImageStore, { digest }: Manifest): Promise<number> {
  return (await store.contents(digest)).reduce((sum, { size }) => sum + size, 0);
}

type Open = () => Promise<{ readonly source: ImageSource; readonly reference: string }>;

/** Where an image may be had, in the order in which a node asks: the registry's mirrors, then itself. */
function sources(image: ImageRef, { cluster }: StackConfig, credentials: Credentials, options: ToolsOptions): Open[] {
  if (image.registry === FUNCTIONS_REGISTRY) return [() => built(image, options)];
  const mirrors = cluster.kind === "k3s" ? (cluster.mirrors[image.registry] ?? cluster.mirrors["*"] ?? []) : [];
  const own = image.registry === "docker.io" ? "https://registry-1.docker.io" : registryUrl(image.registry);
  const reference = image.digest ?? image.tag ?? "";
  return [...mirrors, own].map((url) => () => {
    const base = withVersion(url);
    const credential = credentials[url === own ? image.registry : base.host];
    const source = new Repository(base, image.repository, { credential, signal: options.signal });
    return Promise.resolve({ source, reference });
  });
}

async function built(image: ImageRef, options: ToolsOptions) {
  const { folder, digest } = await functionImage(image, options);
  return { source: new ImageStore(folder), reference: digest };
}

/** Encrypted, but for a registry of this machine, which rarely has a certificate. */
export function registryUrl(registry: string): string {
  return `${isLoopback(new URL(`http://${registry}`).hostname) ? "http" : "https"}://${registry}`;
}

/** Where the API is: under the server's root, unless the URL names another path, as K3s takes a mirror's. */
export function withVersion(url: string): URL {
  const base = new URL(url);
  if (base.pathname === "/") base.pathname = "/v2";
  return base;
}

/** For messages of what was kept. */
export function noteKept(progress: Progress, images: readonly KeptImage[]): void {
  progress.note(`${images.length} ${images.length === 1 ? "image" : "images"} of functions are kept, by digest`);
}
