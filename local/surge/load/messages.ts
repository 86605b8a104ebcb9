/** Where requests of a load go, and how many at once. */
export interface LoadTarget {
  readonly url: string;
  /** What the gateway is called, where that is not its address. */
  readonly host?: string;
  /** A name that its certificate is for. */
  readonly servername?: string;
  /** PEM of whoever vouches for the gateway's certificate; without it, any is believed. */
  readonly ca?: string;
  /** Connections that are kept at most. */
  readonly connections: number;
  /** Requests that wait for an answer at most; what would come on top is not sent. */
  readonly waiting: number;
}

/** Latencies are kept apart by what the pods are about meanwhile. */
export type Phase = "quiet" | "scaling out" | "scaled out" | "scaling in";

/** To the process that asks. Tokens go this way alone: what is in a command line, everybody on the machine can read. */
export type ToLoad =
  | { readonly kind: "target"; readonly target: LoadTarget }
  /** One a user; each request is the next one's. */
  | { readonly kind: "tokens"; readonly tokens: readonly string[] }
  /** From now on so many requests/s; answered by what was seen since the last one. */
  | { readonly kind: "rate"; readonly rate: number; readonly phase: Phase };

/** Of answers with 2xx, from when a request was due; milliseconds. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly most: number;
}

/** What the client counted. */
export interface ClientCounts {
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests without an answer, by what happened instead. */
  readonly unanswered: Readonly<Record<string, number>>;
  /** Requests that were due while too many waited. */
  readonly unsent: number;
  /** Requests that were sent again, since their kept connection had been closed under them. */
  readonly again: number;
}

export interface LoadReport extends ClientCounts {
  /** How long it is of. */
  readonly seconds: number;
  /** Requests that were due in that time. */
  readonly due: number;
  /** Requests that wait now. */
  readonly waiting: number;
  /** Undefined where nothing was answered. */
  readonly latency: Latency | undefined;
  /** Since the beginning, not of this time alone. */
  readonly phases: Readonly<Partial<Record<Phase, Latency>>>;
}
