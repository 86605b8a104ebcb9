/** The value of `app.kubernetes.io/part-of` on everything that this platform makes. */
export const PART_OF = "wasm-functions";

export interface LabelArgs {
  /** What the object belongs to: a function's, tenant's or component's name. */
  readonly name: string;
  /** Its part in the platform: `function`, `tenant`, `runtime`, … */
  readonly component: string;
  /** The stack's `platform.environment`. */
  readonly environment: string;
  readonly tenant?: string;
  /** What runs, as a label value; see `versionLabel`. */
  readonly version?: string;
}

/** The labels of an object. */
export function labels(args: LabelArgs): Record<string, string> {
  return {
    ...selectorLabels(args),
    "app.kubernetes.io/managed-by": "pulumi",
    ...(args.version !== undefined && { "app.kubernetes.io/version": args.version }),
    environment: args.environment,
    ...(args.tenant !== undefined && { "wasm-functions.dev/tenant": args.tenant }),
  };
}

/**
 * The labels that select an object's pods. A selector cannot be changed, so nothing is in it that may change
 * during the object's life: no version, no environment.
 */
export function selectorLabels({ name, component }: Pick<LabelArgs, "name" | "component">): Record<string, string> {
  return {
    "app.kubernetes.io/name": name,
    "app.kubernetes.io/component": component,
    "app.kubernetes.io/part-of": PART_OF,
  };
}

/** An image's tag, or the start of its digest, in the form that a label's value may have. */
export function versionLabel(image: { readonly tag?: string; readonly digest?: string }): string {
  const text = image.tag ?? image.digest?.replace("sha256:", "").slice(0, 12) ?? "unknown";
  return text.slice(0, 63).replace(/^[^a-zA-Z0-9]+|[^a-zA-Z0-9]+$/g, "") || "unknown";
}
