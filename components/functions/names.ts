import type { FunctionConfig } from "../../infra/config";

/**
 * The autoscaler of a function, whoever makes it: this program, or KEDA of its ScaledObject. Each has a name of its own, so that
 * neither finds the other's in its place while one takes over from the other.
 */
export function autoscalerName({ name, scaling }: Pick<FunctionConfig, "name" | "scaling">): string {
  return scaling.metric === "rps" ? `${name}-rps-hpa` : `${name}-hpa`;
}
