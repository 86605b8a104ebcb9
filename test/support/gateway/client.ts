import { Agent, request as requestHttps } from "node:https";
import { request as requestHttp, type IncomingMessage } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  /** As it goes onto the wire, nothing tidied. */
  readonly path?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
  /** Sent without a Content-Length. */
  readonly chunked?: boolean;
  readonly plain?: boolean;
  readonly agent?: Agent;
}

/** A client of a gateway that believes any certificate. */
export class GatewayClient {
  private readonly agent = new Agent({ keepAlive: true, rejectUnauthorized: false });

  constructor(
    private readonly host: string,
    private readonly ports: { readonly http: number; readonly https: number },
  ) {}

  ask({
    method = "POST",
    path = "/api/function",
    token,
    headers = {},
    body,
    chunked = false,
    plain = false,
    agent,
  }: Ask = {}): Promise<Answer> {
    const options = {
      host: this.host,
      port: plain ? this.ports.http : this.ports.https,
      method,
      path,
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && !chunked && { "Content-Length": String(Buffer.byteLength(body)) }),
        ...Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, typeof value === "string" ? value : [...value]]),
        ),
      },
      timeout: 40_000,
    };
    return new Promise((resolve, reject) => {
      const sent = plain
        ? requestHttp(options, receive)
        : requestHttps({ ...options, agent: agent ?? this.agent, rejectUnauthorized: false, servername: "" }, receive);
      sent.on("error", reject).on("timeout", () => sent.destroy(new Error("no answer in 40 s")));
      sent.end(body);
      function receive(response: IncomingMessage): void {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      }
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
