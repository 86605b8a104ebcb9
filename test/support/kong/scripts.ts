import { readFileSync } from "node:fs";
import * as path from "node:path";
import { LuaFactory } from "wasmoon";

/** A request as one of Kong's phases finds it. */
export interface StubbedRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** nginx's variables. */
  readonly vars?: Readonly<Record<string, string>>;
  readonly route?: string;
  /** What the authorizer answers, one time after the other. */
  readonly answers?: readonly (
    | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
    | { readonly failure: string }
  )[];
  /** What `math.random` gives. */
  readonly random?: number;
  /** Seconds. */
  readonly started?: number;
  readonly now?: number;
}

/** What a script did. */
export interface Seen {
  /** It answered by itself. */
  readonly exit?: { readonly status: number; readonly body: string; readonly headers: Record<string, string> };
  /** It failed, which Kong answers with 500. */
  readonly problem?: string;
  /** The request's headers after it, their names in lower case. */
  readonly headers: Record<string, string>;
  readonly asked: readonly {
    readonly uri: string;
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly keepalive: boolean;
    readonly pool?: string;
  }[];
  readonly timeouts?: readonly number[];
  readonly vars: Record<string, string>;
  readonly upstream?: string;
  readonly answered?: Record<string, string>;
}

const VARS = {
  scheme: "https",
  host: "shop.example.com",
  request_uri: "/api/function",
  upstream_uri: "/api/function",
  is_args: "",
  remote_addr: "192.0.2.7",
  realip_remote_addr: "192.0.2.7",
};

/** Runs a script of the gateway against the stub in `stub.lua`. */
export async function runScript(source: string, request: StubbedRequest): Promise<Seen> {
  // Without it, nothing can be undefined in what Lua is given.
  const lua = await new LuaFactory().createEngine({ injectObjects: true });
  try {
    await lua.doString(readFileSync(path.join(__dirname, "stub.lua"), "utf8"));
    const run = lua.global.get("run") as (source: string, request: object) => Seen;
    const { headers, ...rest } = request;
    const host = { host: "shop.example.com", ...headers };
    return run(source, { method: "POST", ...rest, headers: host, vars: { ...VARS, ...request.vars } });
  } finally {
    lua.global.close();
  }
}
