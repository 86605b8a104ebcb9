import { from, type AlertCases } from "./case";

/** Cores that all of a tenant's pods use. */
const used = (cores: number, tenant = "shop") =>
  from("resources", {
    [`pod_cpu_usage_seconds_total{namespace="${tenant}",pod="checkout-7d9f8b6c54-x2x4z"}`]: `0+${cores * 60}x180`,
  });

export const tenants: AlertCases = {
  TenantOverBudget: {
    fires: [
      {
        when: "it uses 120 cores of 100",
        series: used(120),
        at: "2h",
        alerts: [
          {
            labels: { severity: "ticket", tenant: "shop" },
            summary: "shop uses more CPU than its budget",
            description: "Over the last day shop used 118.0 cores on average, more than its budget.",
          },
        ],
      },
    ],
    silent: [
      { when: "it uses 90", series: used(90), at: "2h" },
      {
        when: "a flash sale of minutes uses 400",
        series: from("resources", {
          'pod_cpu_usage_seconds_total{namespace="shop",pod="checkout-7d9f8b6c54-x2x4z"}':
            "0+3000x60 180000+24000x10 420000+3000x110",
        }),
        at: "3h",
      },
      { when: "nothing was agreed", stack: "plain", series: used(120), at: "2h" },
    ],
  },
};
