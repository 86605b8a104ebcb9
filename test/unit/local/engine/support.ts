import type { EngineEvent, OpType } from "@pulumi/pulumi/automation";
import type { Progress } from "../../../../local/progress";

export const STACK = "urn:pulumi:local::wasm-functions::pulumi:pulumi:Stack::wasm-functions-local";
export const PROVIDER = "urn:pulumi:local::wasm-functions::pulumi:providers:kubernetes::cluster";
export const COMPONENT = "urn:pulumi:local::wasm-functions::wasm-functions:functions:WasmFunction::checkout";
export const DEPLOYMENT =
  "urn:pulumi:local::wasm-functions::wasm-functions:functions:WasmFunction$kubernetes:apps/v1:Deployment::checkout";
export const SERVICE =
  "urn:pulumi:local::wasm-functions::wasm-functions:functions:WasmFunction$kubernetes:core/v1:Service::checkout";

type Diagnostic = NonNullable<EngineEvent["diagnosticEvent"]>;

/** Events as the engine sends them, as far as they are read. */
function event(part: Partial<EngineEvent>): EngineEvent {
  return { sequence: 0, timestamp: 0, ...part };
}

function metadata(urn: string, op: OpType, more: object = {}) {
  const type = urn.split("::")[2]?.split("$").pop() ?? "";
  return { urn, op, type, provider: "", ...more };
}

export const begins = (urn: string, op: OpType) => event({ resourcePreEvent: { metadata: metadata(urn, op) } });

export const ends = (urn: string, op: OpType, detailedDiff?: object) =>
  event({ resOutputsEvent: { metadata: metadata(urn, op, detailedDiff && { detailedDiff }) } });

export const fails = (urn: string, op: OpType) =>
  event({ resOpFailedEvent: { metadata: metadata(urn, op), status: 1, steps: 0 } });

export const says = (severity: Diagnostic["severity"], message: string, more: Partial<Diagnostic> = {}) =>
  event({ diagnosticEvent: { color: "never", severity, message, ...more } });

type Violation = NonNullable<EngineEvent["policyEvent"]>;

export const violates = (enforcementLevel: Violation["enforcementLevel"], more: Partial<Violation> = {}) =>
  event({
    policyEvent: {
      message: "<{%fg 13%}>Pods are probed.\nreadinessProbe is missing<{%reset%}>\n",
      color: "raw",
      policyName: "probes",
      policyPackName: "wasm-functions",
      policyPackVersion: "1.0.0",
      policyPackVersionTag: "1.0.0",
      enforcementLevel,
      ...more,
    },
  });

/** Progress that keeps what it is told, a line each. */
export function recordingProgress(live = false): Progress & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    live,
    lines,
    note: (text) => void lines.push(text),
    task(name, doing) {
      lines.push(`${name} begins: ${doing}`);
      return {
        update: (next) => void lines.push(`${name}: ${next}`),
        done: (outcome) => void lines.push(`${name} is done: ${outcome}`),
        fail: (reason) => void lines.push(`${name} failed: ${reason}`),
      };
    },
  };
}
