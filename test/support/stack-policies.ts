import { readFileSync } from "node:fs";
import * as path from "node:path";
import * as sdk from "@pulumi/policy";
import type { isExempt } from "../../policies/stack/exemptions";
import { factsOf, type Settings } from "../../policies/stack/facts";
import { packPolicies } from "../../policies/stack/pack";
import type { Registered } from "./mocks";
import { inClear, stackConfig } from "./rendered";

/** The SDK exports it and leaves it out of its types. */
const { unknownCheckingProxy } = sdk as unknown as {
  unknownCheckingProxy: (inputs: unknown) => Record<string, unknown>;
};

const LEVELS = path.resolve(__dirname, "../../policies/stack/levels");

/** What a policy said of a resource, by the policy's name. */
export interface Violation {
  readonly policy: string;
  readonly message: string;
  readonly urn: string;
}

/** An environment's config of the pack, as the engine reads it. */
export function levelsOf(environment: string): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(path.join(LEVELS, `${environment}.json`), "utf8")) as Record<string, unknown>;
}

interface JudgeOptions {
  /** Default: those of the stack's environment, which is called as the stack is. */
  readonly levels?: Readonly<Record<string, unknown>>;
  /** Of the stack's config, as it was registered with them. */
  readonly overrides?: object;
  /** Default: the pack's own exemptions. */
  readonly exempt?: typeof isExempt;
}

/**
 * Has the pack judge resources as the engine does: each by itself and in the end all, at the levels of an environment,
 * with reads of unknown values caught by the SDK's own means.
 */
export function judge(
  stack: string,
  resources: readonly Registered[],
  { levels = levelsOf(stack), overrides = {}, exempt }: JudgeOptions = {},
): Violation[] {
  const texts = Object.entries(stackConfig(stack, overrides)).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const facts = factsOf(Object.fromEntries(texts) as Record<string, string>);
  const policies = packPolicies((settings) => ({ ...facts, settings }), exempt).filter(
    ({ name }) => levels[name] !== "disabled",
  );
  const violations: Violation[] = [];
  const asked = resources.map(toAsked);
  for (const policy of policies) {
    const config = (levels[policy.name] ?? {}) as Settings;
    const getConfig = () => config;
    const reporter = (own: string) => (message: string, urn?: string) =>
      void violations.push({ policy: policy.name, message, urn: urn ?? own });
    if ("validateStack" in policy) {
      void policy.validateStack({ resources: asked, getConfig } as never, reporter(""));
    } else if (typeof policy.validateResource === "function") {
      for (const resource of asked)
        void policy.validateResource({ ...resource, getConfig } as never, reporter(resource.urn));
    }
  }
  return violations;
}

type Asked = Pick<sdk.ResourceValidationArgs & sdk.PolicyResource, "urn" | "type" | "name" | "props"> & {
  readonly opts: { readonly protect: boolean; readonly ignoreChanges: readonly string[] };
};

function toAsked({ type, name, inputs, options }: Registered): Asked {
  return {
    urn: `urn:pulumi:test::wasm-functions::${type}::${name}`,
    type,
    name,
    props: unknownCheckingProxy(inClear(inputs)),
    opts: { protect: options.protect === true, ignoreChanges: options.ignoreChanges ?? [] },
  };
}
