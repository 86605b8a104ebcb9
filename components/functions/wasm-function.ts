import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { FunctionConfig } from "../../infra/config";
import { bufferName } from "../../infra/buffers";
import { labels, selectorLabels, versionLabel } from "../labels";
import { contentHash } from "../workload";
import { autoscalerSpec, disruptionBudgetSpec } from "./autoscaler";
import { bufferSpec } from "./buffer";
import { deploymentSpec, type DeploymentArgs, type LostNodeToleration } from "./deployment";
import { CONFIG_FILE, DATABASE_KEY, functionConfig } from "./function-config";
import { autoscalerName } from "./names";
import { databasePolicy, headlessSpec, ingressPolicy, serviceSpec, type GatewayPeer } from "./network";
import { scaledObjectSpec, type RequestSource } from "./scaled-object";

export interface WasmFunctionArgs {
  readonly fn: FunctionConfig;
  /** Goes into the `environment` label. */
  readonly environment: string;
  /** The tenant's namespace and the account in it that functions run as. */
  readonly namespace: pulumi.Input<string>;
  readonly serviceAccountName: pulumi.Input<string>;
  readonly runtimeClassName: pulumi.Input<string>;
  readonly priorityClassName: pulumi.Input<string>;
  /** Of pods that keep room for others, where the function has some. */
  readonly bufferPriorityClassName?: pulumi.Input<string> | undefined;
  readonly gateway: GatewayPeer;
  readonly lostNodeToleration: LostNodeToleration;
  /** Seconds in which the plan expects all `scaling.max` pods to be started; a rollout is given time by it. */
  readonly secondsToMax: number;
  /** Secret of the namespace to pull the image with. Default: none is needed. */
  readonly pullSecretName?: pulumi.Input<string> | undefined;
  /** Connection of the database. Default: the secret that `fn.database` names is made by someone else. */
  readonly databaseUrl?: pulumi.Input<string> | undefined;
  /** Who counts its requests, where it is scaled by them. */
  readonly requests?: RequestSource | undefined;
  /** Who scales it by them: KEDA has to be there as long as a ScaledObject is, which only its operator lets go. */
  readonly scaledBy?: pulumi.Resource | undefined;
  /** Whether DNS tells the pods' own addresses, as `<function>-pods`: how Kong finds them. Default: false. */
  readonly headless?: boolean;
}

/**
 * A function: its pods, kept ready behind a Service of its name, scaled by CPU or by requests, rolled without downtime, reached
 * from the gateway alone. Depend on the tenant, so that quota and isolation are there before the pods.
 */
export class WasmFunction extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;
  readonly serviceName: pulumi.Output<string>;
  /** Address within the cluster. */
  readonly url: pulumi.Output<string>;
  readonly deploymentName: pulumi.Output<string>;
  readonly autoscalerName: pulumi.Output<string>;
  readonly image: pulumi.Output<string>;

  constructor(name: string, args: WasmFunctionArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:functions:WasmFunction", name, {}, opts);
    const { fn } = args;
    const selector = selectorLabels({ name, component: "function" });
    const common = labels({
      name,
      component: "function",
      environment: args.environment,
      tenant: fn.tenant,
      version: versionLabel(fn.image),
    });
    const inside = { parent: this };
    const metadata = (objectName: string) => ({ name: objectName, namespace: args.namespace, labels: common });

    const configMap = createConfigMap(fn, metadata, inside);
    const database = createDatabaseSecret(args, metadata, inside);
    const pods = {
      ...args,
      selector,
      podLabels: common,
      podAnnotations: database.annotations,
      configMapName: configMap.metadata.name,
      databaseSecretName: database.secretName,
      pullSecretName: args.pullSecretName,
    };
    const deployment = new k8s.apps.v1.Deployment(
      name,
      { metadata: metadata(name), spec: deploymentSpec(pods) },
      {
        ...inside,
        // The initial count is for the first creation; from then on the autoscaler owns it.
        ignoreChanges: ["spec.replicas"],
        customTimeouts: rolloutTimeouts(fn, args.secondsToMax),
      },
    );
    // The Deployment is waited for, with the same selector. Waiting for endpoints as well would add ten seconds to every
    // `up`, and report a rollout that failed twice.
    const annotations = { "pulumi.com/skipAwait": "true" };
    const service = new k8s.core.v1.Service(
      name,
      { metadata: { ...metadata(name), annotations }, spec: serviceSpec(selector) },
      inside,
    );
    if (args.headless === true) {
      new k8s.core.v1.Service(
        `${name}-pods`,
        { metadata: { ...metadata(`${name}-pods`), annotations }, spec: headlessSpec(fn, selector) },
        inside,
      );
    }
    createBuffer(args, pods, inside);
    const autoscaler = createAutoscaler(args, metadata, inside);
    new k8s.policy.v1.PodDisruptionBudget(
      name,
      { metadata: metadata(name), spec: disruptionBudgetSpec(fn, selector) },
      inside,
    );
    const policies = {
      "from-gateway": ingressPolicy(fn, selector, args.gateway),
      ...(fn.database && { "to-database": databasePolicy(fn.database, selector) }),
    };
    for (const [policy, spec] of Object.entries(policies)) {
      new k8s.networking.v1.NetworkPolicy(
        `${name}-${policy}`,
        { metadata: metadata(`${name}-${policy}`), spec },
        inside,
      );
    }

    this.namespace = pulumi.output(args.namespace);
    this.serviceName = service.metadata.name;
    this.url = pulumi.interpolate`http://${this.serviceName}.${this.namespace}.svc.cluster.local`;
    this.deploymentName = deployment.metadata.name;
    this.autoscalerName = autoscaler;
    this.image = pulumi.output(fn.image.text);
    this.registerOutputs({
      namespace: this.namespace,
      serviceName: this.serviceName,
      url: this.url,
      deploymentName: this.deploymentName,
      autoscalerName: this.autoscalerName,
      image: this.image,
    });
  }
}

