import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import * as rpc from "@pulumi/pulumi/runtime/rpc";
import { build, type Plugin } from "esbuild";
import { stringify } from "yaml";
import type { StackConfig } from "../../infra/config";
import { readIfExists, writeFileAtomic } from "../files";
import type { Paths } from "../paths";
import { installPlugin } from "./plugins";

/** Of the program's source: a project of the tests' own has no copy of it. */
const SOURCE = resolve(__dirname, "../..");
/** Without a language host the engine asks a plugin of this name to start a pack; ours is beside this file. */
const RUNTIME = "wasm-functions";
const LAUNCHER = { kind: "analyzer", name: `policy-${RUNTIME}`, version: "1.0.0" } as const;

/** Where the engine finds the pack, in the words of its operations. */
export interface PolicyPack {
  readonly policyPacks: string[];
  readonly policyPackConfigs: string[];
}

/**
 * Makes the policy pack ready for the engine, at the levels of the stack's environment: as one script, since compiling its
 * sources anew takes longer than a whole preview.
 */
export async function preparePolicyPack(
  paths: Paths,
  { platform }: Pick<StackConfig, "platform">,
): Promise<PolicyPack> {
  const source = join(SOURCE, "policies", "stack");
  const folder = join(paths.pulumiHome, "policy-pack");
  const { outputFiles } = await build({
    absWorkingDir: SOURCE,
    entryPoints: [join(source, "index.ts")],
    bundle: true,
    platform: "node",
    target: "node20",
    minify: true,
    plugins: [smallSdk],
    write: false,
    logLevel: "silent",
  });
  writeIfNew(join(folder, "index.js"), outputFiles[0]?.text ?? "");
  writeIfNew(join(folder, "package.json"), readIfExists(join(source, "package.json")) ?? "");
  writeIfNew(join(folder, "PulumiPolicy.yaml"), stringify({ runtime: RUNTIME }));
  await installPlugin(paths, LAUNCHER, join(__dirname, `pulumi-analyzer-policy-${RUNTIME}`));
  const levels = join(source, "levels", `${platform.environment}.json`);
  return { policyPacks: [folder], policyPackConfigs: existsSync(levels) ? [levels] : [] };
}

/**
 * The policy SDK loads all of Pulumi's, automation and closures included, for a few classes and words: without the rest a
 * pack starts in half the time. Its outputs it asks for only to refuse them.
 */
const smallSdk: Plugin = {
  name: "small-sdk",
  setup(bundler) {
    bundler.onResolve({ filter: /^@pulumi\/pulumi(?:\/runtime\/rpc)?$/ }, () => ({
      path: "sdk",
      namespace: "small-sdk",
    }));
    bundler.onLoad({ filter: /^sdk$/, namespace: "small-sdk" }, () => {
      const { specialSigKey, specialAssetSig, specialArchiveSig, specialSecretSig } = rpc;
      const words = JSON.stringify({ specialSigKey, specialAssetSig, specialArchiveSig, specialSecretSig });
      const contents = `Object.assign(exports, ${words}, {
        asset: require("@pulumi/pulumi/asset"),
        Output: { isInstance: () => false },
      });`;
      return { contents, resolveDir: SOURCE };
    });
  },
};

function writeIfNew(file: string, text: string): void {
  if (readIfExists(file) !== text) writeFileAtomic(file, text);
}
