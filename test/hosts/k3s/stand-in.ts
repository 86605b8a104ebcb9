/** What is fixed when the stand-in is bundled: everything that another release of it may have different. */
declare const STAND_IN: {
  /** As `k3s --version` tells it, such as `v1.30.4+k3s1`. */
  readonly version: string;
  readonly images: { readonly pause: string; readonly coredns: string; readonly metricsServer: string };
};

export const VERSION = STAND_IN.version;
export const IMAGES = STAND_IN.images;

/** Where the real Kubernetes parts are on a host; K3s has them within itself. */
export const PARTS = "/opt/k3s-parts";

export const SERVER_DIR = "/var/lib/rancher/k3s/server";
export const TLS = `${SERVER_DIR}/tls`;
export const KUBECONFIG = "/etc/rancher/k3s/k3s.yaml";

/** K3s answers joining nodes at the API server's own port; that server is a program of its own here, so they ask at this. */
export const JOIN_PORT = 9345;
export const API_PORT = 6443;

/** One line of the log, in K3s's own form. */
export function log(level: "info" | "warning" | "error" | "fatal", message: string): void {
  process.stderr.write(`time="${new Date().toISOString()}" level=${level} msg=${JSON.stringify(message)}\n`);
}

/** Something that K3s would end for; the message is what it ends with. */
export class Fatal extends Error {}