type Metadata = (name: string) => { name: string; namespace: pulumi.Input<string>; labels: Record<string, string> };

/**
 * Pods of lower priority that keep room on nodes. They are not waited for: without room for them they wait themselves.
 *
 * @throws Error where there are to be some and nobody says their priority
 */
function createBuffer(args: WasmFunctionArgs, pods: DeploymentArgs, opts: pulumi.CustomResourceOptions): void {
  const { fn, namespace, bufferPriorityClassName: priorityClassName } = args;
  if (fn.scaling.buffer === 0) return;
  if (priorityClassName === undefined) throw new Error(`${fn.name} has buffer pods, and they have no priority`);
  const name = bufferName(fn);
  const selector = selectorLabels({ name, component: "buffer" });
  const podLabels = { ...pods.podLabels, ...selector };
  const annotations = { "pulumi.com/skipAwait": "true" };
  new k8s.apps.v1.Deployment(
    name,
    {
      metadata: { name, namespace, labels: podLabels, annotations },
      // They have the database's connection too, without which they might not start, and no policy that lets them reach it.
      spec: bufferSpec({ ...pods, priorityClassName, selector, podLabels }),
    },
    opts,
  );
}

/**
 * The autoscaler, by its name: one on CPU, or that which KEDA makes of a ScaledObject.
 *
 * @throws Error where it is scaled by requests and nobody counts them
 */
function createAutoscaler(
  { fn, requests, scaledBy }: WasmFunctionArgs,
  metadata: Metadata,
  opts: pulumi.CustomResourceOptions,
) {
  if (fn.scaling.metric === "cpu") {
    const name = autoscalerName(fn);
    const spec = autoscalerSpec(fn);
    return new k8s.autoscaling.v2.HorizontalPodAutoscaler(name, { metadata: metadata(name), spec }, opts).metadata.name;
  }
  if (requests === undefined) throw new Error(`${fn.name} is scaled by requests, and nobody counts them`);
  const scaled = new k8s.apiextensions.CustomResource(
    `${fn.name}-scaled-object`,
    {
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: metadata(fn.name),
      spec: scaledObjectSpec(fn, requests),
    },
    { ...opts, ...(scaledBy && { dependsOn: [scaledBy] }) },
  );
  return scaled.urn.apply(() => autoscalerName(fn));
}

/**
 * Immutable and named by its content, in Pulumi's eyes too: a new config is a new object, and the old one is deleted
 * at the end of an `up` whose rollout succeeded. So old and new pods each mount their own config while both run, and
 * after a failed rollout the config to go back to is still there. (As a replacement under one name a revert would
 * make the old object anew and then delete it, as the replaced one.)
 */
function createConfigMap(fn: FunctionConfig, metadata: Metadata, opts: pulumi.CustomResourceOptions) {
  const content = functionConfig(fn);
  const name = `${fn.name}-config-${contentHash(content)}`;
  return new k8s.core.v1.ConfigMap(
    name,
    { metadata: metadata(name), immutable: true, data: { [CONFIG_FILE]: content } },
    opts,
  );
}

/**
 * The secret with the database's connection, where the stack has it; else the one it is to be found in. A changed
 * connection rolls the pods: the secret's version in the template says so and, unlike a hash, tells nothing about it.
 */
function createDatabaseSecret(
  { fn, databaseUrl }: WasmFunctionArgs,
  metadata: Metadata,
  opts: pulumi.CustomResourceOptions,
): { secretName: pulumi.Input<string> | undefined; annotations: Record<string, pulumi.Input<string>> } {
  if (fn.database === undefined) return { secretName: undefined, annotations: {} };
  const secretName = fn.database.secretName ?? `${fn.name}-database`;
  if (databaseUrl === undefined) return { secretName, annotations: {} };
  const secret = new k8s.core.v1.Secret(
    `${fn.name}-database`,
    { metadata: metadata(secretName), type: "Opaque", stringData: { [DATABASE_KEY]: pulumi.secret(databaseUrl) } },
    opts,
  );
  return {
    secretName: secret.metadata.name,
    annotations: { "wasm-functions.dev/database-secret-version": secret.metadata.resourceVersion },
  };
}

/**
 * Longer than a rollout may stand still, so that the API's own reason is reported; and three times what the plan
 * needs to start every pod.
 */
function rolloutTimeouts({ rollout }: FunctionConfig, secondsToMax: number): pulumi.CustomTimeouts {
  const deadline = rollout.progressDeadline / 1000;
  const seconds = Math.max(2 * deadline, deadline + Math.ceil(3 * secondsToMax));
  return { create: `${seconds}s`, update: `${seconds}s`, delete: "600s" };
}
