import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Seconds; a decision takes tens of microseconds, one whose token is new about a millisecond. */
const DECISION_BUCKETS = [0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1];

export interface Sizes {
  readonly clients: () => number;
  readonly tokens: () => number;
  readonly replicas: () => number;
  /** Whether the store of budgets answers; absent where there is none. */
  readonly storeUp?: () => boolean;
}

/** What Prometheus is told. */
export class Metrics {
  readonly registry = new Registry();
  private readonly duration: Histogram<"status">;
  private readonly failures: Counter;
  private readonly storeFailures: Counter | undefined;

  constructor(sizes: Sizes) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.duration = new Histogram({
      name: "authorizer_decision_duration_seconds",
      help: "Time from a question of the gateway to its answer, by the answer's status",
      labelNames: ["status"],
      buckets: DECISION_BUCKETS,
      registers,
    });
    this.failures = new Counter({
      name: "authorizer_failures_total",
      help: "Questions that were answered 500, since the authorizer itself failed",
      registers,
    });
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge("authorizer_clients", "Clients whose budgets are kept in memory", sizes.clients);
    gauge("authorizer_tokens", "Verified tokens that are remembered", sizes.tokens);
    gauge("authorizer_replicas", "Replicas that share the clients' budgets", sizes.replicas);
    const { storeUp } = sizes;
    if (storeUp === undefined) return;
    gauge("authorizer_store_up", "1 while the store of budgets answers, 0 while they are divided", () =>
      Number(storeUp()),
    );
    this.storeFailures = new Counter({
      name: "authorizer_store_failures_total",
      help: "Questions to the store of budgets that it refused, or did not answer in time",
      registers,
    });
  }

  decided(status: number, seconds: number): void {
    this.duration.observe({ status: String(status) }, seconds);
  }

  failed(): void {
    this.failures.inc();
  }

  storeFailed(): void {
    this.storeFailures?.inc();
  }
}
