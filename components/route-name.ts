import { createHash } from "node:crypto";

/**
 * What a route is called by gateway, authorizer and metrics: it stays as long as host and path do. The gateway names the
 * route that it found when it asks, so that both judge a request by the same one however its host is spelled.
 */
export function routeName({ host, path, match }: { host?: string | undefined; path: string; match: string }): string {
  const text = `${host ?? ""}${path}`;
  const words = text
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .toLowerCase();
  const hash = createHash("sha256").update(`${match} ${text}`).digest("hex").slice(0, 6);
  return `${(words || "root").slice(0, 40)}-${hash}`;
}
