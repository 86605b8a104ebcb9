import { formatBytes, formatCpu, parseBytes, parseCpu, type Parsed } from "../../../infra/units";
import { keepsRoomFor } from "../../../infra/buffers";
import type { Facts } from "../facts";
import { containersOf, inputsOf, nameOf, problemAt, workloadOf, type Container, type Placed } from "../kubernetes";
import { ifKnown, judgement, type Judged, type Report, type ResourcePolicy } from "../policy";
import { isTenants } from "./images";

/** What every container asks for and is limited to. */
const SIZED = ["cpu", "memory", "ephemeral-storage"];

/** Each container of a workload, each judged by itself. */
function eachContainer(resource: Judged, judge: (placed: Placed, ends: boolean) => void): void {
  const workload = workloadOf(resource);
  for (const placed of workload ? containersOf(workload) : []) judgement(() => judge(placed, workload!.ends));
}

export const containerResources: ResourcePolicy = {
  name: "container-resources",
  description: "Containers have requests and limits; a function's stay within what the plan has counted for it.",
  judge: (resource, facts, report) => {
    const tenant = ifKnown(() => isTenants(facts, resource)) ?? false;
    eachContainer(resource, ({ container, path }) => {
      for (const kind of ["requests", "limits"] as const) {
        const amounts = container.resources?.[kind] ?? {};
        for (const name of SIZED.filter((amount) => !isAmount(amounts[amount]))) {
          report(
            problemAt(resource, `${path}.resources.${kind}.${name}`, {
              value: amounts[name] ?? "missing",
              limit: "neither scheduler nor quota can count on it, and a neighbour may starve",
              fix: "set it to what the container was measured to need",
            }),
          );
        }
      }
      if (tenant) judgeBounds(resource, container, path, facts, report);
    });
  },
};

/** For Kubernetes a limit of 0 is none. */
function isAmount(quantity: string | undefined): boolean {
  return Number.parseFloat(String(quantity)) > 0;
}

/** A function's container asks for no more than its config, from which the quotas and the agents follow. */
function judgeBounds(resource: Judged, container: Container, path: string, facts: Facts, report: Report): void {
  const name = nameOf(resource);
  const fn =
    facts.config.functions.find((candidate) => candidate.name === name) ?? keepsRoomFor(facts.config.functions, name);
  if (fn === undefined) {
    report(
      problemAt(resource, "metadata.name", {
        value: name,
        limit: "is no function of the stack's config, so the plan has no room for it",
        fix: "make it a function of the config",
      }),
    );
    return;
  }
  const { cpu, memory } = fn.resources.limits;
  const bounds = {
    cpu: { counted: formatCpu(cpu), fits: (text: string) => isAtMost(parseCpu(text), cpu) },
    memory: { counted: formatBytes(memory), fits: (text: string) => isAtMost(parseBytes(text), memory) },
  };
  for (const [quantity, { counted, fits }] of Object.entries(bounds)) {
    const text = ifKnown(() => container.resources?.limits?.[quantity]);
    if (text === undefined || fits(text)) continue;
    report(
      problemAt(resource, `${path}.resources.limits.${quantity}`, {
        value: text,
        limit: `the plan has counted ${counted} for ${fn.name}`,
        fix: `raise functions.${fn.name}.resources.limits.${quantity}, and the plan with it`,
      }),
    );
  }
}

function isAtMost(value: Parsed<number>, most: number): boolean {
  return "ok" in value && value.ok <= most;
}

export const probes: ResourcePolicy = {
  name: "probes",
  description: "Pods that serve are probed; WebAssembly pods by HTTP, as no program can be started in them.",
  judge: (resource, facts, report) => {
    const tenant = ifKnown(() => isTenants(facts, resource)) ?? false;
    eachContainer(resource, ({ container, path, init, sidecar }, ends) => {
      if (!init && !ends) {
        for (const probe of neededProbes(container, tenant, sidecar)) {
          report(
            problemAt(resource, `${path}.${probe}`, {
              value: "missing",
              limit: "requests go to pods that cannot answer, or a hung one is never started anew",
              fix: `give the container a ${probe}`,
            }),
          );
        }
        judgeSame(resource, container, path, report);
      }
      if (tenant) judgeExec(resource, container, path, report);
    });
  },
};

