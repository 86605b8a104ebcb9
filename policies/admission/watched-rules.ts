import type { AdmissionPolicy } from "./policy";

/** A rule of a webhook: about what the API server asks. */
export interface WatchedRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
}

/** A condition of a webhook, in CEL: only where it holds the API server asks. */
export interface WatchedCondition {
  readonly name: string;
  readonly expression: string;
}

/** Who acts on objects that are judged. ReplicationControllers are not, so what makes their pods is not among these. */
const CONTROLLERS = [
  "cronjob-controller",
  "daemon-set-controller",
  "deployment-controller",
  "horizontal-pod-autoscaler",
  "job-controller",
  "replicaset-controller",
  "statefulset-controller",
];

/**
 * Not asked about is what Kubernetes' own controllers do for an object that was judged when somebody applied it: a scale-out
 * to 5,000 pods would ask 5,000 times about the same template; and while nobody answers, functions still scale, and pods
 * of a lost node still come back. What came before a policy, or while nobody answered, the audit finds.
 *
 * It goes by the controllers' accounts, which K3s gives them (`--use-service-account-credentials`); where they act as another
 * user, all of it is asked about.
 */
export const ALREADY_JUDGED: WatchedCondition = {
  name: "not-by-a-controller-of-kubernetes",
  expression: `!(request.userInfo.username in ${JSON.stringify(
    CONTROLLERS.map((name) => `system:serviceaccount:kube-system:${name}`),
  )})`,
};

/** What the API server itself changes with every update. */
const BOOKKEEPING = `["managedFields", "generation", "resourceVersion"]`;

/**
 * Not asked about is an update that changes nothing but who manages which field: before each update the Kubernetes provider
 * notes that for the object as it still is (`fixCSAFieldManagers`). If that were judged, an object that is above a bound that
 * was just lowered, or from before a policy, could not be put right by an `up`.
 */
export const CHANGED: WatchedCondition = {
  name: "changes-something",
  expression: [
    `request.operation != "UPDATE"`,
    `!object.all(key, key in ["metadata", "status"] || (key in oldObject && object[key] == oldObject[key]))`,
    `!oldObject.all(key, key == "status" || key in object)`,
    `!object.metadata.all(key, key in ${BOOKKEEPING} || (key in oldObject.metadata && object.metadata[key] == oldObject.metadata[key]))`,
    `!oldObject.metadata.all(key, key in ${BOOKKEEPING} || key in object.metadata)`,
  ].join(" || "),
};

/**
 * What the webhook has to be asked about for these policies, and nothing else: each question takes time, and a scale-out
 * to thousands of pods comes with as many events and endpoint slices. Deletions are no policy's concern.
 */
export function watchedRules(policies: readonly AdmissionPolicy[]): readonly WatchedRule[] {
  const asked = policies.flatMap(({ matches }) => matches.map((match) => match.asked));
  const groups = [...new Set(asked.map(({ group, version }) => `${group}/${version}`))].sort();
  return groups.map((name) => {
    const [group = "", version = ""] = name.split("/");
    const ofGroup = asked.filter((kind) => kind.group === group && kind.version === version);
    return {
      apiGroups: [group],
      apiVersions: [version],
      operations: ["CREATE", "UPDATE"],
      resources: [...new Set(ofGroup.flatMap(({ resources }) => resources))].sort(),
    };
  });
}
