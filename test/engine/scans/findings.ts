import type { ManifestObject } from "../../../components/manifest";
import type { Accepted } from "./accepted";

export type Scanner = Accepted["scanner"];

/** What a scanner has against one object. */
export interface Finding {
  readonly scanner: Scanner;
  readonly check: string;
  /** As `Deployment gateway/authorizer`. */
  readonly object: string;
  readonly stack: string;
}

export function nameOf({ kind, metadata }: ManifestObject): string {
  return `${kind} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}

export interface Judged {
  /** Findings that nothing accepts, each once, with the stacks that it is in. */
  readonly open: readonly string[];
  /** What is accepted and was not found: it can go. */
  readonly unused: readonly string[];
}

/** Holds findings against what is accepted. */
export function judge(findings: readonly Finding[], accepted: readonly Accepted[]): Judged {
  const used = new Set<string>();
  const open = new Map<string, Set<string>>();
  for (const { scanner, check, object, stack } of findings) {
    const entry = accepted.find(
      (one) => one.scanner === scanner && one.check === check && (one.on === "everything" || one.on.includes(object)),
    );
    if (entry) used.add(keyOf(entry, entry.on === "everything" ? "everything" : object));
    else {
      const line = `${scanner} ${check}: ${object}`;
      open.set(line, (open.get(line) ?? new Set()).add(stack));
    }
  }
  const keys = accepted.flatMap((entry) =>
    entry.on === "everything" ? [keyOf(entry, entry.on)] : entry.on.map((object) => keyOf(entry, object)),
  );
  return {
    open: [...open].map(([line, stacks]) => `${line} (${[...stacks].join(", ")})`).sort(),
    unused: keys.filter((key) => !used.has(key)),
  };
}

function keyOf({ scanner, check }: Accepted, object: string): string {
  return `${scanner} ${check}: ${object}`;
}

/** As kube-score prints it; `grade` is 10 where all is well. */
interface Scored {
  readonly type_meta: { readonly kind: string };
  readonly object_meta: { readonly name: string; readonly namespace?: string };
  readonly checks: readonly {
    readonly check: { readonly id: string };
    readonly grade: number;
    readonly skipped: boolean;
  }[];
}

export function kubeScoreFindings(stack: string, printed: string): Finding[] {
  return (JSON.parse(printed) as readonly Scored[]).flatMap(({ type_meta, object_meta, checks }) =>
    checks
      .filter(({ grade, skipped }) => !skipped && grade < 10)
      .map(({ check: { id: check } }) => {
        const object = `${type_meta.kind} ${object_meta.namespace ? `${object_meta.namespace}/` : ""}${object_meta.name}`;
        return { scanner: "kube-score", check, object, stack };
      }),
  );
}

/** As kubeconform prints it. */
interface Conformed {
  readonly resources: readonly {
    readonly kind: string;
    readonly name: string;
    readonly status: "statusValid" | "statusInvalid" | "statusError" | "statusSkipped";
    readonly msg: string;
    readonly validationErrors?: readonly { readonly path: string; readonly msg: string }[];
  }[];
}

/** Each is its own check: no two invalid objects are wrong in the same way by rule. */
export function kubeconformFindings(stack: string, printed: string): Finding[] {
  return (JSON.parse(printed) as Conformed).resources
    .filter(({ status }) => status !== "statusValid")
    .map(({ kind, name, msg }) => ({ scanner: "kubeconform", check: msg, object: `${kind} ${name}`, stack }));
}
