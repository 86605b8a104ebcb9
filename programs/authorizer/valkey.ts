import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { Redis } from "iovalkey";
import type { Limit, StoreSettings } from "./settings";
import type { Grant, Store } from "./shared-buckets";

/** For how long a connection may be made, and then a password be verified, in milliseconds; no request waits for that. */
const CONNECT_BOUND = 1000;

/**
 * A bucket is one number: the microsecond of the server's clock at which it will be full again. So an idle client's
 * key ends by itself, and taking is one atomic step. A clock that went back, or a burst that was lowered, leaves a
 * bucket empty at worst, not in debt.
 */
const SCRIPT = `
local burst, needed, share = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local cost = 1000000 / tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local missing = math.max(0, tonumber(redis.call('GET', KEYS[1]) or 0) - now) / cost
local tokens = math.max(0, burst - missing)
local granted = math.min(math.floor(tokens + 0.000001), math.max(needed, math.floor(tokens * share)))
local left = math.max(0, tokens - granted)
if granted > 0 then
  local wait = (burst - left) * cost
  redis.call('SET', KEYS[1], string.format('%.0f', now + wait), 'PX', math.ceil(wait / 1000))
end
return {granted, string.format('%.6f', left)}
`;
const DIGEST = createHash("sha1").update(SCRIPT).digest("hex");

/** Budgets in one Valkey server, of version 7.2 or newer: all that it is asked is one script on one key. */
export class ValkeyStore implements Store {
  private readonly password: string;
  private client: Redis | undefined;

  /** @throws where the password's file cannot be read */
  constructor(private readonly settings: StoreSettings) {
    this.password = readFileSync(settings.passwordFile, "utf8").replace(/\r?\n$/, "");
  }

  async open(lost: () => void): Promise<void> {
    this.close();
    const { host, port, username, tls } = this.settings;
    const client = new Redis({
      host,
      port,
      ...(tls && { tls: { ...tls } }),
      // Any address that the name has, IPv6 included.
      family: 0,
      connectTimeout: CONNECT_BOUND,
      commandTimeout: CONNECT_BOUND,
      keepAlive: 10_000,
      // Who asks decides when to try again, and waits for no connection.
      lazyConnect: true,
      retryStrategy: () => null,
      enableOfflineQueue: false,
      // It would ask INFO, which a user with few rights may not.
      enableReadyCheck: false,
    });
    this.client = client;
    let reason: Error | undefined;
    client.on("error", (error: Error) => (reason ??= error));
    client.once("end", () => {
      if (this.client === client) lost();
    });
    try {
      await client.connect();
    } catch (error) {
      throw reason ?? error;
    }
    // Not by the client's options: it would go on where the server wants no password, and tell of a wrong one too late.
    await client.auth(username ?? "default", this.password);
  }

  close(): void {
    const { client } = this;
    this.client = undefined;
    client?.disconnect();
  }

  async lease(limit: Limit, client: string, needed: number, share: number): Promise<Grant> {
    const { requestsPerSecond, burst } = limit;
    const reply = await this.evaluate(this.keyOf(limit, client), [requestsPerSecond, burst, needed, share]);
    const [granted, left] = Array.isArray(reply) ? reply.map(Number) : [];
    if (!Number.isInteger(granted) || !Number.isFinite(left)) throw new Error("the store answered something else");
    return { granted: granted!, left: left! };
  }

  private async evaluate(key: string, values: readonly number[]): Promise<unknown> {
    const { client } = this;
    if (client === undefined) throw new Error("there is no connection");
    try {
      return await client.evalsha(DIGEST, 1, key, ...values);
    } catch (error) {
      // A server that was started anew does not know it.
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return client.eval(SCRIPT, 1, key, ...values);
    }
  }

  /** Who reads the store learns of no client: a plain digest of an address would be found by trying all of them. */
  private keyOf(limit: Limit, client: string): string {
    const digest = createHmac("sha256", this.password).update(client).digest("base64url").slice(0, 22);
    return `${this.settings.prefix}:${limit.name}:${digest}`;
  }
}
