import { readFileSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import type { ManifestObject } from "../../components/manifest";
import program from "../../infra/index";
import { SECRET_KEYS } from "../../infra/config";
import { register, type MockOptions, type Registered } from "./mocks";

const ROOT = path.resolve(__dirname, "../..");

/** The stacks that the repository has a file of. */
export const STACKS = ["local", "real", "dev", "prod"] as const;

/** What a stack's config is where its file says nothing. */
export function projectDefaults(): Record<string, unknown> {
  const { config } = readYaml("Pulumi.yaml") as { config: Record<string, { readonly default?: unknown }> };
  return Object.fromEntries<unknown>(
    Object.entries(config).flatMap(([key, { default: value }]) => (value === undefined ? [] : [[key, value]])),
  );
}

/** A stack's config as the engine hands it on: the project's defaults under the stack's own values. */
export function stackConfig(stack: string, overrides: object = {}): Record<string, unknown> {
  const { config } = readYaml(`Pulumi.${stack}.yaml`) as { config: Record<string, unknown> };
  const own = Object.entries(config).map(([key, value]) => [key.replace("wasm-functions:", ""), value]);
  return { ...projectDefaults(), ...(Object.fromEntries(own) as object), ...overrides };
}

function readYaml(file: string): unknown {
  return parse(readFileSync(path.join(ROOT, file), "utf8"));
}

/** Runs the program for a stack as a preview does, on a mocked engine. */
export function registerStack(stack: string, overrides: object = {}, options: MockOptions = {}) {
  return register(program, {
    stack,
    config: stackConfig(stack, overrides),
    secretKeys: SECRET_KEYS,
    preview: true,
    ...options,
  });
}

/** Every object that the program makes in a stack's cluster. */
export async function renderStack(stack: string, overrides: object = {}): Promise<readonly ManifestObject[]> {
  const { resources } = await registerStack(stack, overrides);
  return objectsOf(resources);
}

/** The Kubernetes objects among resources, with secrets in clear: what they hold here is the mocks' own. */
export function objectsOf(resources: readonly Registered[]): readonly ManifestObject[] {
  return resources
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs }) => inClear(inputs) as ManifestObject);
}

/** Inputs with their secrets unwrapped. */
export function inClear(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inClear);
  if (typeof value !== "object" || value === null) return value;
  const record = value as Record<string, unknown>;
  const keys = Object.keys(record);
  if (keys.length === 1 && keys[0] === "secret") return inClear(record["secret"]);
  return Object.fromEntries(Object.entries(record).map(([key, item]) => [key, inClear(item)]));
}
