/** The K3s release of the reference workload; the embedded control plane runs the same Kubernetes. */
export const DEFAULT_K3S_VERSION = "v1.30.4+k3s1";
