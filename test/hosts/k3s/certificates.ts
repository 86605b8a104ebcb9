// The certificate library's dependency injection wants it loaded first.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { createHash, generateKeyPairSync, randomBytes, webcrypto } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { stringify } from "yaml";
import { addressAt, parseCidr } from "../../../infra/addresses";
import { readIfExists, writeFileAtomic, writeIfChanged } from "../../../local/files";
import { issue, kubeconfig, type Authority } from "../../../local/node/credentials";
import type { ServerConfig } from "./config";
import { API_PORT, Fatal, KUBECONFIG, SERVER_DIR, TLS } from "./stand-in";

const YEAR = 365 * 86_400_000;
const SIGNING = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
};

/**
 * The cluster's own authority, made at the first start. K3s has one for servers, one for clients and one for etcd; they
 * are the same here, under all of their names.
 */
export async function clusterAuthority(): Promise<Authority> {
  if (!existsSync(`${TLS}/server-ca.crt`)) {
    const keys = await webcrypto.subtle.generateKey(SIGNING, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: `7${randomBytes(16).toString("hex").slice(1)}`,
      name: `CN=k3s-server-ca@${Math.floor(Date.now() / 1000)}`,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 10 * YEAR),
      signingAlgorithm: SIGNING,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
      ],
    });
    const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
    writeFileAtomic(`${TLS}/server-ca.key`, x509.PemConverter.encode(key, "PRIVATE KEY"));
    writeFileAtomic(`${TLS}/server-ca.crt`, `${certificate.toString("pem")}\n`, 0o644);
  }
  const authority = {
    certificate: readFileSync(`${TLS}/server-ca.crt`, "utf8"),
    key: readFileSync(`${TLS}/server-ca.key`, "utf8"),
  };
  // `ca.crt` is what kubeconfigs beside it name.
  for (const name of ["client-ca", "ca"]) writeIfChanged(`${TLS}/${name}.crt`, authority.certificate, 0o644);
  return authority;
}

/** What a token says of the cluster: whoever joins may check whom it joins. */
export function authorityHash(certificate: string): string {
  return createHash("sha256").update(certificate).digest("hex");
}

/** Certificates of all that a server consists of, those that are there and still serve left as they are. */
export async function serverCertificates(config: ServerConfig, authority: Authority): Promise<void> {
  const names = [
    ...new Set([
      ...[
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
      ],
      ...["127.0.0.1", config.nodeIp, config.nodeName, firstService(config.network.serviceCidr)],
      ...config.certificateNames,
    ]),
  ];
  const own = ["localhost", "127.0.0.1", config.nodeIp, config.nodeName];
  const admin = { user: "system:admin", group: "system:masters" };
  const identities = {
    "serving-kube-apiserver": { user: "kube-apiserver", serves: names },
    "client-kube-apiserver": { user: "system:kube-apiserver", group: "system:masters" },
    "client-auth-proxy": { user: "system:auth-proxy" },
    "client-admin": admin,
    "client-controller": { user: "system:kube-controller-manager" },
    "client-scheduler": { user: "system:kube-scheduler" },
    "etcd-server": { user: "etcd-server", serves: own },
    "etcd-client": { user: "etcd-client" },
    "etcd-peer-server": { user: "etcd-peer", serves: own },
    "etcd-peer-client": { user: "etcd-peer" },
  };
  for (const [name, identity] of Object.entries(identities)) await issue(TLS, name, identity, authority);
  const url = `https://127.0.0.1:${API_PORT}`;
  for (const name of ["client-admin", "client-controller", "client-scheduler"])
    writeIfChanged(`${TLS}/${name}.kubeconfig`, kubeconfig(url, name));
  if (!existsSync(`${TLS}/service.key`)) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileAtomic(`${TLS}/service.key`, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  }
  if (config.secretsEncryption) writeEncryption();
  writeAdminKubeconfig(config, url);
}

export const ENCRYPTION_CONFIG = `${SERVER_DIR}/cred/encryption-config.json`;

/** By it the API server encrypts secrets before etcd gets them; a new key would make those that are there unreadable. */
function writeEncryption(): void {
  if (existsSync(ENCRYPTION_CONFIG)) return;
  const keys = [{ name: "aescbckey", secret: randomBytes(32).toString("base64") }];
  const resources = [{ resources: ["secrets"], providers: [{ aescbc: { keys } }, { identity: {} }] }];
  writeFileAtomic(
    ENCRYPTION_CONFIG,
    JSON.stringify({ kind: "EncryptionConfiguration", apiVersion: "apiserver.config.k8s.io/v1", resources }),
  );
}

function writeAdminKubeconfig({ kubeconfigMode }: ServerConfig, server: string): void {
  const data = (name: string) => Buffer.from(readIfExists(`${TLS}/${name}`) ?? "").toString("base64");
  const content = stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "default", cluster: { "certificate-authority-data": data("server-ca.crt"), server } }],
      contexts: [{ name: "default", context: { cluster: "default", user: "default" } }],
      "current-context": "default",
      preferences: {},
      users: [
        {
          name: "default",
          user: { "client-certificate-data": data("client-admin.crt"), "client-key-data": data("client-admin.key") },
        },
      ],
    },
    { lineWidth: 0 },
  );
  writeFileAtomic(KUBECONFIG, content, kubeconfigMode);
}

/** The address of the Service `kubernetes`. */
function firstService(cidr: string): string {
  const parsed = parseCidr(cidr);
  if (!("ok" in parsed)) throw new Fatal(`service-cidr: ${cidr} ${parsed.error.limit}`);
  return addressAt(parsed.ok, 1);
}
