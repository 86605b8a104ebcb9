import type { types } from "@pulumi/kubernetes";
import { deploymentSpec, podSpec, type DeploymentArgs } from "./deployment";

/**
 * The spec of the Deployment that keeps room on nodes beside a function: its own pods once more, so that each takes what one of
 * them takes and has the image there, but behind no Service. They make way at once for any pod that serves.
 *
 * @param args - with the priority and the labels of buffers
 */
export function bufferSpec(args: DeploymentArgs): types.input.apps.v1.DeploymentSpec {
  return {
    ...deploymentSpec(args),
    replicas: args.fn.scaling.buffer,
    // Nobody misses them: a new version needs no more room than the old one.
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: "100%" } },
    template: {
      metadata: { labels: args.podLabels },
      // There is nothing to finish, and somebody waits for the room.
      spec: { ...podSpec(args), terminationGracePeriodSeconds: 0 },
    },
  };
}
