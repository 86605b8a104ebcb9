import type { types } from "@pulumi/kubernetes";

/** User and group of every pod that needs no other: the `nonroot` of common minimal images. */
export const NONROOT = 65532;

/** What Pod Security `restricted` asks of a pod. Mounted files belong to the group, so that 0440 is enough. */
export const RESTRICTED_POD = {
  runAsNonRoot: true,
  runAsUser: NONROOT,
  runAsGroup: NONROOT,
  fsGroup: NONROOT,
  seccompProfile: { type: "RuntimeDefault" },
} as const satisfies types.input.core.v1.PodSecurityContext;

/** What it asks of each container, and a read-only root, since functions keep nothing. */
export const RESTRICTED_CONTAINER = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
} satisfies types.input.core.v1.SecurityContext;

/** The Pod Security version is pinned, so that a cluster upgrade alone never refuses a pod that ran before. */
const POD_SECURITY_VERSION = "v1.30";

/** Labels of a namespace by which the API server refuses pods below a level of Pod Security. */
export function podSecurityLabels(level: "restricted" | "baseline" | "privileged"): Record<string, string> {
  return Object.fromEntries(
    ["enforce", "warn", "audit"].flatMap((mode) => [
      [`pod-security.kubernetes.io/${mode}`, level],
      [`pod-security.kubernetes.io/${mode}-version`, POD_SECURITY_VERSION],
    ]),
  );
}

/** A token for the cluster's API, and the certificate to know it by, at the place where clients look. */
export const CREDENTIALS = {
  volume: {
    name: "credentials",
    projected: {
      defaultMode: 0o440,
      sources: [
        // The kubelet renews it when four fifths have passed.
        { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      ],
    },
  },
  mount: { name: "credentials", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true },
} as const satisfies { volume: types.input.core.v1.Volume; mount: types.input.core.v1.VolumeMount };
