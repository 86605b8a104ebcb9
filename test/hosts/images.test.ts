import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostCommand } from "../../components/cluster/host-script";
import { DEFAULT_K3S_VERSION } from "../../infra/versions";
import { assembleImage, type ReadyImage } from "../../local/images/assemble";
import { K3S_IMAGES } from "../../local/images/table";
import { bootHosts, CANNOT_RUN, hostTools, leftovers, type Host, type Hosts } from "../support/hosts/hosts";
import { publishK3s, type PublishedK3s } from "../support/hosts/releases";
import { serve, type HostServer } from "../support/hosts/server";

const FOLDER = "/var/lib/rancher/k3s/agent/images";

/** That K3s's pods run from it, life.test.ts proves. */
describe.skipIf(CANNOT_RUN)("a host without a registry", () => {
  const served = mkdtempSync(join(tmpdir(), "served-"));
  let hosts: Hosts;
  let host: Host;
  let downloads: HostServer;
  /** What has to be ended, in the order in which it was started. */
  const ends: (() => Promise<void>)[] = [];
  let release: PublishedK3s;

  beforeAll(async () => {
    const options = hostTools();
    const images: ReadyImage[] = [];
    for (const image of K3S_IMAGES) images.push(await assembleImage(image, options));
    release = await publishK3s(served, DEFAULT_K3S_VERSION, images);
    hosts = await bootHosts([{ name: "server-1" }], { tools: options });
    ends.push(() => hosts.stop());
    host = hosts.get("server-1");
    downloads = await serve(hosts.machine, served, []);
    ends.push(downloads.close);
  }, 900_000);

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    rmSync(served, { recursive: true, force: true });
    expect(await leftovers()).toEqual([]);
  });

  const archive = () => release.images?.path.split("/").pop() ?? "";

  function install(settings: Readonly<Record<string, string>> = {}): Promise<string> {
    const url = `${downloads.url}/k3s/${encodeURIComponent(DEFAULT_K3S_VERSION)}`;
    const sums = `${url}/sha256sum-amd64.txt`;
    const all = { URL: `${url}/${archive()}`, SUMS_URL: sums, ARCHIVE: archive(), ...settings };
    return host.ssh(hostCommand("install-images", all, "deploy"), "deploy");
  }

  it("is given no archive whose sum is another, and nothing of it stays", async () => {
    const other = `${downloads.url}/k3s/${encodeURIComponent(DEFAULT_K3S_VERSION)}/k3s`;
    await expect(install({ URL: other })).rejects.toThrow(
      `has SHA-256 ${release.sha256}, not ${release.images?.sha256}: refused, nothing was installed`,
    );
    await expect(install({ ARCHIVE: "unknown.tar.zst" })).rejects.toThrow("has no sum of unknown.tar.zst");
    expect(await host.run("find /var/lib/rancher -type f; ls /tmp | grep ^tmp. || true")).toBe("");
  });

  it("is given the archive of K3s's images, once", async () => {
    await install();
    expect(await host.run(`cd ${FOLDER} && sha256sum *`)).toBe(`${release.images?.sha256}  ${archive()}\n`);
    const loaded = () => downloads.requests.filter((path) => path.endsWith(archive())).length;
    expect(loaded()).toBe(1);
    await install();
    expect(loaded()).toBe(1);
    // What has been damaged is loaded again.
    await host.run(`echo damaged >>${FOLDER}/${archive()}`);
    await install();
    expect(loaded()).toBe(2);
    expect(await host.run(`find ${FOLDER} /var/lib/rancher/k3s/agent -type f`)).toBe(
      `${FOLDER}/${archive()}\n`.repeat(2),
    );
  });
});
