import type { types } from "@pulumi/kubernetes";
import { GATEKEEPER } from "./names";
import type { WebhookRule } from "./webhook";

type Rule = types.input.rbac.v1.PolicyRule;

const READ = ["get", "list", "watch"];
const CHANGE = ["get", "list", "watch", "update", "patch"];
const STATUS = "status.gatekeeper.sh";
const POD_STATUSES = ["constraintpodstatuses", "constrainttemplatepodstatuses"];

/**
 * What Gatekeeper may do in the whole cluster. The release manifest lets it read everything, Secrets too; here it reads what
 * policies are about, and changes its own kinds alone.
 *
 * @param rules - what the webhook is asked about; the audit lists the same
 * @param kinds - of constraints
 */
export function clusterRules(rules: readonly WebhookRule[], kinds: readonly string[]): Rule[] {
  const constraints = kinds.map((kind) => kind.toLowerCase()).sort();
  return [
    ...rules.map(({ apiGroups, resources }) => ({
      apiGroups: [...apiGroups],
      // Subresources are seen in requests alone.
      resources: resources.filter((resource) => !resource.includes("/")),
      verbs: READ,
    })),
    { apiGroups: [""], resources: ["namespaces"], verbs: READ },
    { apiGroups: ["templates.gatekeeper.sh"], resources: ["constrainttemplates"], verbs: CHANGE },
    {
      apiGroups: ["templates.gatekeeper.sh"],
      resources: ["constrainttemplates/status", "constrainttemplates/finalizers"],
      verbs: ["get", "update", "patch"],
    },
    { apiGroups: ["constraints.gatekeeper.sh"], resources: constraints, verbs: CHANGE },
    {
      apiGroups: ["constraints.gatekeeper.sh"],
      resources: constraints.map((resource) => `${resource}/status`),
      verbs: ["get", "update", "patch"],
    },
    { apiGroups: ["config.gatekeeper.sh"], resources: ["configs"], verbs: CHANGE },
    { apiGroups: ["syncset.gatekeeper.sh"], resources: ["syncsets"], verbs: READ },
    // Of features that are off it still wants to know that nothing is there.
    {
      apiGroups: ["mutations.gatekeeper.sh"],
      resources: ["assign", "assignimage", "assignmetadata", "modifyset"],
      verbs: READ,
    },
    { apiGroups: ["externaldata.gatekeeper.sh"], resources: ["providers"], verbs: READ },
    { apiGroups: ["expansion.gatekeeper.sh"], resources: ["expansiontemplate"], verbs: READ },
    { apiGroups: [STATUS], resources: POD_STATUSES, verbs: READ },
    // It makes one of each template, for the kind of its constraints.
    { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: [...READ, "create"] },
    {
      apiGroups: ["apiextensions.k8s.io"],
      resources: ["customresourcedefinitions"],
      resourceNames: constraints.map((resource) => `${resource}.constraints.gatekeeper.sh`),
      verbs: ["update", "patch", "delete"],
    },
    // Its own certificate's authority goes in there.
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: ["validatingwebhookconfigurations"],
      verbs: READ,
    },
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: ["validatingwebhookconfigurations"],
      resourceNames: [GATEKEEPER.webhookConfiguration],
      verbs: ["update", "patch"],
    },
  ].filter(({ resources }) => resources.length > 0);
}

/** What it may do in its own namespace: know its pods, tell their state, and keep its certificate. */
export function namespaceRules(): Rule[] {
  return [
    { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
    {
      apiGroups: [STATUS],
      resources: POD_STATUSES,
      verbs: ["create", "update", "patch", "delete", "deletecollection"],
    },
    { apiGroups: [""], resources: ["secrets"], verbs: ["list", "watch"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames: [GATEKEEPER.secret], verbs: ["get", "update", "patch"] },
  ];
}