function neededProbes(container: Container, tenant: boolean, sidecar: boolean): string[] {
  const needed = sidecar
    ? (["livenessProbe"] as const)
    : ([...(tenant ? (["startupProbe"] as const) : []), "readinessProbe", "livenessProbe"] as const);
  return needed.filter((probe) => container[probe] === undefined);
}

function judgeSame(resource: Judged, { livenessProbe, readinessProbe }: Container, path: string, report: Report): void {
  if (livenessProbe === undefined || JSON.stringify(livenessProbe) !== JSON.stringify(readinessProbe)) return;
  report(
    problemAt(resource, `${path}.livenessProbe`, {
      value: "is the readinessProbe",
      limit: "a pod that is only busy would be started anew",
      fix: "ask another endpoint, or allow more failures",
    }),
  );
}

function judgeExec(resource: Judged, container: Container, path: string, report: Report): void {
  const hooks = {
    startupProbe: container.startupProbe?.exec,
    readinessProbe: container.readinessProbe?.exec,
    livenessProbe: container.livenessProbe?.exec,
    "lifecycle.preStop": container.lifecycle?.preStop?.exec,
    "lifecycle.postStart": container.lifecycle?.postStart?.exec,
  };
  for (const [name, exec] of Object.entries(hooks)) {
    if (exec === undefined) continue;
    report(
      problemAt(resource, `${path}.${name}.exec`, {
        value: "a command",
        limit: "a WebAssembly container has no shell and no program to start",
        fix: "use httpGet",
      }),
    );
  }
}

export const wasmRuntimeClass: ResourcePolicy = {
  name: "wasm-runtime-class",
  description: "Functions run in the RuntimeClass of WebAssembly, and only they.",
  judge: (resource, facts, report) => {
    const workload = workloadOf(resource);
    if (workload === undefined) return;
    const tenant = isTenants(facts, resource);
    const found = workload.pod.runtimeClassName;
    const { runtimeClassName } = facts.admission;
    if (tenant === (found === runtimeClassName)) return;
    report(
      problemAt(resource, `${workload.path}.runtimeClassName`, {
        value: found ?? "missing",
        limit: tenant
          ? "functions run as WebAssembly alone: in a container they would be neither as small nor as walled in"
          : "only functions are WebAssembly: nothing else starts in it",
        fix: tenant ? `set it to ${runtimeClassName}` : "leave it out",
      }),
    );
  },
};

export const serviceAccountTokens: ResourcePolicy = {
  name: "service-account-tokens",
  description: "No pod is given a token of the cluster's API unasked, a function none at all.",
  judge: (resource, facts, report) => {
    judgement(() => {
      const account = inputsOf(resource, "kubernetes:core/v1:ServiceAccount");
      if (account) judgeMount(resource, account.automountServiceAccountToken, "", report);
    });
    judgement(() => {
      const workload = workloadOf(resource);
      if (workload) judgeMount(resource, workload.pod.automountServiceAccountToken, `${workload.path}.`, report);
    });
    judgement(() => {
      const workload = workloadOf(resource);
      for (const { name, projected } of workload?.pod.volumes ?? []) {
        const asks = (projected?.sources ?? []).some(({ serviceAccountToken }) => serviceAccountToken !== undefined);
        if (!asks || !isTenants(facts, resource)) continue;
        report(
          problemAt(resource, `${workload!.path}.volumes.${name}`, {
            value: "serviceAccountToken",
            limit: "whoever breaks into the pod has its account's token",
            fix: "leave it out: functions have no business with the API",
          }),
        );
      }
    });
  },
};

/** @param at - what the field's path begins with */
function judgeMount(resource: Judged, mounts: boolean | undefined, at: string, report: Report): void {
  if (mounts === false) return;
  report(
    problemAt(resource, `${at}automountServiceAccountToken`, {
      value: mounts === undefined ? "missing" : "true",
      limit: "whoever breaks into the pod has its account's token",
      fix: "set it to false; what asks the API mounts a projected token that expires",
    }),
  );
}
