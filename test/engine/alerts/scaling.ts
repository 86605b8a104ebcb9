import { from, type AlertCases } from "./case";

const KSM = "kube-state-metrics";
const deployment = (available: string, wanted: string) =>
  from(KSM, {
    'kube_deployment_status_replicas_available{namespace="shop",deployment="checkout"}': available,
    'kube_deployment_spec_replicas{namespace="shop",deployment="checkout"}': wanted,
  });
const autoscaler = (current: string, max: string, min = "10x60", name = "checkout") => {
  const labels = `{namespace="shop",horizontalpodautoscaler="${name}"}`;
  return from(KSM, {
    [`kube_horizontalpodautoscaler_status_current_replicas${labels}`]: current,
    [`kube_horizontalpodautoscaler_spec_max_replicas${labels}`]: max,
    [`kube_horizontalpodautoscaler_spec_min_replicas${labels}`]: min,
  });
};
const active = (values: string, name = "checkout") => {
  const labels = `namespace="shop",horizontalpodautoscaler="${name}",condition="ScalingActive",status="false"`;
  return from(KSM, { [`kube_horizontalpodautoscaler_status_condition{${labels}}`]: values });
};
const throttled = (perMinute: number) =>
  from("cadvisor", {
    'container_cpu_cfs_periods_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z",container="function"}':
      "0+6000x60",
    'container_cpu_cfs_throttled_periods_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z",container="function"}': `0+${perMinute}x60`,
    // Of the pod as a whole, beside its container.
    'container_cpu_cfs_periods_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z"}': "0+6000x60",
    'container_cpu_cfs_throttled_periods_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z"}': `0+${perMinute}x60`,
  });

const BLIND = {
  labels: { severity: "page", namespace: "shop", horizontalpodautoscaler: "checkout" },
  summary: "checkout has no metrics to scale by",
  description: "shop/checkout has had ScalingActive=false for 5m: it keeps the pods that it has, whatever the load.",
} as const;

export const scaling: AlertCases = {
  FunctionHasNoReadyPod: {
    fires: [
      {
        when: "none of its pods has been available for minutes",
        series: deployment("3 0x20", "3x20"),
        at: "5m",
        alerts: [
          {
            labels: { severity: "page", function: "checkout", tenant: "shop" },
            summary: "checkout has no ready pod",
            description:
              "Of the pods that shop/checkout should have, 0 are available, for 2m by now: each of its requests fails.",
          },
        ],
      },
      {
        when: "kube-state-metrics is rolled meanwhile, so that there are two",
        series: {
          ...deployment("0x20", "3x20"),
          ...from(KSM, {
            'kube_deployment_spec_replicas{namespace="shop",deployment="checkout",instance="new"}': "3x20",
          }),
        },
        at: "5m",
        alerts: [
          {
            labels: { severity: "page", function: "checkout", tenant: "shop" },
            summary: "checkout has no ready pod",
            description:
              "Of the pods that shop/checkout should have, 0 are available, for 2m by now: each of its requests fails.",
          },
        ],
      },
    ],
    silent: [
      { when: "it has just been created", series: deployment("0x1 3x20", "3x21"), at: "1m" },
      { when: "one pod is available in a rollout", series: deployment("1x20", "3x20"), at: "10m" },
      { when: "it is meant to have none", series: deployment("0x20", "0x20"), at: "10m" },
    ],
  },
  AutoscalerAtMax: {
    fires: [
      {
        when: "it has had its most pods for ten minutes",
        series: autoscaler("5000x60", "5000x60"),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket", namespace: "shop", horizontalpodautoscaler: "checkout" },
            summary: "checkout cannot grow any further",
            description: "shop/checkout has had its most pods, 5000, for 10m: with more load its requests get slower.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "a flash sale took it there for five minutes",
        series: autoscaler("5000x5 4000x60", "5000x60"),
        at: "5m",
      },
      { when: "it is set to a fixed number", series: autoscaler("10x60", "10x60"), at: "30m" },
    ],
  },
  AutoscalerBlind: {
    fires: [
      {
        when: "metrics have been missing for five minutes",
        series: active("0 1x20"),
        at: "10m",
        alerts: [BLIND],
      },
      {
        when: "it goes by CPU, and its function had no pods when it came: it leaves that as it is",
        series: { ...active("0 1x20"), ...autoscaler("0x20", "50x20") },
        at: "10m",
        alerts: [BLIND],
      },
    ],
    silent: [
      { when: "it has just been created and has no metrics yet", series: active("1x2 0x20"), at: "2m" },
      {
        when: "its function has no pods, since nobody asks for it",
        series: {
          ...active("0 1x20", "checkout-rps-hpa"),
          ...autoscaler("0x20", "50x20", "0x20", "checkout-rps-hpa"),
        },
        at: "10m",
      },
    ],
  },
  FunctionThrottled: {
    fires: [
      {
        when: "it waits for CPU in every third period",
        series: throttled(2000),
        at: "25m",
        alerts: [
          {
            labels: { severity: "ticket", function: "checkout", tenant: "shop" },
            summary: "checkout is held back by its CPU limit",
            description:
              "In 33.33% of the periods of the last 5m, pods of shop/checkout had used up their CPU limit and waited.",
          },
        ],
      },
    ],
    silent: [
      { when: "it waits in every fifth", series: throttled(1200), at: "25m" },
      {
        when: "a burst is over in ten minutes",
        series: {
          ...throttled(0),
          ...from("cadvisor", {
            'container_cpu_cfs_throttled_periods_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z",container="function"}':
              "0+6000x9 54000x40",
          }),
        },
        at: "10m",
      },
    ],
  },
};
