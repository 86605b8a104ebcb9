// The certificate library's dependency injection wants it loaded first.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { createPrivateKey, webcrypto } from "node:crypto";
import type { Authority } from "../../local/node/credentials";

const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};
/** Ten years, in milliseconds. */
const LIFETIME = 3650 * 86_400_000;

/** An authority as kwokctl makes it: self-signed, with an RSA key in PKCS#1 form. */
export async function createAuthority(name = "CN=kwok-ca"): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(RSA, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    notAfter: new Date(Date.now() + LIFETIME),
    signingAlgorithm: RSA,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { certificate: certificate.toString("pem"), key: key.export({ type: "pkcs1", format: "pem" }).toString() };
}
