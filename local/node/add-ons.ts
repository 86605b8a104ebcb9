import { metricsApi, READING_ARGS } from "../control-plane/metrics-server";
import type { ClusterNetwork } from "./k3s-agent";

/** What K3s itself brings into a cluster before anyone deploys to it: DNS, and CPU and memory for autoscalers. */
export function addOns(
  images: { readonly coredns: string; readonly metricsServer: string },
  network: ClusterNetwork,
): object[] {
  return [...networkPolicyController(), ...coreDns(images.coredns, network), ...metricsServer(images.metricsServer)];
}

const NAMESPACE = "kube-system";

/** What both add-ons' containers are held to; both run as their image's own user. */
const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

/** The rights of the node's NetworkPolicy controller: it reads what policies are made of. */
function networkPolicyController(): object[] {
  const name = "system:kube-router";
  return [
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name },
      rules: [
        reading([""], ["namespaces", "pods", "services", "nodes", "endpoints"]),
        reading(["networking.k8s.io"], ["networkpolicies"]),
        reading(["discovery.k8s.io"], ["endpointslices"]),
      ],
    },
    binding(name, { kind: "User", name, apiGroup: "rbac.authorization.k8s.io" }),
  ];
}

const COREFILE = `.:53 {
  errors
  health {
    lameduck 5s
  }
  ready
  kubernetes cluster.local in-addr.arpa {
    pods insecure
    ttl 30
  }
  prometheus :9153
  cache 30
  loop
  reload
  loadbalance
}
`;

/** It answers for the cluster's own names alone: the node has no way to any other name server. */
function coreDns(image: string, { clusterDns }: ClusterNetwork): object[] {
  const name = "coredns";
  const labels = { "k8s-app": "kube-dns" };
  const role = "system:coredns";
  return [
    ...serviceAccount(name),
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: role },
      rules: [reading([""], ["services", "pods", "namespaces"]), reading(["discovery.k8s.io"], ["endpointslices"])],
    },
    binding(role, { kind: "ServiceAccount", name, namespace: NAMESPACE }),
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: NAMESPACE }, data: { Corefile: COREFILE } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "kube-dns", namespace: NAMESPACE, labels },
      spec: {
        selector: labels,
        clusterIP: clusterDns,
        ports: [
          { name: "dns", port: 53, protocol: "UDP" },
          { name: "dns-tcp", port: 53, protocol: "TCP" },
          { name: "metrics", port: 9153, protocol: "TCP" },
        ],
      },
    },
    deployment(name, labels, {
      priorityClassName: "system-cluster-critical",
      serviceAccountName: name,
      // Its own names would come from itself.
      dnsPolicy: "Default",
      containers: [
        {
          name,
          image,
          args: ["-conf", "/etc/coredns/Corefile"],
          ports: [
            { containerPort: 53, name: "dns", protocol: "UDP" },
            { containerPort: 53, name: "dns-tcp", protocol: "TCP" },
          ],
          resources: { requests: { cpu: "100m", memory: "70Mi" }, limits: { memory: "170Mi" } },
          readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 2 },
          livenessProbe: { httpGet: { path: "/health", port: 8080 }, periodSeconds: 10, failureThreshold: 3 },
          // Port 53 is below 1024; the runtime lets any user have it (enable_unprivileged_ports).
          securityContext: CONTAINER_SECURITY,
          volumeMounts: [{ name: "config", mountPath: "/etc/coredns", readOnly: true }],
        },
      ],
      volumes: [{ name: "config", configMap: { name } }],
    }),
  ];
}

function metricsServer(image: string): object[] {
  const name = "metrics-server";
  const labels = { "k8s-app": name };
  const role = "system:metrics-server";
  const account = { kind: "ServiceAccount", name, namespace: NAMESPACE };
  return [
    ...serviceAccount(name),
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: role },
      rules: [{ apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] }, reading([""], ["pods", "nodes"])],
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: {
        name: "system:aggregated-metrics-reader",
        labels: {
          "rbac.authorization.k8s.io/aggregate-to-view": "true",
          "rbac.authorization.k8s.io/aggregate-to-edit": "true",
          "rbac.authorization.k8s.io/aggregate-to-admin": "true",
        },
      },
      rules: [reading(["metrics.k8s.io"], ["pods", "nodes"])],
    },
    binding(role, account),
    binding("system:auth-delegator", account, "metrics-server:system:auth-delegator"),
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: "metrics-server-auth-reader", namespace: NAMESPACE },
      roleRef: {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "Role",
        name: "extension-apiserver-authentication-reader",
      },
      subjects: [account],
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: NAMESPACE, labels },
      spec: { selector: labels, ports: [{ name: "https", port: 443, targetPort: "https" }] },
    },
    deployment(name, labels, {
      priorityClassName: "system-cluster-critical",
      serviceAccountName: name,
      containers: [
        {
          name,
          image,
          args: [
            "--cert-dir=/tmp",
            "--secure-port=10250",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            "--kubelet-use-node-status-port",
            // Kubelets serve with certificates of the cluster's own authority.
            "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
            ...READING_ARGS,
          ],
          ports: [{ containerPort: 10250, name: "https", protocol: "TCP" }],
          resources: { requests: { cpu: "100m", memory: "70Mi" } },
          readinessProbe: { httpGet: { path: "/readyz", port: "https", scheme: "HTTPS" }, periodSeconds: 2 },
          livenessProbe: { httpGet: { path: "/livez", port: "https", scheme: "HTTPS" }, periodSeconds: 10 },
          securityContext: CONTAINER_SECURITY,
          volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
        },
      ],
      volumes: [{ name: "tmp", emptyDir: {} }],
    }),
    // As upstream and K3s have it: metrics-server signs its own certificate.
    metricsApi({ name, namespace: NAMESPACE }),
  ];
}

function deployment(name: string, labels: Record<string, string>, podSpec: object): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: NAMESPACE, labels },
    spec: {
      replicas: 1,
      revisionHistoryLimit: 0,
      // One at a time: there is one node, and no reason to pay for two.
      strategy: { type: "Recreate" },
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec },
    },
  };
}

function serviceAccount(name: string): object[] {
  return [{ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: NAMESPACE } }];
}

function reading(apiGroups: string[], resources: string[]): object {
  return { apiGroups, resources, verbs: ["get", "list", "watch"] };
}

function binding(role: string, subject: object, name = role): object {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
    subjects: [subject],
  };
}
