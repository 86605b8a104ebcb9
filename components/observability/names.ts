import type { ObservabilityConfig } from "../../infra/config";

/** Name of what has to see hosts: its pods need what Pod Security `restricted` refuses. */
export function hostsNamespaceName({ namespace }: Pick<ObservabilityConfig, "namespace">): string {
  return `${namespace}-hosts`;
}
