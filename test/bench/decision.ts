import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LocalBuckets } from "../../programs/authorizer/buckets";
import { ClientAddresses } from "../../programs/authorizer/client";
import { decide, type Judge } from "../../programs/authorizer/decide";
import { loadRules } from "../../programs/authorizer/policy";
import { Routes } from "../../programs/authorizer/routes";
import type { RouteSettings } from "../../programs/authorizer/settings";
import { Tokens } from "../../programs/authorizer/tokens";
import { makeIssuer } from "../unit/programs/authorizer/issuer";
import { alone, type Measurement } from "./measure";

const DECISIONS = 50_000;
const CALLERS = 8;
const USERS = 1000;
/** As many as the reference's rule has, and as a large shop may have. */
const ROUTES = 200;

/**
 * What a decision takes, without the network: the policy alone, and all of the authorizer's work on a request whose token
 * it has verified before, by one caller and by several at once.
 */
export async function measureDecisions(root: string): Promise<Measurement[]> {
  const limit = { name: "checkout", requestsPerSecond: 1e9, burst: 1e9 };
  const routes: RouteSettings[] = Array.from({ length: ROUTES }, (_, place) => ({
    path: place === 0 ? "/api/function" : `/api/function-${place}`,
    name: `route-${place}`,
    ...{ match: "exact", methods: ["POST"], public: false, roles: ["user"], limit },
  }));
  const policy = await loadRules(readFileSync(join(root, "policies/authorization/policy.wasm")), routes);
  const issuer = await makeIssuer();
  const tokens = new Tokens(issuer.settings, USERS * 2);
  const judge: Judge = {
    ...{ policy, tokens, routes: new Routes(routes), seesAddresses: true },
    addresses: new ClientAddresses([]),
    budgets: new LocalBuckets(USERS * 2, () => 1),
  };
  const all = await Promise.all(Array.from({ length: USERS }, (_, user) => issuer.token({ sub: `user-${user}` })));
  const ask = (turn: number) =>
    decide(judge, {
      route: "route-0",
      ...{ method: "POST", uri: "/api/function", host: "shop.example.com", forwardedFor: "203.0.113.9" },
      authorization: `Bearer ${all[turn % USERS] ?? ""}`,
    });
  const input = {
    ...{ method: "POST", path: "/api/function", host: "shop.example.com" },
    user: { role: "user", roles: ["user"] },
    rate_limit: { remaining: 17 },
  };
  const fresh: number[] = [];
  for (let user = 0; user < USERS; user++) fresh.push(await timed(() => ask(user)));
  for (let turn = 0; turn < DECISIONS / 5; turn++) policy(input);

  const rules: number[] = [];
  for (let turn = 0; turn < DECISIONS; turn++) {
    const started = performance.now();
    policy(input);
    rules.push(performance.now() - started);
  }
  const single: number[] = [];
  for (let turn = 0; turn < DECISIONS; turn++) single.push(await timed(() => ask(turn)));
  const several: number[] = [];
  const caller = async (first: number) => {
    for (let turn = first; turn < DECISIONS; turn += CALLERS) {
      several.push(await timed(() => ask(turn)));
      // One caller's next request comes when the others' are waiting.
      await new Promise((next) => setImmediate(next));
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, first) => caller(first)));

  const row = (name: string, samples: readonly number[], share: number, aim?: number) =>
    alone(
      `${name}, P${share}`,
      percentile(samples, share) * 1000,
      "us",
      aim === undefined ? undefined : { value: aim },
    );
  return [
    row("policy as Wasm", rules, 50, 100),
    row("policy as Wasm", rules, 99, 1000),
    row("policy as Wasm", rules, 99.9),
    row("decision, token known", single, 50, 100),
    row("decision, token known", single, 99, 1000),
    row("decision, token known", single, 99.9),
    row(`decision, ${CALLERS} callers at once`, several, 99, 1000),
    row("decision, token new (ES256)", fresh, 50),
    row("decision, token new (ES256)", fresh, 99),
  ];
}

async function timed(work: () => Promise<{ readonly status: number }>): Promise<number> {
  const started = performance.now();
  const { status } = await work();
  if (status !== 200) throw new Error(`the authorizer answered ${status}`);
  return performance.now() - started;
}

function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * share) / 100))] ?? 0;
}
