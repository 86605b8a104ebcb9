import type * as k8s from "@pulumi/kubernetes";
import type { Admission } from "../components/admission/admission";

/** Options of what is made in the cluster: once its policies hold, where it has any, and gone before them. */
export interface Guarded {
  readonly provider: k8s.Provider;
  readonly dependsOn: Admission[];
}
