/**
 * KWOK's own settings: it makes four pods ready at a time, each waiting for the API server's answer. On a busy machine
 * thousands then stand bound for minutes (measured), where real nodes, each for itself, would have started them.
 */
export function renderKwokSettings(): object {
  return {
    apiVersion: "config.kwok.x-k8s.io/v1alpha1",
    kind: "KwokConfiguration",
    options: {
      podPlayStageParallelism: 32,
      // Where KWOK is told one setting it takes none of its defaults: these are they.
      cidr: "10.0.0.0/24",
      nodePlayStageParallelism: 4,
      nodeLeaseParallelism: 4,
      podsOnNodeSyncParallelism: 1,
      enablePodsOnNodeSyncListPager: true,
      enableDebuggingHandlers: true,
      enableProfilingHandler: true,
    },
  };
}

/**
 * When a node misses its leases, the node controller marks its pods as not ready. A kubelet that is back says that they
 * are ready again; KWOK's own stages do so for new pods only, and such pods would stay unready for ever.
 */
export function renderReadyAgainStage(): object {
  const ready = '.status.conditions.[] | select( .type == "Ready" ) | .status';
  return {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name: "pod-ready-again" },
    spec: {
      resourceRef: { apiGroup: "v1", kind: "Pod" },
      selector: {
        matchExpressions: [
          { key: ".metadata.deletionTimestamp", operator: "DoesNotExist" },
          { key: ".status.phase", operator: "In", values: ["Running"] },
          { key: ready, operator: "In", values: ["False"] },
        ],
      },
      // A kubelet looks at its pods about once in this time.
      delay: { durationMilliseconds: 1000 },
      next: {
        statusTemplate: [
          "conditions:",
          "- type: Ready",
          '  status: "True"',
          "  lastTransitionTime: {{ Now | Quote }}",
        ].join("\n"),
      },
    },
  };
}
