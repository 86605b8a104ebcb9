import * as path from "node:path";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { K3sCluster } from "../components/cluster/k3s-cluster";
import { WasmFunction } from "../components/functions/wasm-function";
import { WasmRuntime } from "../components/runtime/wasm-runtime";
import { Tenant } from "../components/tenancy/tenant";
import { clusterAccess } from "./cluster-access";
import type { K3sClusterConfig } from "./config";
import {
  byName,
  functionOutputs,
  gatewayOutputs,
  observabilityOutputs,
  of,
  planOutputs,
  tenantOutputs,
  type StackOutputs,
} from "./outputs";
import { guarding, webhookAccess } from "./guarding";
import { readManifest } from "./manifests";
import { buffered } from "./buffers";
import { planStack } from "./plan";
import { readConfig } from "./read-config";
import { scalesByRequests } from "./plan/autoscaling";
import { readable, report } from "./report";
import { metricsAccess, requestSource, scaling } from "./scaling";
import { tokenKeys } from "./token-keys";
import { assertUpgradePath, installedVersion } from "./upgrade-path";
import { MANIFESTS } from "./versions";
import { watching } from "./watching";
import { wayIn } from "./way-in";

/**
 * Pulumi's entry: config, plan, components, outputs. It does nothing when imported, so that several `up`s in one
 * process each register everything; the runtime calls what it exports.
 *
 * @throws RunError when the config is not valid, the plan cannot hold its targets, or there is no cluster for an `up`.
 */
export = async function program(): Promise<StackOutputs> {
  const { config, secrets } = readable(readConfig);
  const plan = readable(() => planStack(config));
  const projectRoot = path.dirname(__dirname);
  const preview = pulumi.runtime.isDryRun();
  const { cluster, gateway } = config;
  if (cluster.kind === "k3s") {
    const installed = await installedVersion();
    readable(() => assertUpgradePath(installed, cluster.version));
  }
  const { kubeconfig, sshKeys, snapshotStorage } = secrets;
  const makeCluster = (cluster: K3sClusterConfig) =>
    new K3sCluster("k3s", { config, cluster, plan, sshKeys, snapshotStorage }).kubeconfig;
  const access = clusterAccess({ cluster: config.cluster, kubeconfig, sshKeys, makeCluster, projectRoot, preview });
  const { keys, warning: keysWarning } = tokenKeys(config, projectRoot, preview);
  const metallb =
    gateway.entry.kind === "metallb" ? readable(() => readManifest(MANIFESTS.metallb, projectRoot)) : undefined;
  const gatekeeper = config.admission.enabled
    ? readable(() => readManifest(MANIFESTS.gatekeeper, projectRoot))
    : undefined;
  const keda = scalesByRequests(config) ? readable(() => readManifest(MANIFESTS.keda, projectRoot)) : undefined;
  const { target, warning: webhookWarning } = webhookAccess(config, projectRoot, preview);
  const metrics = metricsAccess(config, projectRoot, preview);
  const warnings = [access.warning, keysWarning, webhookWarning, metrics.warning];
  await report({ config, plan, warnings, preview });

  const { environment, protect } = config.platform;
  const provider = new k8s.Provider("cluster", {
    kubeconfig: access.kubeconfig,
    ...(access.context !== undefined && { context: access.context }),
    // A new address or port of the same cluster must replace nothing.
    clusterIdentifier: access.identifier,
    enableServerSideApply: true,
    // A rotated credential changes its secret in place: replaced, it would be missed by pods that start meanwhile.
    enableSecretMutable: true,
  });

  const admission = guarding({ config, plan, manifest: gatekeeper, target }, { provider });
  const guarded = { provider, dependsOn: admission ? [admission] : [] };

  const { agentLabels } = plan.topology;
  const buffers = buffered(config.functions).length > 0;
  const runtime = new WasmRuntime(
    "wasm-runtime",
    { environment, runtime: config.runtime, agentLabels, buffers },
    guarded,
  );

  const scaled = scaling({ config, manifest: keda, target: metrics.target, guarded });

  const tenants = byName(config.tenants, ({ name, group }) => {
    const functions = config.functions.filter((fn) => fn.tenant === name);
    const { pullCredentials } = secrets;
    const quota = of(plan.quotas, name);
    return new Tenant(name, { environment, protect, quota, functions, group, pullCredentials }, guarded);
  });

  const { notReadyTolerationSeconds, unreachableTolerationSeconds } = plan.controlPlane.apiServer;
  const functions = byName(config.functions, (fn) => {
    const tenant = of(tenants, fn.tenant);
    return new WasmFunction(
      fn.name,
      {
        fn,
        environment,
        namespace: tenant.namespace,
        serviceAccountName: tenant.serviceAccountName,
        pullSecretName: tenant.pullSecretName,
        runtimeClassName: runtime.runtimeClassName,
        priorityClassName: runtime.priorityClassName,
        bufferPriorityClassName: runtime.bufferPriorityClassName,
        gateway: { namespace: gateway.namespace, name: gateway.kind },
        lostNodeToleration: { notReady: notReadyTolerationSeconds, unreachable: unreachableTolerationSeconds },
        secondsToMax: of(plan.scaleOut, fn.name).secondsToMax,
        databaseUrl: secrets.databaseUrls[fn.name],
        headless: gateway.kind === "kong",
        requests: requestSource(config, fn),
        scaledBy: scaled,
      },
      { provider, dependsOn: [tenant] },
    );
  });

  const apiGateway = wayIn({ config, plan, secrets, keys, metallb, runtime, tenants, deployed: functions, guarded });
  const observability = watching({ config, plan, secrets, runtime, guarded });

  return {
    environment,
    gateway: gatewayOutputs(apiGateway, gateway.namespace),
    ...(observability && { observability: observabilityOutputs(observability, config.observability.namespace) }),
    functions: byName(config.functions, ({ name }) => functionOutputs(of(functions, name))),
    tenants: byName(config.tenants, ({ name }) => tenantOutputs(of(tenants, name), of(plan.quotas, name))),
    plan: planOutputs(plan),
    ...(cluster.kind === "k3s" && { k3sVersion: cluster.version }),
  };
};
