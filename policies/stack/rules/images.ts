import type { Facts } from "../facts";
import { containersOf, metadataOf, problemAt, workloadOf } from "../kubernetes";
import { judgement, type Judged, type Report, type ResourcePolicy } from "../policy";

/** Each image of a workload, with where it stands. */
function eachImage(resource: Judged, judge: (image: string, field: string) => void): void {
  const workload = workloadOf(resource);
  if (workload === undefined) return;
  for (const { container, path } of containersOf(workload)) {
    judgement(() => judge(container.image ?? "", `${path}.image`));
  }
}

/** Whether it goes into a tenant's namespace; throws where a preview does not know into which: see `judgement`. */
export function isTenants({ admission }: Facts, resource: Judged): boolean {
  const namespace = metadataOf(resource)?.namespace;
  return admission.tenants.some((tenant) => tenant.namespace === namespace);
}

export const allowedRegistries: ResourcePolicy = {
  name: "allowed-registries",
  description: "Functions' images come from the registries of the config, the platform's own from where it has them.",
  judge: (resource, facts, report) => {
    const { tenants, platform } = facts.admission.registries;
    const allowed = isTenants(facts, resource) ? tenants : platform;
    eachImage(resource, (image, field) => {
      if (allowed.some((beginning) => isFrom(beginning, image))) return;
      report(
        problemAt(resource, field, {
          value: image,
          limit: "comes from a registry that nobody has vouched for",
          fix: `take it from ${allowed.join(" or ")}, or add its registry to the stack's (admission.registries for functions)`,
        }),
      );
    });
  },
};

/** Below a registry that ends with `/`, or at any version of a repository. */
function isFrom(registry: string, image: string): boolean {
  const [from, found] = [inFull(registry), inFull(image)];
  if (from.endsWith("/")) return found.startsWith(from);
  return found === from || found.startsWith(`${from}:`) || found.startsWith(`${from}@`);
}

/** As containerd resolves it: a name without a host is Docker Hub's, one without a folder an official image there. */
function inFull(image: string): string {
  const [first = "", ...rest] = image.split("/");
  if (rest.length === 0) return `docker.io/library/${image}`;
  return /[.:]/.test(first) || first === "localhost" ? image : `docker.io/${image}`;
}

export const digestPinnedImages: ResourcePolicy = {
  name: "digest-pinned-images",
  description: "Functions' images are named by digest: what was tested is what runs.",
  judge: (resource, facts, report) => {
    if (!facts.admission.digests || !isTenants(facts, resource)) return;
    eachImage(resource, (image, field) => {
      if (/@sha256:[0-9a-f]{64}$/.test(image)) return;
      report(
        problemAt(resource, field, {
          value: image,
          limit: "a tag may name another image tomorrow",
          fix: "name it by digest, which `make function` prints: registry.example.com/checkout@sha256:…",
        }),
      );
    });
  },
};

export const noLatestTag: ResourcePolicy = {
  name: "no-latest-tag",
  description: "No image is `latest`, in so many words or by having no tag.",
  judge: (resource, _facts, report) => eachImage(resource, (image, field) => judgeTag(resource, image, field, report)),
};

function judgeTag(resource: Judged, image: string, field: string, report: Report): void {
  if (image.includes("@")) return;
  const tag = /:([^:/]+)$/.exec(image)?.[1];
  if (tag !== undefined && tag !== "latest") return;
  report(
    problemAt(resource, field, {
      value: image === "" ? "missing" : image,
      limit: `${tag === undefined ? "without a tag it is `latest`, which" : "`latest`"} can be neither reproduced nor rolled back`,
      fix: "pin a version's tag or a digest",
    }),
  );
}
