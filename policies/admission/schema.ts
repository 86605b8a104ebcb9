/** OpenAPI schemas of parameters. */
export const STRINGS = { type: "array", items: { type: "string" } } as const;

export const NUMBER = { type: "number" } as const;

export const TEXT = { type: "string" } as const;

export function listOf(properties: Readonly<Record<string, object>>) {
  return { type: "array", items: { type: "object", properties } } as const;
}
