import type { EngineEvent, OpType } from "@pulumi/pulumi/automation";

/** What the engine can be asked to do with a stack. */
export type Operation = "up" | "preview" | "refresh" | "destroy";

/** A resource that could not be brought to what it should be. */
export interface Failure {
  readonly resource: string;
  readonly reason: string;
}

/** What an update has done so far, kept from the engine's events. */
export class UpdateState {
  private readonly running = new Map<string, string>();
  private readonly finished = new Set<string>();
  private readonly counted = new Set<string>();
  private readonly errors = new Map<string, string[]>();
  private readonly counts = new Map<OpType, number>();
  private latest = { urn: "", text: "" };
  readonly warnings: string[] = [];
  /** Whether a policy has refused something. */
  violated = false;
  /** Resources that the program has registered; the engine alone learns of them one by one. */
  registered = 0;

  /** Takes in one event, and gives a line for a log where it ends something. */
  add(event: EngineEvent): string | undefined {
    const pre = event.resourcePreEvent?.metadata;
    if (pre && pre.op !== "same" && isShown(pre.type)) this.running.set(pre.urn, label(pre.urn));
    if (event.diagnosticEvent) this.addDiagnostic(event.diagnosticEvent);
    if (event.policyEvent) this.addViolation(event.policyEvent);
    const failed = event.resOpFailedEvent?.metadata;
    if (failed) return this.fail(failed.urn, failed.op);
    const out = event.resOutputsEvent?.metadata;
    return out ? this.finish(out.urn, out.op, out.type) : undefined;
  }

  get done(): number {
    return this.finished.size;
  }

  get total(): number {
    return Math.max(this.registered, this.finished.size + this.running.size);
  }

  /** What is being waited for, with the latest word of it. */
  get current(): string {
    const speaker = this.running.get(this.latest.urn);
    return speaker === undefined ? ([...this.running.values()][0] ?? "") : `${speaker}: ${this.latest.text}`;
  }

  /** Changes by kind; what stayed the same is not among them. */
  get changes(): Readonly<Partial<Record<OpType, number>>> {
    return Object.fromEntries(this.counts);
  }

  get failures(): Failure[] {
    return [...this.errors].map(([urn, reasons]) => ({
      resource: urn === "" ? "the program" : label(urn),
      reason: reasons.join("\n").trim(),
    }));
  }

  private finish(urn: string, op: OpType, type: string): string | undefined {
    this.running.delete(urn);
    if (isShown(type)) this.finished.add(urn);
    // In a preview the engine reports a component once more when its outputs are known.
    const step = `${op} ${urn}`;
    if (!(op in VERBS) || !isShown(type) || this.counted.has(step)) return undefined;
    this.counted.add(step);
    this.counts.set(op, (this.counts.get(op) ?? 0) + 1);
    return `${VERBS[op as keyof typeof VERBS]} ${label(urn)}`;
  }

  private fail(urn: string, op: OpType): string {
    this.running.delete(urn);
    if (!this.errors.has(urn)) this.errors.set(urn, []);
    return `failed to ${op} ${label(urn)}`;
  }

  private addDiagnostic(diagnostic: NonNullable<EngineEvent["diagnosticEvent"]>): void {
    const text = plain(diagnostic.message);
    if (text === "") return;
    const urn = diagnostic.urn ?? "";
    if (diagnostic.ephemeral || diagnostic.severity === "info") this.latest = { urn, text: text.split("\n")[0] ?? "" };
    else if (diagnostic.severity === "warning")
      this.warnings.push(urn.includes("pulumi:pulumi:Stack") || urn === "" ? text : `${label(urn)}: ${text}`);
    else if (diagnostic.severity === "error" && !isSummary(text))
      this.addError(urn.includes("::pulumi:pulumi:Stack::") ? "" : urn, text);
  }

  private addViolation(event: NonNullable<EngineEvent["policyEvent"]>): void {
    const { resourceUrn = "", policyName, message, enforcementLevel } = event;
    const text = `policy ${policyName}: ${plain(message)}`;
    if (enforcementLevel !== "mandatory") this.warnings.push(text);
    else {
      this.violated = true;
      this.addError(resourceUrn, text);
    }
  }

  private addError(urn: string, text: string): void {
    const reasons = this.errors.get(urn) ?? [];
    // What a program throws is logged where it is thrown, and once more, bare, as what ended the program.
    const known = urn === "" ? [...this.errors.values()].flat() : reasons;
    if (!known.some((reason) => bare(reason) === bare(text))) this.errors.set(urn, [...reasons, text]);
  }
}

const VERBS = {
  create: "created",
  update: "updated",
  delete: "deleted",
  replace: "replaced",
  "create-replacement": "created anew",
  "delete-replaced": "deleted the old",
  refresh: "refreshed",
} as const satisfies Partial<Record<OpType, string>>;

/** The stack itself and providers are the engine's own affairs. */
function isShown(type: string): boolean {
  return type !== "pulumi:pulumi:Stack" && !type.startsWith("pulumi:providers:");
}

/** `Deployment serverless-function` of a URN; components go by their own type. */
export function label(urn: string): string {
  const [, , types = "", name = ""] = urn.split("::");
  const type = types.split("$").pop() ?? types;
  return `${type.split(":").pop() ?? type} ${name}`;
}

/** Without the engine's colour marks. */
export function plain(message: string): string {
  return message.replace(/<\{%.*?%\}>/g, "").trim();
}

/** A thrown error's message, without its class before it and its stack after it. */
function bare(text: string): string {
  return text.replace(/^Unhandled exception: (?:\w*Error: )?/, "").replace(/(?:\n\s+at .+)+$/, "");
}

/** The engine's own closing words add nothing to the failures before them. */
function isSummary(text: string): boolean {
  return (
    /^(update|preview|destroy|refresh) (failed|canceled)$/.test(text) || text.startsWith("One or more errors occurred")
  );
}
