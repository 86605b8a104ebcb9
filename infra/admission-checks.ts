import type { z } from "zod";
import { GATEKEEPER } from "../components/admission/names";
import { folderOf, overlaps } from "./addresses";
import type { stackSchema } from "./config-schema";
import type { Problem } from "./problems";

type Parsed = z.output<typeof stackSchema>;

/** What of admission does not go together with the rest of the stack: told before anything would be refused for it. */
export function admissionProblems(config: Parsed): Problem[] {
  if (!config.admission.enabled) return [];
  return [...imageProblems(config), ...databaseProblems(config), ...namespaceProblems(config)];
}

/** A function that its own stack's policies would refuse. */
function imageProblems({ functions, admission: { registries, requireDigests, policies } }: Parsed): Problem[] {
  return functions.flatMap(({ name, image }) => {
    const problem = (limit: string, fix: string) => ({
      path: `functions.${name}.image`,
      value: image.text,
      limit,
      fix,
    });
    return [
      ...(policies["allowed-registries"] === "off" || registries.some((start) => image.text.startsWith(start))
        ? []
        : [
            problem(
              `admission.registries allows ${registries.join(", ")}`,
              `push it there, or add "${folderOf(image)}" to admission.registries`,
            ),
          ]),
      ...(!requireDigests || policies["digest-pinned-images"] === "off" || image.digest !== undefined
        ? []
        : [
            problem(
              "admission.requireDigests is set",
              `name it by its digest: ${image.registry}/${image.repository}@sha256:…`,
            ),
          ]),
    ];
  });
}

/** A database whose addresses would open a function's network policy to pods. */
function databaseProblems({ functions, cluster: { network }, admission: { policies } }: Parsed): Problem[] {
  if (policies["tenant-isolation"] === "off") return [];
  const { podCidr, serviceCidr } = network;
  return functions.flatMap(({ name, database }) =>
    (database?.addresses ?? [])
      .filter((address) => overlaps(address, podCidr) || overlaps(address, serviceCidr))
      .map((address) => ({
        path: `functions.${name}.database.addresses`,
        value: address.text,
        limit: `overlaps the network of pods (${podCidr.text}) or of Services (${serviceCidr.text}), where other tenants' are too`,
        fix: "name the addresses of the database alone, outside of the cluster",
      })),
  );
}

/** Namespaces that must be judged, and the one that cannot be. */
function namespaceProblems({ admission: { exemptNamespaces }, tenants, gateway, observability }: Parsed): Problem[] {
  const names = tenants.map(({ name }) => name);
  return [
    ...exemptNamespaces
      .filter((name) => names.includes(name))
      .map((name) => ({
        path: "admission.exemptNamespaces",
        value: name,
        limit: "is a tenant's namespace: nobody would judge what is in it",
        fix: "drop it, or set admission.policies to warn",
      })),
    ...[
      ...names.map((name) => ({ path: `tenants.${name}.name`, name })),
      { path: "gateway.namespace", name: gateway.namespace },
      { path: "observability.namespace", name: observability.namespace },
    ]
      .filter(({ name }) => name === GATEKEEPER.namespace)
      .map(({ path, name }) => ({ path, value: name, limit: "is Gatekeeper's namespace", fix: "use another name" })),
  ];
}
