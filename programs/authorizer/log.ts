import type { Decision, Described } from "./decide";

/** Text of a client's in a log line: no longer than this. */
const LONGEST = 200;

/** Writes decisions as lines of JSON, never a token or a query, which may hold one. */
export class DecisionLog {
  private allowed = 0;

  /**
   * @param sampling of decisions that let a request through, one in so many is written
   * @param write takes a line, its end included
   */
  constructor(
    private readonly sampling: number,
    private readonly write: (line: string) => void = (line) => process.stdout.write(line),
  ) {}

  decision(request: Described, decision: Decision, milliseconds: number): void {
    if (decision.status === 200 && this.allowed++ % this.sampling !== 0) return;
    this.line("decision", {
      status: decision.status,
      ...("reason" in decision && { reason: decision.reason }),
      method: cut(request.method),
      host: cut(request.host),
      path: cut(request.uri.split("?", 1)[0] ?? ""),
      forwardedFor: cut(request.forwardedFor),
      ...(decision.user && { subject: decision.user.subject }),
      milliseconds: Number(milliseconds.toFixed(3)),
    });
  }

  line(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
  }
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
