import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { decide, type Decision, type Described, type Judge } from "./decide";
import type { DecisionLog } from "./log";
import type { Metrics } from "./metrics";

/**
 * A connection is closed after so many questions: a Service spreads connections, not requests, so that gateways which
 * keep theirs would leave a new replica idle.
 */
const QUESTIONS_PER_CONNECTION = 2000;
/** Longer than gateways keep an idle connection (Traefik 90 s), so that none is closed under a question. */
const KEEP_ALIVE = 120_000;

/** Answers the gateway: its path names the route that it found, the request is in its headers. */
export function gateServer(judge: Judge, metrics: Metrics, log: DecisionLog, isLeaving: () => boolean): Server {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE, noDelay: true }, (request, response) => {
    const started = performance.now();
    const described = describe(request);
    request.resume();
    // The gateway comes back by another connection, which finds another replica.
    if (isLeaving()) response.shouldKeepAlive = false;
    decide(judge, described).then(
      (decision) => {
        const took = performance.now() - started;
        answer(response, decision);
        metrics.decided(decision.status, took / 1000);
        log.decision(described, decision, took);
      },
      (error: unknown) => {
        metrics.failed();
        log.line("failure", { error: error instanceof Error ? error.message : String(error) });
        response.writeHead(500).end();
      },
    );
  });
  server.maxRequestsPerSocket = QUESTIONS_PER_CONNECTION;
  return server;
}

function describe({ url, headers }: IncomingMessage): Described {
  const one = (name: string) => String(headers[name] ?? "");
  return {
    route: (url ?? "").replace(/^\//, ""),
    method: one("x-forwarded-method"),
    uri: one("x-forwarded-uri"),
    host: one("x-forwarded-host"),
    forwardedFor: one("x-forwarded-for"),
    authorization: headers.authorization,
  };
}

function answer(response: ServerResponse, decision: Decision): void {
  if (decision.status === 200) {
    const { user } = decision;
    response.writeHead(200, user && { "X-User-Subject": user.subject, "X-User-Roles": user.roles.join(",") }).end();
    return;
  }
  const { status, reason, retryAfter } = decision;
  const body = JSON.stringify({ error: reason });
  response
    .writeHead(status, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
      "Cache-Control": "no-store",
      ...(status === 401 && { "WWW-Authenticate": `Bearer error="invalid_token", error_description="${reason}"` }),
      ...(retryAfter !== undefined && { "Retry-After": retryAfter }),
    })
    .end(body);
}

/** Health and metrics, apart from what gateways reach. */
export function adminServer(metrics: Metrics, isReady: () => boolean): Server {
  return createServer((request, response) => {
    switch (request.url) {
      case "/livez":
        response.writeHead(200).end("ok\n");
        break;
      case "/readyz":
        response.writeHead(isReady() ? 200 : 503).end(isReady() ? "ok\n" : "leaving\n");
        break;
      case "/metrics":
        metrics.registry.metrics().then(
          (text) => response.writeHead(200, { "Content-Type": metrics.registry.contentType }).end(text),
          () => response.writeHead(500).end(),
        );
        break;
      case undefined:
      default:
        response.writeHead(404).end();
    }
  });
}
