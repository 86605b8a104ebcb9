import { Agent, request as requestHttp, type ClientRequest } from "node:http";
import { Agent as SecureAgent, request as requestHttps } from "node:https";
import type { Socket } from "node:net";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import type { Latency, LoadReport, LoadTarget, Phase } from "./messages";

/** Milliseconds: between two looks at what is due; until an answer is given up. */
const TICK = 5;
const PATIENCE = 10_000;
/** How a connection ends that the other side has closed. */
const CLOSED: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);
/** Microseconds, three digits of which are kept. */
const HISTOGRAM = { lowest: 1, highest: 60_000_000, figures: 3 };

interface Waiting {
  /** When it was due: a client that comes late to its work lets its users wait. */
  readonly since: number;
  readonly sent: number;
  readonly phase: Phase;
  readonly token: string | undefined;
  call?: ClientRequest;
}

/**
 * Asks at a rate that may change at any time, over connections that are kept, and counts what comes of it. As browsers,
 * proxies and most languages' clients do (RFC 9112, section 9.3.1), it asks once more, on another connection, where a kept
 * one ended before anything of an answer came. It never waits for answers before it asks on: a server that is slow gets no
 * less to do, but for what is due while `waiting` are under way, which counts as not sent.
 */
export class LoadGenerator {
  private readonly agent: Agent;
  private readonly once: Agent;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly waiting = new Set<Waiting>();
  /** Connections on which something was answered: Node's own mark leaves out those that a waiting request took over. */
  private readonly used = new WeakSet<Socket>();
  private readonly phases = new Map<Phase, RecordableHistogram>();
  private readonly timer: NodeJS.Timeout;
  private tokens: readonly string[] = [];
  private turn = 0;
  private rate = 0;
  private phase: Phase = "quiet";
  private owed = 0;
  private ticked = performance.now();
  private reported = this.ticked;
  private counts = fresh();

  constructor(private readonly target: LoadTarget) {
    const { url, host, servername, ca, connections } = target;
    const secure = url.startsWith("https:");
    const tls = {
      ...(servername !== undefined && { servername }),
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
    };
    const kept = { keepAlive: true, maxSockets: connections };
    this.agent = secure ? new SecureAgent({ ...kept, ...tls }) : new Agent(kept);
    this.once = secure ? new SecureAgent(tls) : new Agent();
    this.headers = host === undefined ? {} : { host };
    this.timer = setInterval(() => this.tick(), TICK);
  }

  use(tokens: readonly string[]): void {
    this.tokens = tokens;
  }

  /** Asks so often from now on, and tells what was seen since this was last said. */
  follow(rate: number, phase: Phase): LoadReport {
    this.tick();
    // To which what is due was counted; sending it has taken its time since.
    const now = this.ticked;
    const { latency, ...counts } = this.counts;
    const report = {
      ...counts,
      seconds: (now - this.reported) / 1000,
      waiting: this.waiting.size,
      latency: latencyOf(latency),
      phases: Object.fromEntries([...this.phases].map(([name, histogram]) => [name, latencyOf(histogram)])),
    };
    this.reported = now;
    this.counts = fresh();
    this.rate = rate;
    this.phase = phase;
    return report;
  }

  close(): void {
    clearInterval(this.timer);
    this.rate = 0;
    for (const { call } of this.waiting) call?.destroy();
    this.agent.destroy();
    this.once.destroy();
  }

  /** Timers are late at times: what is due is sent all the same. */
  private tick(): void {
    const now = performance.now();
    this.owed += ((now - this.ticked) / 1000) * this.rate;
    this.ticked = now;
    for (; this.owed >= 1; this.owed--) this.ask(now, now - ((this.owed - 1) / this.rate) * 1000);
    for (const waiting of this.waiting) {
      if (now - waiting.sent < PATIENCE) break;
      waiting.call?.destroy(
        Object.assign(new Error("no answer in time"), { code: `no answer in ${PATIENCE / 1000} s` }),
      );
    }
  }

  private ask(now: number, due: number): void {
    this.counts.due += 1;
    if (this.waiting.size >= this.target.waiting) {
      this.counts.unsent += 1;
      return;
    }
    const token = this.tokens[this.turn++ % Math.max(1, this.tokens.length)];
    const asked: Waiting = { since: due, sent: now, phase: this.phase, token };
    this.waiting.add(asked);
    this.send(asked, this.agent);
  }

  private send(asked: Waiting, agent: Agent): void {
    const { url } = this.target;
    const send = url.startsWith("https:") ? requestHttps : requestHttp;
    const headers = {
      ...this.headers,
      ...(asked.token !== undefined && { authorization: `Bearer ${asked.token}` }),
    };
    const call = send(url, { agent, headers });
    asked.call = call;
    const fail = (error: NodeJS.ErrnoException) => {
      // An answer that breaks off tells of it twice.
      if (!this.waiting.delete(asked)) return;
      count(this.counts.unanswered, error.code ?? error.message);
    };
    let kept = false;
    call.on("socket", (socket) => {
      kept = this.used.has(socket);
      call.on("response", () => this.used.add(socket));
    });
    call.on("error", (error: NodeJS.ErrnoException) => {
      if (agent !== this.once && kept && CLOSED.has(error.code ?? "")) {
        this.counts.again += 1;
        this.send(asked, this.once);
      } else fail(error);
    });
    call.on("response", (response) => {
      response.resume();
      response.on("error", fail);
      response.on("end", () => {
        if (this.waiting.delete(asked)) this.answered(asked, response.statusCode ?? 0);
      });
    });
    call.end();
  }

  private answered({ since, phase }: Waiting, status: number): void {
    count(this.counts.statuses, String(status));
    if (!isServed(status)) return;
    const micros = Math.max(1, Math.round((performance.now() - since) * 1000));
    const whole = this.phases.get(phase) ?? createHistogram(HISTOGRAM);
    this.phases.set(phase, whole);
    whole.record(micros);
    this.counts.latency.record(micros);
  }
}

/** Whether an answer is what was asked for. */
export function isServed(status: number): boolean {
  return status >= 200 && status < 300;
}

function fresh() {
  return {
    ...{ due: 0, unsent: 0, again: 0 },
    statuses: {} as Record<string, number>,
    unanswered: {} as Record<string, number>,
    latency: createHistogram(HISTOGRAM),
  };
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function latencyOf(histogram: RecordableHistogram): Latency | undefined {
  if (histogram.count === 0) return undefined;
  const millis = (micros: number) => Number((micros / 1000).toFixed(2));
  const at = (percent: number) => millis(histogram.percentile(percent));
  return { count: histogram.count, p50: at(50), p99: at(99), p999: at(99.9), most: millis(histogram.max) };
}
