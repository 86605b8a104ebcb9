import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { issue, kubeconfig, readAuthority, type Authority, type Identity } from "../../../../local/node/credentials";
import { createAuthority } from "../../../support/authority";

const DAY = 86_400_000;

let authority: Authority;
let namesake: Authority;
beforeAll(async () => {
  [authority, namesake] = [await createAuthority(), await createAuthority()];
});

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "credentials-"))));
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const KUBELET: Identity = { user: "system:node:wasm-node", group: "system:nodes" };
const SERVING: Identity = { ...KUBELET, serves: ["wasm-node", "198.18.0.2"] };

const pem = (name: string) => readFileSync(join(folder, `${name}.crt`), "utf8");
const keyPem = (name: string) => readFileSync(join(folder, `${name}.key`), "utf8");

async function issued(identity: Identity, by = authority): Promise<X509Certificate> {
  await issue(folder, "it", identity, by);
  return new X509Certificate(pem("it"));
}

describe("a certificate", () => {
  it("is the authority's, of the key beside it", async () => {
    const [certificate, ca] = [await issued(KUBELET), new X509Certificate(authority.certificate)];
    expect(certificate.checkIssued(ca)).toBe(true);
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.verify(new X509Certificate(namesake.certificate).publicKey)).toBe(false);
    expect(certificate.checkPrivateKey(createPrivateKey(keyPem("it")))).toBe(true);
    expect(certificate.ca).toBe(false);
  });

  it.each<[string, Identity, string, string | undefined, string[]]>([
    ["a kubelet", KUBELET, "O=system:nodes\nCN=system:node:wasm-node", undefined, [x509.ExtendedKeyUsage.clientAuth]],
    [
      "one without a group",
      { user: "system:kube-proxy" },
      "CN=system:kube-proxy",
      undefined,
      [x509.ExtendedKeyUsage.clientAuth],
    ],
    [
      "a server",
      SERVING,
      "O=system:nodes\nCN=system:node:wasm-node",
      "DNS:wasm-node, IP Address:198.18.0.2",
      [x509.ExtendedKeyUsage.serverAuth],
    ],
  ])("names %s, and serves for that alone", async (_, identity, subject, names, usages) => {
    const certificate = await issued(identity);
    expect([certificate.subject, certificate.subjectAltName, certificate.keyUsage]).toEqual([subject, names, usages]);
    const usage = new x509.X509Certificate(pem("it")).getExtension(x509.KeyUsagesExtension);
    expect([usage?.usages, usage?.critical]).toEqual([x509.KeyUsageFlags.digitalSignature, true]);
  });

  it("holds from a minute ago, for clocks that differ, for a year", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2031-03-01T12:00:00Z") });
    const certificate = await issued(KUBELET);
    expect([certificate.validFrom, certificate.validTo].map((text) => new Date(text).toISOString())).toEqual([
      "2031-03-01T11:59:00.000Z",
      "2032-02-29T12:00:00.000Z",
    ]);
  });

  it("has a serial number of its own, positive and of 16 bytes", async () => {
    const numbers = [];
    for (let i = 0; i < 4; i++) {
      rmSync(join(folder, "it.crt"), { force: true });
      numbers.push((await issued(KUBELET)).serialNumber);
    }
    expect(new Set(numbers).size).toBe(4);
    for (const number of numbers) expect(number).toMatch(/^7[0-9A-F]{31}$/);
  });

  it("is taken by a TLS server and a TLS client", async () => {
    await issue(folder, "client", KUBELET, authority);
    await issue(folder, "server", SERVING, authority);
    const ca = authority.certificate;
    const server = createServer({ ca, cert: pem("server"), key: keyPem("server"), requestCert: true }, (socket) =>
      socket.end(String(socket.getPeerCertificate().subject.CN)),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const greeting = await new Promise<string>((resolve, reject) => {
      const socket: TLSSocket = connect({
        host: "127.0.0.1",
        port,
        ca,
        servername: "wasm-node",
        cert: pem("client"),
        key: keyPem("client"),
      });
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.on("end", () => resolve(text));
      socket.on("error", reject);
    }).finally(() => server.close());
    expect(greeting).toBe("system:node:wasm-node");
  });
});

