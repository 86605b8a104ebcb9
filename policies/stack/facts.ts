import { admissionFacts } from "../../infra/admission-facts";
import { parseConfig, SECRET_KEYS, SECRET_PRESENT, type StackConfig } from "../../infra/config";
import { planStack } from "../../infra/plan";
import type { Plan } from "../../infra/plan/types";
import type { AdmissionFacts } from "../admission/policy";

/** What the policies know of the stack beside its resources. */
export interface Facts {
  readonly config: StackConfig;
  readonly plan: Plan;
  /** Values that no plain text may hold. Never told. */
  readonly secrets: readonly string[];
  /** What Gatekeeper's constraints of the stack are made of: an intent of both sides rests on the same. */
  readonly admission: AdmissionFacts;
  /** The pack's config for the policy that asks. */
  readonly settings: Settings;
}

/** What the pack can be told beside the levels of its policies, by environment. */
export interface Settings {
  /** `stack-budget`: the most hosts, servers and agents together. Default: no limit. */
  readonly hosts?: number;
  /** `gateway-tls`: whether the gateway may make a certificate of its own. Default: false. */
  readonly selfSigned?: boolean;
}

/** Shorter texts are found in everything: no secret of this platform is as short. */
const SHORTEST_SECRET = 8;

/**
 * The facts of a stack, from its config as the engine hands it on.
 *
 * @param texts - by key without its namespace; what is no text comes as JSON
 * @param secrets - texts, of whatever key, that the engine keeps as secrets; those of `SECRET_KEYS` are such anyway
 * @throws ProblemsError where the config is not valid or its plan cannot hold: the program says the same
 */
export function factsOf(
  texts: Readonly<Record<string, string>>,
  { settings = {}, secrets = [] }: { readonly settings?: Settings; readonly secrets?: readonly string[] } = {},
): Facts {
  const entries = Object.entries(texts);
  const config = parseConfig(Object.fromEntries(entries.flatMap(([key, text]) => plainValue(key, text))));
  const known = [...entries.filter(([key]) => isSecret(key)).map(([, text]) => text), ...secrets];
  return {
    config,
    plan: planStack(config),
    secrets: known.flatMap((text) => secretTexts(parseJson(text) ?? text)),
    admission: admissionFacts(config),
    settings,
  };
}

function isSecret(key: string): boolean {
  return (SECRET_KEYS as readonly string[]).includes(key);
}

/** A secret's marker in its place, as `parseConfig` asks for it. */
function plainValue(key: string, text: string): [string, unknown][] {
  const value = parseJson(text) ?? text;
  if (!isSecret(key)) return [[key, value]];
  if (typeof value === "object") {
    return [[key, Object.fromEntries(Object.keys(value).map((name) => [name, SECRET_PRESENT]))]];
  }
  return value === "" ? [] : [[key, SECRET_PRESENT]];
}

function secretTexts(value: unknown): string[] {
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(secretTexts);
  const text = typeof value === "string" ? value.trim() : "";
  return text.length < SHORTEST_SECRET ? [] : [text];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
