import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

/** What a kind of gateway puts into its pods. */
export interface GatewayPods {
  readonly ports: { readonly http: number; readonly https: number; readonly admin: number };
  /** Whether something in the pod asks the cluster's API. */
  readonly callsApi: boolean;
  readonly containers: k8s.types.input.core.v1.Container[];
  readonly initContainers: k8s.types.input.core.v1.Container[];
  readonly volumes: k8s.types.input.core.v1.Volume[];
  readonly dependsOn: pulumi.Resource[];
}

/** Where the objects of a gateway go. */
export interface PodContext {
  readonly name: string;
  readonly namespace: pulumi.Output<string>;
  readonly labels: Record<string, string>;
  readonly metadata: (name: string) => {
    name: string;
    namespace: pulumi.Output<string>;
    labels: Record<string, string>;
  };
  readonly opts: pulumi.CustomResourceOptions;
  /** Name of the Secret that it serves TLS with. Absent: it makes a certificate of its own. */
  readonly certificateSecret: pulumi.Input<string> | undefined;
  /** Changes with the certificate. Absent: somebody else keeps it. */
  readonly certificateVersion: pulumi.Input<string> | undefined;
}
