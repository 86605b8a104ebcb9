/** What the release manifest, its roles and the program itself know things by. */
export const GATEKEEPER = {
  /** Its roles, Service and webhook are made for this one. */
  namespace: "gatekeeper-system",
  serviceAccount: "gatekeeper-admin",
  service: "gatekeeper-webhook-service",
  secret: "gatekeeper-webhook-server-cert",
  webhookConfiguration: "gatekeeper-validating-webhook-configuration",
  role: "gatekeeper-manager-role",
  webhook: "gatekeeper-controller-manager",
  audit: "gatekeeper-audit",
} as const;

/** Where its pods listen. */
export const GATEKEEPER_PORTS = { webhook: 8443, metrics: 8888, health: 9090 } as const;

/** Labels that the manifest's selectors go by. */
export const OPERATION_LABEL = "gatekeeper.sh/operation";
