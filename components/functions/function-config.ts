import type { FunctionConfig } from "../../infra/config";
import { formatDuration } from "../../infra/units";

/** Where a function finds its `config.yaml`. */
export const CONFIG_DIR = "/etc/wasm-function";
export const CONFIG_FILE = "config.yaml";

/** Where a function finds the connection of its database: a file, so that it shows in no environment. */
export const DATABASE_DIR = "/run/secrets/database";
export const DATABASE_KEY = "url";

type Section = Readonly<Record<string, string | number>>;

/** The `config.yaml` that a function reads when it starts. Its keys are the function's interface. */
export function functionConfig(fn: FunctionConfig): string {
  return toYaml({
    server: { port: fn.server.port, host: fn.server.host, timeout: formatDuration(fn.server.timeout) },
    function: {
      max_concurrent_requests: fn.maxConcurrentRequests,
      request_timeout: formatDuration(fn.requestTimeout),
    },
    rate_limit: { requests_per_second: fn.rateLimit.requestsPerSecond, burst_size: fn.rateLimit.burst },
    health: { liveness_path: fn.health.liveness, readiness_path: fn.health.readiness },
    drain: { path: fn.drain.path, port: fn.drain.port, propagation: formatDuration(fn.drain.propagation) },
    ...(fn.database && { database: { url_file: `${DATABASE_DIR}/${DATABASE_KEY}` } }),
  });
}

/** Texts are quoted as JSON, which YAML reads as they are (`"30s"`, `"0.0.0.0"`). */
function toYaml(sections: Readonly<Record<string, Section>>): string {
  return Object.entries(sections)
    .map(([name, section]) =>
      [`${name}:`, ...Object.entries(section).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`), ""].join(
        "\n",
      ),
    )
    .join("");
}
