import type { types } from "@pulumi/kubernetes";
import type { Unwrap } from "@pulumi/pulumi";
import { inputsOf, metadataOf, nameOf, problemAt } from "../kubernetes";
import { judgement, type Judged, type Report, type ResourcePolicy } from "../policy";

type Rule = Unwrap<types.input.rbac.v1.PolicyRule>;

/** Verbs by which an account gives itself more than it has. */
const CLIMBING = ["escalate", "bind", "impersonate"];
/** Whoever can reach the API server is one of these. */
const ANYBODY = ["system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"];
/** Roles of Kubernetes' own that may do everything. */
const ALMIGHTY = ["cluster-admin"];

export const rbac: ResourcePolicy = {
  name: "rbac",
  description: "Roles name what they allow, and nobody unknown is bound to one.",
  judge: (resource, _facts, report) => {
    judgement(() => {
      const role = inputsOf(
        resource,
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
        "kubernetes:rbac.authorization.k8s.io/v1:Role",
      );
      role?.rules?.forEach((rule, index) => judgement(() => judgeRule(resource, rule, index, report)));
    });
    judgement(() => {
      const binding = inputsOf(
        resource,
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
      );
      if (binding) judgeBinding(resource, binding, report);
    });
  },
};

function judgeRule(resource: Judged, rule: Rule, index: number, report: Report): void {
  for (const field of ["verbs", "apiGroups", "resources", "nonResourceURLs"] as const) {
    const found = (rule[field] ?? []).filter((item) => item === "*" || (field === "resources" && item.endsWith("/*")));
    if (found.length > 0) {
      report(
        problemAt(resource, `rules[${index}].${field}`, {
          value: found.join(", "),
          limit: "it allows what nobody has thought of, and what is added later",
          fix: `name the ${field}`,
        }),
      );
    }
  }
  const climbing = rule.verbs.filter((verb) => CLIMBING.includes(verb));
  if (climbing.length > 0) {
    report(
      problemAt(resource, `rules[${index}].verbs`, {
        value: climbing.join(", "),
        limit: "whoever has it can give itself any right",
        fix: "leave it out",
      }),
    );
  }
}

function judgeBinding(
  resource: Judged,
  { roleRef, subjects = [] }: Pick<Unwrap<types.input.rbac.v1.RoleBinding>, "roleRef" | "subjects">,
  report: Report,
): void {
  if (ALMIGHTY.includes(roleRef.name)) {
    report(
      problemAt(resource, "roleRef.name", {
        value: roleRef.name,
        limit: "it may do everything, in every namespace",
        fix: "bind a role that names what is needed",
      }),
    );
  }
  for (const { name } of subjects) {
    if (!ANYBODY.some((anybody) => name === anybody || name.startsWith(`${anybody}:`))) continue;
    report(
      problemAt(resource, `subjects.${name}`, {
        value: name,
        limit: "that is everybody, or every pod",
        fix: "name the account or the group",
      }),
    );
  }
}

export const publicServices: ResourcePolicy = {
  name: "public-services",
  description: "The gateway's Service is the only way in from outside.",
  judge: (resource, { admission }, report) => {
    const service = inputsOf(resource, "kubernetes:core/v1:Service");
    if (service === undefined) return;
    const { namespace, service: name } = admission.gateway;
    const gateway = metadataOf(resource)?.namespace === namespace && nameOf(resource) === name;
    const { type = "ClusterIP", externalIPs = [] } = service.spec ?? {};
    if (type !== "ClusterIP" && !(gateway && type !== "ExternalName")) {
      report(
        problemAt(resource, "spec.type", {
          value: type,
          limit: "requests would come in, or go out, past gateway and authorization",
          fix: "use ClusterIP, and a route of the gateway",
        }),
      );
    }
    // Not even the gateway's: whoever names an address takes it over in the whole cluster (CVE-2020-8554).
    if (externalIPs.length > 0) {
      report(
        problemAt(resource, "spec.externalIPs", {
          value: externalIPs.join(", "),
          limit: "it takes over traffic to these addresses, whoever they belong to",
          fix: "leave them out",
        }),
      );
    }
  },
};
