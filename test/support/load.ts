import { readFileSync } from "node:fs";
import { Agent, request as requestHttp } from "node:http";
import { Agent as SecureAgent, request as requestHttps } from "node:https";

/**
 * A client that asks at a steady rate, each request on a connection of its own so that every one meets whichever pod the
 * Service picks. It runs in a process of its own, inside the node's network, and tells what it saw as JSON when it is
 * told to stop (SIGTERM) or when its time is over.
 *
 *   load.ts URL REQUESTS_PER_SECOND SECONDS [CONNECTIONS]
 *
 * Its standard input has tokens, one on each line: each request shows the next one. With CONNECTIONS it keeps up to
 * so many, as a proxy in front would. As browsers, proxies and most languages' clients do (RFC 9112, section 9.3.1),
 * it asks once more, on another connection, where a kept one ended before anything of an answer came: a server that goes
 * may close it while the request is on its way. It believes any certificate.
 */
const [url = "", rate = "50", seconds = "60", connections] = process.argv.slice(2);
const tokens = readFileSync(0, "utf8").split("\n").filter(Boolean);
/** How a connection ends that the other side has closed. */
const CLOSED: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);
const keep = { keepAlive: true, maxSockets: Number(connections) };
const keptAgent = url.startsWith("https:") ? new SecureAgent({ ...keep, rejectUnauthorized: false }) : new Agent(keep);
/** Connections that a request has been sent by. */
const used = new WeakSet<object>();

export interface LoadResult {
  readonly sent: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests that got no answer, by what happened instead. */
  readonly failures: Readonly<Record<string, number>>;
  /** Requests that were asked again, since their kept connection had just been closed. */
  readonly retried: number;
  /** Milliseconds, of answered requests. */
  readonly p50: number;
  readonly p99: number;
  /** Milliseconds, the longest time in which nothing was answered. */
  readonly longestGap: number;
  /** The last 50 bodies' distinct beginnings: which versions answered. */
  readonly bodies: readonly string[];
}

const statuses: Record<string, number> = {};
const failures: Record<string, number> = {};
const latencies: number[] = [];
let lastAnswer = Date.now();
let longestGap = 0;
const bodies: string[] = [];
let sent = 0;
let retried = 0;
let open = 0;

function noteGap(): void {
  longestGap = Math.max(longestGap, Date.now() - lastAnswer);
  lastAnswer = Date.now();
}

function ask(): void {
  sent += 1;
  open += 1;
  const token = tokens[sent % tokens.length];
  send({ started: process.hrtime.bigint(), headers: token === undefined ? {} : { Authorization: `Bearer ${token}` } });
}

/** @param again - that it is sent for the second time */
function send(asked: { readonly started: bigint; readonly headers: Record<string, string> }, again = false): void {
  const end = () => {
    open -= 1;
    if (stopped && open === 0) report();
  };
  const request = url.startsWith("https:") ? requestHttps : requestHttp;
  const fresh = url.startsWith("https:") ? new SecureAgent({ rejectUnauthorized: false }) : new Agent();
  const agent = connections !== undefined && !again ? keptAgent : fresh;
  const call = request(url, { timeout: 10_000, headers: asked.headers, agent }, (response) => {
    let body = "";
    response.on("data", (chunk: Buffer) => (body += chunk.toString()));
    response.on("end", () => {
      const status = String(response.statusCode);
      noteGap();
      statuses[status] = (statuses[status] ?? 0) + 1;
      latencies.push(Number(process.hrtime.bigint() - asked.started) / 1e6);
      bodies.push(body.slice(0, 400));
      if (bodies.length > 50) bodies.shift();
      end();
    });
    response.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
  });
  const fail = (reason: string) => {
    failures[reason] = (failures[reason] ?? 0) + 1;
    end();
  };
  call.on("timeout", () => call.destroy(Object.assign(new Error("no answer in 10 s"), { code: "TIMEOUT" })));
  // Node's own `reusedSocket` is not set where a request has waited for a connection.
  let kept = false;
  call.on("socket", (socket) => {
    kept = used.has(socket);
    used.add(socket);
  });
  call.on("error", (error: NodeJS.ErrnoException) => {
    if (kept && CLOSED.has(error.code ?? "") && !again) {
      retried += 1;
      send(asked, true);
    } else {
      fail(error.code ?? error.message);
    }
  });
  call.end();
}

let stopped = false;
function stop(): void {
  if (stopped) return;
  stopped = true;
  clearInterval(timer);
  if (open === 0) report();
}

function report(): void {
  noteGap();
  const sorted = latencies.sort((a, b) => a - b);
  const at = (share: number) => Number((sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2));
  const percentiles = { p50: at(0.5), p99: at(0.99) };
  const result: LoadResult = {
    sent,
    statuses,
    failures,
    retried,
    ...percentiles,
    longestGap,
    bodies: [...new Set(bodies)],
  };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

// Timers are late at times; what is due is sent all the same.
const started = Date.now();
const timer = setInterval(() => {
  const due = ((Date.now() - started) / 1000) * Number(rate);
  while (sent < due) ask();
}, 5);
setTimeout(stop, Number(seconds) * 1000);
process.on("SIGTERM", stop);
