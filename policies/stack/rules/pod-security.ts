import { containersOf, problemAt, workloadOf, type PodSpec } from "../kubernetes";
import { judgement, type Judged, type Report, type ResourcePolicy } from "../policy";

/** Kinds of volume that Pod Security `restricted` lets a pod have. */
const VOLUMES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
] as const;

/** Settings of the kernel that are a pod's own, as Pod Security has them. */
const SAFE_SYSCTLS = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_syncookies",
];

/** SELinux types of containers, as Pod Security has them. */
const SELINUX_TYPES = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/** What a finding says of a field: none of them is ever of use to an attacker. */
interface Rule {
  readonly field: string;
  readonly broken: boolean;
  readonly value: string;
  readonly limit: string;
  readonly fix: string;
}

/** Pod Security `restricted`, and a root file system that is read only. */
export const podSecurity: ResourcePolicy = {
  name: "pod-security",
  description: "Pods keep to Pod Security `restricted`, with a root file system that is read only.",
  judge: (resource, _facts, report) => {
    const workload = workloadOf(resource);
    if (workload === undefined) return;
    const { pod, path } = workload;
    for (const rule of [...hostRules(pod), sysctlRule(pod)]) judgement(() => tell(resource, path, rule(), report));
    judgement(() => judgeVolumes(resource, pod, path, report));
    for (const placed of containersOf(workload)) {
      for (const rule of [...containerRules(pod, placed.container), ...kernelRules(pod, placed.container)]) {
        judgement(() => tell(resource, placed.path, rule(), report));
      }
    }
  },
};

function tell(resource: Judged, path: string, { broken, field, ...rest }: Rule, report: Report): void {
  if (broken) report(problemAt(resource, `${path}.${field}`, rest));
}

function hostRules(pod: PodSpec): (() => Rule)[] {
  return (["hostNetwork", "hostPID", "hostIPC"] as const).map((field) => () => ({
    field,
    broken: pod[field] === true,
    value: "true",
    limit: "the pod would see the host, and what runs there would see it",
    fix: "leave it out",
  }));
}

function sysctlRule(pod: PodSpec): () => Rule {
  return () => {
    const unsafe = (pod.securityContext?.sysctls ?? []).map(({ name }) => name);
    const reaching = unsafe.filter((name) => !SAFE_SYSCTLS.includes(name));
    return {
      field: "securityContext.sysctls",
      broken: reaching.length > 0,
      value: reaching.join(", "),
      limit: "they reach past the pod",
      fix: "leave them out",
    };
  };
}

/** What the kernel holds a container back with, beside seccomp: a container's own setting goes before its pod's. */
function kernelRules(pod: PodSpec, { securityContext: own }: Container): (() => Rule)[] {
  const inPod = pod.securityContext;
  const limit = "what holds containers back no longer holds this one";
  const rule = (field: string, read: () => string | undefined) => () => {
    const value = read();
    return {
      field: `securityContext.${field}`,
      broken: value !== undefined,
      value: value ?? "",
      limit,
      fix: "leave it out",
    };
  };
  return [
    rule("procMount", () => ((own?.procMount ?? "Default") === "Default" ? undefined : own?.procMount)),
    rule("appArmorProfile", () => {
      const type = own?.appArmorProfile?.type ?? inPod?.appArmorProfile?.type;
      return type === "Unconfined" ? type : undefined;
    }),
    rule("windowsOptions.hostProcess", () =>
      (own?.windowsOptions?.hostProcess ?? inPod?.windowsOptions?.hostProcess) === true ? "true" : undefined,
    ),
    rule("seLinuxOptions", () => {
      const wrong = [own?.seLinuxOptions, inPod?.seLinuxOptions].find(
        (options) =>
          options !== undefined &&
          (!SELINUX_TYPES.includes(options.type ?? "") ||
            [options.user, options.role].some((text) => (text ?? "") !== "")),
      );
      return wrong && JSON.stringify(wrong);
    }),
  ];
}

function judgeVolumes(resource: Judged, pod: PodSpec, path: string, report: Report): void {
  for (const volume of pod.volumes ?? []) {
    judgement(() => {
      const kinds = Object.keys(volume).filter((key) => key !== "name");
      const wrong = kinds.filter((kind) => !(VOLUMES as readonly string[]).includes(kind));
      if (wrong.length === 0) return;
      report(
        problemAt(resource, `${path}.volumes.${volume.name}`, {
          value: wrong.join(", "),
          limit: "it reaches out of the pod, into a host or a store that others share",
          fix: `use one of ${VOLUMES.join(", ")}`,
        }),
      );
    });
  }
}

type Container = PodSpec["containers"][number];

function containerRules(pod: PodSpec, { securityContext: own, ports = [] }: Container): (() => Rule)[] {
  const inPod = pod.securityContext;
  const shown = (value: unknown) => (value === undefined ? "missing" : JSON.stringify(value));
  return [
    () => ({
      field: "securityContext.privileged",
      broken: own?.privileged === true,
      value: "true",
      limit: "it is root on the host",
      fix: "leave it out",
    }),
    () => ({
      field: "securityContext.allowPrivilegeEscalation",
      broken: own?.allowPrivilegeEscalation !== false,
      value: shown(own?.allowPrivilegeEscalation),
      limit: "a program in it could become root",
      fix: "set it to false",
    }),
    () => {
      const runAsNonRoot = own?.runAsNonRoot ?? inPod?.runAsNonRoot;
      const runAsUser = own?.runAsUser ?? inPod?.runAsUser;
      return {
        field: "securityContext.runAsNonRoot",
        broken: runAsNonRoot !== true || runAsUser === 0,
        value: runAsUser === 0 ? "user 0" : shown(runAsNonRoot),
        limit: "it may run as root",
        fix: "set it to true, and runAsUser to a user that is not 0",
      };
    },
    () => {
      const profile = own?.seccompProfile?.type ?? inPod?.seccompProfile?.type;
      return {
        field: "securityContext.seccompProfile",
        broken: profile !== "RuntimeDefault" && profile !== "Localhost",
        value: shown(profile),
        limit: "every system call of the kernel is open to it",
        fix: "set its type to RuntimeDefault, in the pod or here",
      };
    },
    () => ({
      field: "securityContext.capabilities.drop",
      broken: !(own?.capabilities?.drop ?? []).includes("ALL"),
      value: shown(own?.capabilities?.drop),
      limit: "it keeps capabilities that it has no need of",
      fix: 'drop ["ALL"]',
    }),
    () => {
      const added = (own?.capabilities?.add ?? []).filter((name) => name !== "NET_BIND_SERVICE");
      return {
        field: "securityContext.capabilities.add",
        broken: added.length > 0,
        value: added.join(", "),
        limit: "of all capabilities only NET_BIND_SERVICE may be added",
        fix: "leave them out",
      };
    },
    () => ({
      field: "securityContext.readOnlyRootFilesystem",
      broken: own?.readOnlyRootFilesystem !== true,
      value: shown(own?.readOnlyRootFilesystem),
      limit: "what breaks into it can leave something behind",
      fix: "set it to true, and mount an emptyDir where it writes",
    }),
    () => {
      const onHost = ports.filter(({ hostPort }) => (hostPort ?? 0) > 0 && pod.hostNetwork !== true);
      return {
        field: "ports",
        broken: onHost.length > 0,
        value: `hostPort ${onHost.map(({ hostPort }) => hostPort).join(", ")}`,
        limit: "it takes a port of the host, past every Service and policy",
        fix: "use a Service",
      };
    },
  ];
}
