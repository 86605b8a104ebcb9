import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { LocalBuckets } from "./buckets";
import { ClientAddresses } from "./client";
import { DecisionLog } from "./log";
import { Metrics } from "./metrics";
import { Peers } from "./peers";
import { loadRules } from "./policy";
import { Routes } from "./routes";
import { adminServer, gateServer } from "./server";
import type { AuthorizerSettings } from "./settings";
import { SharedBuckets, type StoreEvents } from "./shared-buckets";
import { Tokens } from "./tokens";
import { ValkeyStore } from "./valkey";

/** Requests that are being answered when it stops may take so long, in milliseconds. */
const LAST_ANSWERS = 5000;

/** `authorizer <settings.json> <policy.wasm> [address]`: answers until it is told to stop. */
async function main([settingsFile = "", policyFile = "", address = "0.0.0.0"]: readonly string[]): Promise<void> {
  const settings = JSON.parse(readFileSync(settingsFile, "utf8")) as AuthorizerSettings;
  const log = new DecisionLog(settings.logSampling);
  const peers = new Peers(settings.budgets.peers, settings.replicas);
  await peers.start();
  const budgets = budgetsOf(settings, peers, {
    failed: () => metrics.storeFailed(),
    changed: (up, reason) => log.line("store", { up, ...(reason !== undefined && { reason }) }),
  });
  const tokens = settings.tokens && new Tokens(settings.tokens, settings.remembered);
  const metrics = new Metrics({
    clients: () => budgets.size,
    tokens: () => tokens?.size ?? 0,
    replicas: () => peers.replicas,
    ...(budgets instanceof SharedBuckets && { storeUp: () => budgets.up }),
  });
  if (budgets instanceof SharedBuckets) await budgets.start();
  const judge = {
    addresses: new ClientAddresses(settings.trustedProxies),
    budgets,
    policy: await loadRules(readFileSync(policyFile), settings.routes),
    routes: new Routes(settings.routes),
    tokens,
    seesAddresses: settings.seesAddresses,
  };
  let leaving = false;
  const gate = gateServer(judge, metrics, log, () => leaving);
  const admin = adminServer(metrics, () => !leaving);
  await Promise.all([listen(admin, settings.adminPort, address), listen(gate, settings.port, address)]);
  log.line("started", { port: settings.port, routes: settings.routes.length, node: process.version });

  process.once("SIGTERM", () => {
    leaving = true;
    log.line("leaving");
    setTimeout(() => {
      gate.close(() => process.exit(0));
      gate.closeIdleConnections();
      setTimeout(() => process.exit(0), LAST_ANSWERS).unref();
    }, settings.propagation);
  });
}

/** Divided among the replicas, or shared by them; then divided where the store does not answer. */
function budgetsOf({ budgets, remembered }: AuthorizerSettings, peers: Peers, events: StoreEvents) {
  const divided = new LocalBuckets(remembered, () => 1 / peers.replicas);
  if (budgets.kind === "divided") return divided;
  return new SharedBuckets(new ValkeyStore(budgets), divided, budgets.lease, remembered, events);
}

function listen(server: Server, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
