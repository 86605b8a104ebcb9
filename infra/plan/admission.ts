import type { StackConfig } from "../config";
import { clamp, roundUp } from "./numbers";
import { podsThere, worstMoment } from "./demand";
import { agentCount } from "./topology";
import type { AdmissionPlan, Resources, Sized } from "./types";

const MiB = 2 ** 20;

/** What an object takes on disk, as text; a pod with its status is among the largest. An allowance. */
const BYTES_PER_OBJECT = 16 * 1024;
/** The same in memory, read for the audit, with what policies make of it. An allowance. */
const BYTES_PER_AUDITED_OBJECT = 64 * 1024;
/** Gatekeeper 3.17.0 with all policies and few objects: 107 to 124 MB of resident memory were measured. */
const BASE_MEMORY = 128 * MiB;
/**
 * CPU, in thousandths of a core: a question about a function's pod takes 11 ms (measured on a busy machine, all policies
 * together). Asked are an `up` and who works by hand; of a scale-out nothing.
 */
const WEBHOOK_CPU = 50;
/** One more while a new one starts. */
const WEBHOOK_SURGE = 1;

/** What admission takes: the audit by the cluster's size, those that answer always the same. */
export function planAdmission(config: StackConfig): AdmissionPlan {
  const { audit, requests, limits } = config.admission;
  const objects = podsThere(worstMoment(config, config.functions, agentCount(config)));
  const chunk = Math.min(objects, audit.chunkSize);
  const own = (cpu: number, memory: number): Sized => sized({ cpu, memory }, requests, limits);
  return {
    webhook: own(WEBHOOK_CPU, BASE_MEMORY),
    audit: {
      ...own(clamp(roundUp(objects / 50), 20, 100), BASE_MEMORY + chunk * BYTES_PER_AUDITED_OBJECT),
      // Each kind's objects lie in a file while they are judged.
      scratch: roundUp((objects * BYTES_PER_OBJECT) / MiB + 16) * MiB,
    },
  };
}

/** Memory twice what is reckoned, CPU many times: who is throttled answers late, and every change of an object waits. */
function sized(
  planned: Resources,
  requests: StackConfig["admission"]["requests"],
  limits: StackConfig["admission"]["limits"],
): Sized {
  const memory = roundUp(planned.memory / MiB) * MiB;
  const request = { cpu: requests.cpu ?? planned.cpu, memory: requests.memory ?? memory };
  return {
    requests: request,
    limits: {
      cpu: Math.max(request.cpu, limits.cpu ?? 2000),
      memory: Math.max(request.memory, limits.memory ?? memory * 2),
    },
  };
}

/** Pods of admission at the worst moment, and what they request. */
export function admissionDemand(config: StackConfig) {
  const { enabled, replicas } = config.admission;
  if (!enabled) return { pods: 0, cpu: 0, memory: 0, largest: { cpu: 0, memory: 0 } };
  const { webhook, audit } = planAdmission(config);
  const answering = replicas + WEBHOOK_SURGE;
  return {
    pods: answering + 1,
    cpu: answering * webhook.requests.cpu + audit.requests.cpu,
    memory: answering * webhook.requests.memory + audit.requests.memory,
    largest: {
      cpu: Math.max(webhook.requests.cpu, audit.requests.cpu),
      memory: Math.max(webhook.requests.memory, audit.requests.memory),
    },
  };
}
