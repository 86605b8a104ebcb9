import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { alertmanagerConfig } from "../../components/observability/alertmanager-config";
import { hostsNamespaceName } from "../../components/observability/names";
import { PROMETHEUS_FOLDER, prometheusConfig } from "../../components/observability/prometheus-config";
import { ruleFile, ruleGroups } from "../../components/observability/rules";
import type { StackConfig } from "../../infra/config";
import { planStack } from "../../infra/plan";
import { readStackFile } from "../../local/engine/stack-file";
import { ensureRootFs } from "../../local/node/root-fs";
import { projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { run } from "../../local/run";
import { ensureTools } from "../../local/tools/resolve";
import { ROOT_ENV, withinRoot } from "../support/root-program";
import { prodConfig } from "../unit/infra/support";

const REPOSITORY = resolve(__dirname, "../..");
const OPTIONS = { paths: projectPaths(REPOSITORY), progress: silentProgress };
const TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount";
const folder = mkdtempSync(join(tmpdir(), "wasm-watching-"));
afterAll(() => rmSync(folder, { recursive: true }));

const stack = (name: string) => readStackFile(REPOSITORY, name).config;
const kong = () =>
  prodConfig({
    gateway: { kind: "kong" },
    functions: [{ name: "checkout", scaling: { max: 100 }, workload: { peakRequestsPerSecond: 500 } }],
    observability: { metrics: { replicas: 2 } },
  });
const STACKS: readonly (readonly [string, () => StackConfig])[] = [
  ...["local", "dev", "prod", "real"].map((name) => [`the stack ${name}`, () => stack(name)] as const),
  ["Kong, and two of each", kong],
];

function prometheusOf(config: StackConfig) {
  const { observability, functions, gateway, cluster, platform } = config;
  return prometheusConfig({
    ...{ observability, functions, gateway, clusterKind: cluster.kind, environment: platform.environment },
    hostsNamespace: hostsNamespaceName(observability),
    alertmanager: { service: "alertmanager-pods", replicas: observability.metrics.replicas },
  });
}

describe("what Prometheus is told", () => {
  let promtool: string;

  beforeAll(async () => {
    ({ promtool } = await ensureTools(["promtool"], OPTIONS));
  });

  /** The config's files are beside it: promtool looks whether they are there, and into the rules. */
  async function check(config: object, rules: string): Promise<string> {
    for (const [file, text] of Object.entries({ "rules.yaml": rules, token: "", "ca.crt": "" })) {
      writeFileSync(join(folder, file), text);
    }
    const file = join(folder, "prometheus.yaml");
    writeFileSync(file, stringify(config).replaceAll(PROMETHEUS_FOLDER, folder).replaceAll(TOKEN, folder));
    return run(promtool, ["check", "config", file]);
  }

  it.each(STACKS)("is a config to promtool: %s", async (_, config) => {
    const rules = ruleFile(ruleGroups({ ...config(), plan: planStack(config()) }));
    await expect(check(prometheusOf(config()), rules)).resolves.toMatch(/SUCCESS: .*valid/);
  });

  it("is told from what is none", async () => {
    const config = prometheusOf(stack("dev"));
    const [first] = config.scrape_configs;
    const wrong = { ...config, scrape_configs: [{ ...first, relabel_configs: [{ action: "forget" }] }] };
    await expect(check(wrong, "groups: []")).rejects.toThrow('unknown relabel action "forget"');
  });
});

/** Why amtool cannot run here, as it is Debian's in a root file system of its own. */
const NO_AMTOOL =
  process.platform !== "linux" ? "this is not Linux" : process.getuid?.() !== 0 ? "this is not root" : undefined;

if (NO_AMTOOL !== undefined) {
  process.stderr.write(`\nSKIPPED: the tests with amtool, since ${NO_AMTOOL}. Alertmanager's config is not checked.\n`);
}

/** By Debian's amtool, of the version that the official image has here. */
describe.skipIf(NO_AMTOOL)("what Alertmanager is told", () => {
  let rootFs: string;
  const out = join(folder, "out");

  beforeAll(async () => {
    rootFs = await ensureRootFs("monitoring", OPTIONS);
    mkdirSync(out);
  });

  function check(config: object): Promise<string> {
    writeFileSync(join(out, "alertmanager.yaml"), stringify(config));
    const command = withinRoot(rootFs, out, "amtool check-config /out/alertmanager.yaml");
    return run("unshare", command, { env: ROOT_ENV });
  }

  const addresses = ["198.51.100.1/32"];
  const everyKind = () =>
    prodConfig({
      observability: {
        receivers: [
          { name: "pager", kind: "pagerduty", severities: ["page"], addresses },
          { name: "chat", kind: "slack", channel: "#shop", addresses },
          { name: "hook", severities: ["ticket"], addresses },
          { name: "heart", url: "http://beat.example.com:8080/", severities: ["heartbeat"], addresses },
        ],
      },
      alertReceivers: { pager: "<secret>", chat: "<secret>", hook: "<secret>" },
    });

  it.each([...STACKS, ["receivers of every kind", everyKind] as const])(
    "is a config to amtool: %s",
    async (_, config) => {
      const { observability } = config();
      const said = await check(alertmanagerConfig(observability));
      expect(said).toContain("SUCCESS");
      expect(said).toContain(`${observability.receivers.length + 1} receivers`);
      expect(said).toContain("2 inhibit rules");
    },
  );

  it("is told from what is none", async () => {
    const config = alertmanagerConfig(everyKind().observability);
    await expect(check({ ...config, receivers: [] })).rejects.toThrow('undefined receiver "pager"');
  });
});
