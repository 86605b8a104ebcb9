import type * as pulumi from "@pulumi/pulumi";
import { Admission } from "../components/admission/admission";
import type { WebhookTarget } from "../components/admission/webhook";
import {
  ADMISSION_POLICIES,
  ALREADY_JUDGED,
  CHANGED,
  constraintOf,
  templateOf,
  watchedRules,
} from "../policies/admission";
import { admissionFacts } from "./admission-facts";
import { apiServerPeers } from "./api-server";
import { readCertificate } from "./certificate";
import type { StackConfig } from "./config";
import { platformImages } from "./images";
import type { Plan } from "./plan";
import { prometheusPeer } from "./watching";

/** Where the API server asks, as the stack has it. */
export interface WebhookAccess {
  readonly target: WebhookTarget;
  /** Set in a preview of a stack whose certificate is not there yet. */
  readonly warning?: string | undefined;
}

/**
 * Reads the certificate of the authority of a Gatekeeper outside of the cluster.
 *
 * @throws RunError when it is not there, outside of a preview, or is no certificate
 */
export function webhookAccess(
  { admission: { enabled, webhook } }: StackConfig,
  projectRoot: string,
  preview: boolean,
): WebhookAccess {
  if (!enabled || webhook.kind === "service") return { target: { kind: "service" } };
  const { certificate, warning } = readCertificate("admission.webhook.caFile", webhook.caFile, projectRoot, preview);
  return { target: { kind: "url", url: webhook.url, certificate }, warning };
}

export interface GuardingArgs {
  readonly config: StackConfig;
  readonly plan: Plan;
  /** Gatekeeper's, where this stack has it. */
  readonly manifest: string | undefined;
  readonly target: WebhookTarget;
}

/** Gatekeeper with this stack's policies, which everything else comes after. */
export function guarding(
  { config, plan, manifest, target }: GuardingArgs,
  opts: pulumi.ComponentResourceOptions,
): Admission | undefined {
  const { admission, platform } = config;
  if (manifest === undefined) return undefined;
  const facts = admissionFacts(config);
  const held = ADMISSION_POLICIES.flatMap((policy) => {
    const enforcement = admission.policies[policy.name] ?? admission.enforcement;
    return enforcement === "off" ? [] : [{ policy, enforcement }];
  });
  return new Admission(
    "admission",
    {
      environment: platform.environment,
      admission,
      plan: plan.admission,
      image: platformImages(config).gatekeeper,
      manifest,
      policies: held.map(({ policy, enforcement }) => ({
        name: policy.name,
        template: { ...templateOf(policy) },
        constraint: { ...constraintOf(policy, facts, enforcement) },
      })),
      rules: watchedRules(held.map(({ policy }) => policy)),
      conditions: [ALREADY_JUDGED, CHANGED],
      target,
      apiServer: apiServerPeers(config),
      prometheus: prometheusPeer(config),
    },
    opts,
  );
}
