import type { AdmissionConfig } from "../../infra/config";

/**
 * Of every manager, wherever it runs. Policies neither ask other servers (external data, http.send) nor judge what does not
 * exist yet (expansion): off, so that the rights for them can be left out, and the audit needs no certificate.
 */
export const commonFlags: readonly string[] = [
  "--logtostderr",
  "--disable-opa-builtin={http.send}",
  "--enable-external-data=false",
  "--enable-generator-resource-expansion=false",
];

/** Of those that the API server asks. */
export const webhookFlags: readonly string[] = ["--operation=webhook", "--tls-min-version=1.3", "--log-denies"];

/** Of the one that goes through what is there. It asks for the kinds that policies are about, and may see no other. */
export function auditFlags({ interval, violationsLimit, chunkSize }: AdmissionConfig["audit"]): readonly string[] {
  return [
    "--operation=audit",
    "--operation=status",
    `--audit-interval=${interval / 1000}`,
    `--constraint-violations-limit=${violationsLimit}`,
    `--audit-chunk-size=${chunkSize}`,
    "--audit-match-kind-only=true",
  ];
}
