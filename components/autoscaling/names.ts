/** What KEDA's manifest, its roles and the programs themselves know things by. */
export const KEDA = {
  /** Its roles and Services are made for this one. */
  namespace: "keda",
  operator: "keda-operator",
  adapter: "keda-metrics-apiserver",
  secret: "kedaorg-certs",
  apiService: "v1beta1.external.metrics.k8s.io",
  /** Where a Service of the adapter's name leads to a process at the API server's own machine, where that is one. */
  outside: "kube-system",
  /** Made by the operator, of a function's only trigger. */
  metric: "s0-prometheus",
} as const;

/** Where its pods listen. */
export const KEDA_PORTS = { api: 6443, operator: 9666, metrics: 8080, health: 8081 } as const;
