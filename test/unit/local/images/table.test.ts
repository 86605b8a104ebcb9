import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseImage } from "../../../../infra/addresses";
import { DEFAULT_IMAGES, TOOL_VERSIONS } from "../../../../infra/versions";
import {
  ADMISSION_IMAGES,
  IMAGES,
  imagesOf,
  MONITORING_IMAGES,
  readFiles,
  type AssembledImage,
} from "../../../../local/images/table";
import { readStackFile } from "../../../../local/engine/stack-file";
import { ensureRootFs } from "../../../../local/node/root-fs";
import { createWorkshop, type Workshop } from "../../../support/tool-workshop";
import { createRootFsWorkshop } from "../node/support";

const ROWS = Object.entries<AssembledImage>({ ...IMAGES, ...MONITORING_IMAGES, ...ADMISSION_IMAGES });

describe("the table of assembled images", () => {
  it.each(ROWS)("%s is named in full, pinned, and runs as a user that is not root", (_, image) => {
    expect(parseImage(image.reference)).toHaveProperty("ok");
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(image.entrypoint[0]).toMatch(/^\//);
    expect(image.source).not.toBe("");
  });

  it("names each image once", () => {
    expect(new Set(ROWS.map(([, { reference }]) => reference)).size).toBe(ROWS.length);
  });

  it("has the versions that are built, under the names that their publishers give them", () => {
    expect(ROWS.map(([name, { reference, entrypoint }]) => [name, reference, entrypoint])).toEqual([
      ["pause", "docker.io/rancher/mirrored-pause:3.6", ["/pause", "-P"]],
      ["coredns", `registry.k8s.io/coredns/coredns:v${TOOL_VERSIONS.coredns}`, ["/coredns"]],
      [
        "metricsServer",
        `registry.k8s.io/metrics-server/metrics-server:v${TOOL_VERSIONS["metrics-server"]}`,
        ["/metrics-server"],
      ],
      ["traefik", `docker.io/library/traefik:v${TOOL_VERSIONS.traefik}`, ["/usr/local/bin/traefik"]],
      ["node", DEFAULT_IMAGES.node, ["/usr/local/bin/node"]],
      ["prometheus", "quay.io/prometheus/prometheus:v3.16.0", ["/bin/prometheus"]],
      ["alertmanager", "quay.io/prometheus/alertmanager:v0.28.1", ["/bin/alertmanager"]],
      ["loki", "docker.io/grafana/loki:3.4.2", ["/usr/bin/loki"]],
      ["collector", "docker.io/otel/opentelemetry-collector-contrib:0.160.0", ["/otelcol-contrib"]],
      ["kubeStateMetrics", "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.13.0", ["/kube-state-metrics"]],
      ["nodeExporter", "quay.io/prometheus/node-exporter:v1.9.0", ["/bin/node_exporter"]],
      ["gatekeeper", "docker.io/openpolicyagent/gatekeeper:v3.17.0", ["/manager"]],
    ]);
  });

  it("has images under the references that stacks take by default", () => {
    const references = Object.values<string>(DEFAULT_IMAGES);
    for (const { reference } of Object.values(MONITORING_IMAGES)) expect(references).toContain(reference);
  });

  it("has Gatekeeper's under the reference that the stack with pods that run takes", () => {
    const { admission } = readStackFile(path.resolve(__dirname, "../../../.."), "real").config;
    expect(admission.image?.text).toBe(ADMISSION_IMAGES.gatekeeper.reference);
  });

  it("gives those of observability and of admission only to a stack that has them", () => {
    const [off, on] = [{ enabled: false }, { enabled: true }];
    const always = Object.values<AssembledImage>(IMAGES);
    expect(imagesOf({ observability: off, admission: off })).toEqual(always);
    expect(imagesOf({ observability: on, admission: off })).toEqual([...always, ...Object.values(MONITORING_IMAGES)]);
    expect(imagesOf({ observability: off, admission: on })).toEqual([...always, ...Object.values(ADMISSION_IMAGES)]);
  });
});

/** Lists packages, or the libraries of a program as ldd does. */
const CHROOT_WITH_LDD = `#!/bin/sh
echo "chroot $*" >>"$FAKE_LOG"
cat <<END
	linux-vdso.so.1 (0x00007ffd8a5f2000)
	libc.so.6 => /lib/libc.so.6 (0x00007f1c0a600000)
	/lib64/ld-linux.so.2 (0x00007f1c0a8f9000)
END
`;

function write(file: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, "bytes");
}

describe("files of an image", () => {
  let shop: Workshop;
  beforeEach(() => (shop = createWorkshop()));
  afterEach(() => shop.remove());

  it("of a program are the program itself in the cache, where its entrypoint looks for it", async () => {
    const env = { ...shop.env, FAKE_GO_PRINTS: `CoreDNS-${TOOL_VERSIONS.coredns}\n${TOOL_VERSIONS.coredns}` };
    const files = await IMAGES.coredns.files(shop.options({ env }));
    expect(Object.keys(files)).toEqual(IMAGES.coredns.entrypoint);
    const [file = ""] = Object.values(files);
    expect(fs.lstatSync(file).isFile()).toBe(true);
    expect(file.startsWith(fs.realpathSync(shop.paths.cache))).toBe(true);
  });

  it("of a Debian package are its program and the libraries of that Debian, by the paths at which it looks for them", async () => {
    const debian = createRootFsWorkshop();
    try {
      debian.onPath("chroot", CHROOT_WITH_LDD);
      const root = await ensureRootFs("monitoring", debian.options());
      const libraries = { "/lib64/ld-linux.so.2": "usr/lib/ld-2.41.so", "/lib/libc.so.6": "usr/lib/libc.so.6" };
      for (const target of Object.values(libraries)) write(path.join(root, target));
      for (const folder of ["lib", "lib64"]) fs.mkdirSync(path.join(root, folder), { recursive: true });
      for (const [link, target] of Object.entries(libraries)) fs.symlinkSync(`../${target}`, path.join(root, link));
      const templates = ["default.tmpl", "email.tmpl", "no-ui/index.html", "no-ui/favicon.ico"].map(
        (file) => `/usr/share/prometheus/alertmanager/${file}`,
      );
      expect(await MONITORING_IMAGES.alertmanager.files(debian.options())).toEqual({
        "/bin/alertmanager": path.join(root, "usr/bin/prometheus-alertmanager"),
        "/lib64/ld-linux.so.2": path.join(root, "usr/lib/ld-2.41.so"),
        "/lib/libc.so.6": path.join(root, "usr/lib/libc.so.6"),
        ...Object.fromEntries(templates.map((file) => [file, path.join(root, file)])),
      });
      expect(debian.calls().at(-1)).toBe(`chroot ${root} ldd /usr/bin/prometheus-alertmanager`);
    } finally {
      debian.remove();
    }
  });

  it("are read by their paths in the image", () => {
    const file = path.join(shop.folder, "program");
    fs.writeFileSync(file, "bytes");
    expect(readFiles({ "/bin/program": file })).toEqual([{ path: "/bin/program", content: Buffer.from("bytes") }]);
  });
});
