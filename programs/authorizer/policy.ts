import { loadPolicy } from "@open-policy-agent/opa-wasm";
import type { RouteSettings } from "./settings";

/** The document that the policy judges. */
export interface PolicyInput {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly user?: { readonly role?: string; readonly roles: readonly string[] };
  readonly rate_limit: { readonly remaining: number };
}

/** Whether a request is allowed, by the policy of package `serverless`. */
export type Policy = (input: PolicyInput) => boolean;

/** @throws when the module is no policy */
export async function loadRules(wasm: Uint8Array, routes: readonly RouteSettings[]): Promise<Policy> {
  const policy = await loadPolicy(Buffer.from(wasm));
  policy.setData({ serverless: { routes: policyData(routes) } });
  return (input) => {
    const results = policy.evaluate(input) as readonly { readonly result: unknown }[];
    return results.length === 1 && results[0]?.result === true;
  };
}

interface Rule {
  readonly methods: readonly string[];
  readonly roles: readonly string[];
  readonly host?: string;
  readonly public?: true;
}

/** The routes as the policy's data: by their path, so that it finds one among thousands at once. */
export function policyData(routes: readonly RouteSettings[]): Record<"exact" | "prefix", Record<string, Rule[]>> {
  const data = { exact: {} as Record<string, Rule[]>, prefix: {} as Record<string, Rule[]> };
  for (const { host, path, match, methods, roles, public: open } of routes) {
    (data[match][path] ??= []).push({
      methods,
      roles,
      ...(host !== undefined && { host }),
      ...(open && { public: true }),
    });
  }
  return data;
}
