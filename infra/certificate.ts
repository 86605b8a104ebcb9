import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";

/**
 * The certificate of the authority of what runs outside of the cluster, from the file that the config names.
 *
 * @param key - the config's, for messages
 * @throws RunError when it is not there, outside of a preview, or is no certificate
 */
export function readCertificate(
  key: string,
  name: string,
  projectRoot: string,
  preview: boolean,
): { readonly certificate: string; readonly warning?: string } {
  const file = path.resolve(projectRoot, name);
  const tell = (problem: string) => `${key}: ${file}: ${problem}`;
  if (!existsSync(file)) {
    const missing = tell("is not there; correct the path (for a cluster that `make up` starts, it writes it)");
    if (!preview) throw new pulumi.RunError(missing);
    return { certificate: "", warning: `${missing}. Previewed without it` };
  }
  const certificate = readFileSync(file, "utf8");
  if (!certificate.includes("-----BEGIN CERTIFICATE-----")) {
    throw new pulumi.RunError(tell("must be a certificate as PEM"));
  }
  return { certificate };
}
