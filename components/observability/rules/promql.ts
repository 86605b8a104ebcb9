import type { FunctionConfig } from "../../../infra/config";
import { buffered, bufferName } from "../../../infra/buffers";

/** Small pieces of PromQL that more than one topic writes. */

/** One of these, as the value of `=~`: names are DNS labels, in which nothing is special but a dot. */
export function anyOf(names: readonly string[]): string {
  return names.map((name) => name.replaceAll(".", "\\\\.")).join("|");
}

/** Of a pod's name, what it belongs to: the Deployment's or DaemonSet's name before the random parts, which have no vowels. */
const OWNER = "(.+?)(?:-[bcdf-hj-np-tv-z0-9]{6,10})?-[bcdf-hj-np-tv-z0-9]{5}";

/** Adds `workload`, from the label `pod`. */
export function withWorkload(expr: string): string {
  return `label_replace(${expr}, "workload", "$1", "pod", "${OWNER}")`;
}

/** Adds `function` and `tenant`, from the label that has the function's name and from its namespace. */
export function asFunction(expr: string, from: "deployment" | "workload"): string {
  return `label_replace(label_replace(${expr}, "function", "$1", "${from}", "(.+)"), "tenant", "$1", "namespace", "(.+)")`;
}

/** A part of a whole, 0 where there is no whole: what does not happen does not fail. */
export function share(part: string, whole: string): string {
  return `${part} / (${whole} > 0) or ${whole} * 0`;
}

/** A bucket's limit in the label `le`: whole numbers are "1.0" to Prometheus 3, and "1" to what wrote them. */
export function bucketLimit(limit: number): string {
  const text = limit < 1e-4 ? limit.toExponential().replace(/e-(\d)$/, "e-0$1") : String(limit);
  return Number.isInteger(limit) ? `le=~"${text}(\\\\.0)?"` : `le="${text}"`;
}

/** Selects, beside others, what is not of pods that keep room for a function's; nothing where no function has some. */
export function withoutBuffers(functions: readonly FunctionConfig[], label: string, ending = ""): string {
  const names = buffered(functions).map(bufferName);
  return names.length === 0 ? "" : `,${label}!~"(${anyOf(names)})${ending}"`;
}
