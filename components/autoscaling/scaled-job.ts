import type { ManifestObject } from "../manifest";

/**
 * A kind that nobody uses here, but without which the operator ends. The release's own description of it repeats all that a pod
 * can be, half a megabyte; this one says no more than that the kind is there.
 */
export const SCALED_JOB_CRD: ManifestObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "scaledjobs.keda.sh" },
  spec: {
    group: "keda.sh",
    names: { kind: "ScaledJob", listKind: "ScaledJobList", plural: "scaledjobs", singular: "scaledjob" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
