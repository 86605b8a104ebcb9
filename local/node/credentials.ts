// The certificate library's dependency injection wants it loaded first.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { X509Certificate, createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { stringify } from "yaml";
import { readIfExists, writeFileAtomic } from "../files";

/** Who a certificate says that its holder is, as the API server reads it. */
export interface Identity {
  /** The user's name (the certificate's common name). */
  readonly user: string;
  /** The user's group (its organization). */
  readonly group?: string;
  /** Names and addresses that a server is asked under; a client has none. */
  readonly serves?: readonly string[];
}

export interface Authority {
  /** The cluster's own authority, in PEM form. Its key never enters the node. */
  readonly certificate: string;
  readonly key: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAYS = 365;
/** Renewed when less than this is left, in milliseconds: a node is started again more often than it runs a month. */
const RENEW = 30 * 86_400_000;

export function readAuthority(folder: string): Authority {
  return {
    certificate: readFileSync(join(folder, "ca.crt"), "utf8"),
    key: readFileSync(join(folder, "ca.key"), "utf8"),
  };
}

/**
 * Writes `<name>.crt` and `<name>.key`, unless those that are there still serve. A node's components each get the
 * rights of their own part, never an administrator's.
 */
export async function issue(folder: string, name: string, identity: Identity, authority: Authority): Promise<void> {
  const [certificateFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  if (serves(readIfExists(certificateFile), identity, authority) && readIfExists(keyFile) !== undefined) return;
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const issuer = new x509.X509Certificate(authority.certificate);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    // Positive and of full length, as the standard wants serial numbers.
    serialNumber: `7${randomBytes(16).toString("hex").slice(1)}`,
    subject: subjectOf(identity),
    issuer: issuer.subject,
    // A little before now, for clocks that differ.
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + DAYS * 86_400_000),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        identity.serves ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
      ]),
      ...(identity.serves ? [new x509.SubjectAlternativeNameExtension(identity.serves.map(alternativeName))] : []),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  writeFileAtomic(keyFile, x509.PemConverter.encode(key, "PRIVATE KEY"));
  writeFileAtomic(certificateFile, certificate.toString("pem"));
}

/** A kubeconfig whose credentials are files beside it. */
export function kubeconfig(server: string, name: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "default",
    contexts: [{ name: "default", context: { cluster: "default", user: "default" } }],
    clusters: [{ name: "default", cluster: { server, "certificate-authority": "ca.crt" } }],
    users: [{ name: "default", user: { "client-certificate": `${name}.crt`, "client-key": `${name}.key` } }],
  });
}

function serves(pem: string | undefined, identity: Identity, authority: Authority): boolean {
  if (pem === undefined) return false;
  try {
    const certificate = new x509.X509Certificate(pem);
    const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items.map(({ value }) => value);
    return (
      certificate.subject === subjectOf(identity) &&
      certificate.issuer === new x509.X509Certificate(authority.certificate).subject &&
      new X509Certificate(pem).verify(new X509Certificate(authority.certificate).publicKey) &&
      certificate.notAfter.getTime() - Date.now() > RENEW &&
      JSON.stringify(names) === JSON.stringify(identity.serves)
    );
  } catch {
    return false;
  }
}

function subjectOf({ user, group }: Identity): string {
  return group === undefined ? `CN=${user}` : `O=${group}, CN=${user}`;
}

function alternativeName(name: string): x509.JsonGeneralName {
  return { type: isIP(name) ? "ip" : "dns", value: name };
}

/** The authority's key as the certificate library takes it; kwokctl writes it in the older PKCS#1 form. */
function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  return webcrypto.subtle.importKey("pkcs8", der, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, false, ["sign"]);
}
