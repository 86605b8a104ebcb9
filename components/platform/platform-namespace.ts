import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labels } from "../labels";
import { ALLOW_DNS, DENY_ALL } from "../network";
import { podSecurityLabels } from "../security";

export interface PlatformNamespaceArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  /** Protects the namespace from deletion. Default: false. */
  readonly protect?: boolean;
  /** What its pods are held to. Default: restricted. */
  readonly podSecurity?: "restricted" | "privileged";
}

/**
 * A namespace of the platform's own: its pods are held to a level of Pod Security, and nothing comes in or goes out but
 * names of DNS, until a component lets it.
 */
export class PlatformNamespace extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;

  constructor(name: string, args: PlatformNamespaceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:platform:PlatformNamespace", name, {}, opts);
    const common = labels({ name, component: "platform", environment: args.environment });
    const namespace = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      { metadata: { name, labels: { ...common, ...podSecurityLabels(args.podSecurity ?? "restricted") } } },
      { parent: this, protect: args.protect ?? false },
    );
    // Its own output would be unknown to a preview without a cluster, and with it the place of everything in it.
    this.namespace = namespace.urn.apply(() => name);
    for (const [policy, spec] of Object.entries({ "default-deny": DENY_ALL, "allow-dns": ALLOW_DNS })) {
      new k8s.networking.v1.NetworkPolicy(
        `${name}-${policy}`,
        { metadata: { name: policy, namespace: this.namespace, labels: common }, spec },
        { parent: this },
      );
    }
    this.registerOutputs({ namespace: this.namespace });
  }
}
