import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { FunctionConfig } from "../../infra/config";
import type { TenantQuota } from "../../infra/plan/types";
import { labels } from "../labels";
import { ALLOW_DNS, DENY_ALL } from "../network";
import { podSecurityLabels } from "../security";
import { DEVELOPER_RULES } from "./access";
import { containerLimits, quotaHard } from "./limits";
import { dockerConfig } from "./pull-secret";

const SERVICE_ACCOUNT = "functions";
const PULL_SECRET = "registry-pull";

export interface TenantArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  /** The tenant's share, from the plan. */
  readonly quota: TenantQuota;
  /** The tenant's functions: from them come its containers' default and largest resources. */
  readonly functions: readonly FunctionConfig[];
  /** The group in the cluster's identity provider that may deploy and read the functions. Default: none. */
  readonly group?: string | undefined;
  /** `user:password` by registry. Default: images need no credentials. */
  readonly pullCredentials?: pulumi.Input<Readonly<Record<string, string>>> | undefined;
  /** Protects the namespace from deletion. Default: false. */
  readonly protect?: boolean;
}

/**
 * A tenant: a namespace of its name with quota, limits, network isolation, an account for its functions and
 * access for its people. Functions must depend on it, so that nothing runs before the isolation is there.
 */
export class Tenant extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;
  /** The account that functions run as; it may do nothing, and no pod gets its token. */
  readonly serviceAccountName: pulumi.Output<string>;
  /** The secret to pull images with, where there are credentials. */
  readonly pullSecretName: pulumi.Output<string> | undefined;

  constructor(name: string, args: TenantArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:tenancy:Tenant", name, {}, opts);
    const common = labels({ name, component: "tenant", environment: args.environment, tenant: name });
    const inside = { parent: this };

    const namespace = new k8s.core.v1.Namespace(
      name,
      { metadata: { name, labels: { ...common, ...podSecurityLabels("restricted") } } },
      { ...inside, protect: args.protect ?? false },
    );
    // Its own output would be unknown to a preview without a cluster, and with it the place of everything in it.
    this.namespace = namespace.urn.apply(() => name);
    const metadata = (objectName: string) => ({ name: objectName, namespace: this.namespace, labels: common });

    new k8s.core.v1.ResourceQuota(
      `${name}-quota`,
      { metadata: metadata("tenant-quota"), spec: { hard: quotaHard(args.quota) } },
      inside,
    );
    new k8s.core.v1.LimitRange(
      `${name}-limits`,
      { metadata: metadata("container-limits"), spec: { limits: [containerLimits(args.functions)] } },
      inside,
    );
    for (const [policy, spec] of Object.entries({ "default-deny": DENY_ALL, "allow-dns": ALLOW_DNS })) {
      new k8s.networking.v1.NetworkPolicy(`${name}-${policy}`, { metadata: metadata(policy), spec }, inside);
    }

    const serviceAccount = new k8s.core.v1.ServiceAccount(
      `${name}-functions`,
      { metadata: metadata(SERVICE_ACCOUNT), automountServiceAccountToken: false },
      inside,
    );
    this.serviceAccountName = serviceAccount.metadata.name;

    if (args.group !== undefined) grantDeveloper(name, args.group, metadata("function-developer"), inside);

    this.pullSecretName =
      args.pullCredentials &&
      new k8s.core.v1.Secret(
        `${name}-pull`,
        {
          metadata: metadata(PULL_SECRET),
          type: "kubernetes.io/dockerconfigjson",
          stringData: { ".dockerconfigjson": pulumi.secret(args.pullCredentials).apply(dockerConfig) },
        },
        inside,
      ).metadata.name;

    this.registerOutputs({
      namespace: this.namespace,
      serviceAccountName: this.serviceAccountName,
      pullSecretName: this.pullSecretName,
    });
  }
}

function grantDeveloper(
  tenant: string,
  group: string,
  metadata: k8s.types.input.meta.v1.ObjectMeta & { readonly name: string },
  opts: pulumi.CustomResourceOptions,
): void {
  const role = new k8s.rbac.v1.Role(`${tenant}-developer`, { metadata, rules: DEVELOPER_RULES }, opts);
  new k8s.rbac.v1.RoleBinding(
    `${tenant}-developer`,
    {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.metadata.name },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: group }],
    },
    opts,
  );
}
