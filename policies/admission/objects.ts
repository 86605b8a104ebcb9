import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CLUSTER_KINDS } from "./kinds";
import type { AdmissionFacts, AdmissionPolicy, Enforcement, Exemption, GatekeeperObject, MatchedKind } from "./policy";

const EXEMPTIONS_SCHEMA = {
  type: "array",
  description: "Objects that are let in although a rule speaks against them.",
  items: {
    type: "object",
    properties: {
      kind: { type: "string" },
      namespace: { type: "string", description: "Missing where the kind has none." },
      name: { type: "string", description: "May end with *." },
      allows: { type: "array", items: { type: "string" }, description: "The rules." },
      reason: { type: "string" },
    },
  },
};

/** The ConstraintTemplate of a policy: its Rego, with the library that all share, and the schema of its parameters. */
export function templateOf(policy: AdmissionPolicy): GatekeeperObject {
  return {
    apiVersion: "templates.gatekeeper.sh/v1",
    kind: "ConstraintTemplate",
    metadata: {
      // Gatekeeper insists on the kind in lower case.
      name: policy.kind.toLowerCase(),
      annotations: { "metadata.gatekeeper.sh/title": policy.title, description: policy.why },
    },
    spec: {
      crd: {
        spec: {
          names: { kind: policy.kind },
          validation: {
            legacySchema: false,
            openAPIV3Schema: {
              type: "object",
              properties: { ...policy.schema, exemptions: EXEMPTIONS_SCHEMA },
            },
          },
        },
      },
      targets: [
        {
          target: "admission.k8s.gatekeeper.sh",
          rego: rego(policy.name, `${policy.name}.rego`),
          libs: [rego("lib", "objects.rego")],
        },
      ],
    },
  };
}

/** The constraint of a policy, which is named after it, for the stack that these are the facts of. */
export function constraintOf(
  policy: AdmissionPolicy,
  facts: AdmissionFacts,
  enforcement: Enforcement,
): GatekeeperObject {
  return {
    apiVersion: "constraints.gatekeeper.sh/v1beta1",
    kind: policy.kind,
    metadata: { name: policy.name },
    spec: {
      enforcementAction: enforcement,
      match: { kinds: kindsByGroup(policy.matches) },
      parameters: {
        ...policy.parameters(facts),
        exemptions: policy.exemptions.flatMap((exemption) => resolved(exemption, facts)),
      },
    },
  };
}

function rego(folder: string, file: string): string {
  return readFileSync(join(__dirname, folder, file), "utf8");
}

function kindsByGroup(matches: readonly MatchedKind[]) {
  const groups = [...new Set(matches.map(({ group }) => group))];
  return groups.map((name) => ({
    apiGroups: [name],
    kinds: matches.filter(({ group }) => group === name).map(({ kind }) => kind),
  }));
}

/** An exemption as the Rego reads it, once for each namespace of its part of the platform: for none where the stack lacks it. */
function resolved(exemption: Exemption, facts: AdmissionFacts) {
  const { of, kind, name, allows, reason } = exemption;
  const own = facts.platform.filter(({ role }) => role === of).map(({ namespace }) => namespace);
  if (of !== "kubernetes" && own.length === 0) return [];
  if (CLUSTER_KINDS.includes(kind)) return [{ kind, name, allows, reason }];
  const namespaces = exemption.namespace === undefined ? own : [exemption.namespace];
  return namespaces.map((namespace) => ({ kind, namespace, name, allows, reason }));
}