describe("credentials on disk", () => {
  it("are two files that only their owner may read, and never the authority's key", async () => {
    await issue(folder, "kubelet", KUBELET, authority);
    expect(readdirSync(folder).sort()).toEqual(["kubelet.crt", "kubelet.key"]);
    for (const file of readdirSync(folder)) {
      expect((statSync(join(folder, file)).mode & 0o777).toString(8)).toBe("600");
      expect(readFileSync(join(folder, file), "utf8")).not.toContain(authority.key.split("\n")[1]);
    }
    const [own, authoritys] = [createPrivateKey(keyPem("kubelet")), createPrivateKey(authority.key)];
    expect([own.asymmetricKeyType, own.asymmetricKeyDetails?.namedCurve]).toEqual(["ec", "prime256v1"]);
    expect(createPublicKey(own).equals(createPublicKey(authoritys))).toBe(false);
  });

  it("stay as they are while they serve", async () => {
    await issue(folder, "it", SERVING, authority);
    const before = [pem("it"), keyPem("it")];
    await issue(folder, "it", SERVING, authority);
    expect([pem("it"), keyPem("it")]).toEqual(before);
  });

  it.each([
    [335, "stay", true],
    [336, "are renewed", false],
    [400, "are renewed", false],
  ])("after %d days of 365 %s", async (days, _, same) => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2031-01-01T00:00:00Z") });
    const first = await issued(KUBELET);
    vi.setSystemTime(Date.now() + days * DAY - 1);
    const second = await issued(KUBELET);
    expect(second.serialNumber === first.serialNumber).toBe(same);
    expect(second.checkPrivateKey(createPrivateKey(keyPem("it")))).toBe(true);
  });

  it.each<[string, Identity]>([
    ["another user", { ...SERVING, user: "system:node:other" }],
    ["another group", { ...SERVING, group: "system:other" }],
    ["another address", { ...SERVING, serves: ["wasm-node", "198.18.0.6"] }],
    ["a name less", { ...SERVING, serves: ["wasm-node"] }],
    ["a client instead of a server", KUBELET],
  ])("are renewed for %s", async (_, identity) => {
    const before = (await issued(SERVING)).serialNumber;
    expect((await issued(identity)).serialNumber).not.toBe(before);
  });

  it("are renewed by an authority of another name", async () => {
    await issued(KUBELET);
    const other = await createAuthority("CN=other-ca");
    const ca = new X509Certificate(other.certificate);
    expect((await issued(KUBELET, other)).verify(ca.publicKey)).toBe(true);
  });

  it("are renewed by an authority of the same name and another key, as a new cluster has", async () => {
    await issued(KUBELET);
    const ca = new X509Certificate(namesake.certificate);
    expect((await issued(KUBELET, namesake)).verify(ca.publicKey)).toBe(true);
  });

  it.each(["it.crt", "it.key"])("are renewed when %s is gone", async (file) => {
    await issued(KUBELET);
    rmSync(join(folder, file));
    expect((await issued(KUBELET)).checkPrivateKey(createPrivateKey(keyPem("it")))).toBe(true);
  });

  it.each(["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])(
    "are renewed when the certificate is %j",
    async (text) => {
      writeFileSync(join(folder, "it.crt"), text);
      writeFileSync(join(folder, "it.key"), text);
      expect((await issued(KUBELET)).checkPrivateKey(createPrivateKey(keyPem("it")))).toBe(true);
    },
  );

  it("need an authority", () => {
    expect(() => readAuthority(folder)).toThrow("ENOENT");
    writeFileSync(join(folder, "ca.crt"), authority.certificate);
    writeFileSync(join(folder, "ca.key"), authority.key);
    expect(readAuthority(folder)).toEqual(authority);
  });
});

it("a kubeconfig names the files beside it, and holds no secret itself", () => {
  const text = kubeconfig("https://198.18.0.1:6443", "kube-proxy");
  expect(text).not.toMatch(/-data|token|password|BEGIN/);
  expect(parse(text)).toEqual({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "default",
    contexts: [{ name: "default", context: { cluster: "default", user: "default" } }],
    clusters: [{ name: "default", cluster: { server: "https://198.18.0.1:6443", "certificate-authority": "ca.crt" } }],
    users: [{ name: "default", user: { "client-certificate": "kube-proxy.crt", "client-key": "kube-proxy.key" } }],
  });
});
