import { anyOf } from "./promql";
import type { RulesArgs, Topic } from "./types";

/** What each tenant uses of CPU, and whether it is more than agreed. */
export function tenantsTopic({ tenants, observability }: RulesArgs): Topic {
  const budgets = Object.entries(observability.tenantBudgets);
  const names = anyOf(tenants.map(({ name }) => name));
  const used = `rate(pod_cpu_usage_seconds_total{job="resources",namespace=~"${names}"}[5m])`;
  return {
    name: "tenants",
    recordings: [
      {
        record: "tenant:cpu_cores:rate5m",
        expr: `sum by (tenant) (label_replace(${used}, "tenant", "$1", "namespace", "(.+)"))`,
      },
      { record: "tenant:cpu_cores:avg1d", expr: "avg_over_time(tenant:cpu_cores:rate5m[1d])" },
      ...budgets.map(([tenant, cpu]) => ({
        record: "tenant:cpu_cores:budget",
        expr: `vector(${cpu / 1000})`,
        labels: { tenant },
      })),
    ],
    alerts:
      budgets.length === 0
        ? []
        : [
            {
              alert: "TenantOverBudget",
              expr: "tenant:cpu_cores:avg1d > on (tenant) tenant:cpu_cores:budget",
              for: "1h",
              severity: "ticket",
              summary: "{{ $labels.tenant }} uses more CPU than its budget",
              description:
                'Over the last day {{ $labels.tenant }} used {{ $value | printf "%.1f" }} cores on average, more than its budget.',
            },
          ],
  };
}
