import type {
  Policies,
  PolicyConfigSchema,
  PolicyResource,
  ResourceValidationArgs,
  ResourceValidationPolicy,
  StackValidationPolicy,
} from "@pulumi/policy";
import { formatProblem } from "../../infra/problems";
import { isExempt } from "./exemptions";
import type { Facts, Settings } from "./facts";
import type { StackPolicyName } from "./names";
import { STACK_POLICIES } from "./policies";
import { judgement, type GraphPolicy, type Judged, type ResourcePolicy } from "./policy";

/** What can be set for a policy beside its level. */
const SCHEMAS: Partial<Record<StackPolicyName, PolicyConfigSchema>> = {
  "stack-budget": { properties: { hosts: { type: "integer", minimum: 1 } } },
  "gateway-tls": { properties: { selfSigned: { type: "boolean" } } },
};

/**
 * The policies as the engine takes them. Those that judge resources one by one are asked before each is created; those
 * that judge all together are asked at the end, of what the program registered: what providers and the API server
 * fill in would hide whether the program had set it.
 *
 * @param factsWith - the stack's facts, asked for when the first resource comes: until then a config may be wrong
 * @param exempt - what is let pass, by policy and path
 */
export function packPolicies(factsWith: (settings: Settings) => Facts, exempt = isExempt): Policies {
  const context = { factsWith, exempt, registered: new Map<string, Judged>() };
  return STACK_POLICIES.map((policy) => ("judge" in policy ? onResource(policy, context) : onGraph(policy, context)));
}

interface Context {
  readonly factsWith: (settings: Settings) => Facts;
  readonly exempt: typeof isExempt;
  /** By URN. */
  readonly registered: Map<string, Judged>;
}

function onResource(policy: ResourcePolicy, { factsWith, exempt, registered }: Context): ResourceValidationPolicy {
  return {
    ...described(policy),
    validateResource: (args, reportViolation) => {
      const resource = judged(args);
      registered.set(args.urn, resource);
      const facts = factsWith(args.getConfig<Settings>());
      judgement(() =>
        policy.judge(resource, facts, (problem) => {
          if (!exempt(policy.name, problem.path)) reportViolation(formatProblem(problem));
        }),
      );
    },
  };
}

function onGraph(policy: GraphPolicy, { factsWith, exempt, registered }: Context): StackValidationPolicy {
  return {
    ...described(policy),
    validateStack: (args, reportViolation) => {
      const resources = args.resources.map((resource) => registered.get(resource.urn) ?? judged(resource));
      policy.judgeAll(resources, factsWith(args.getConfig<Settings>()), ({ urn }, problem) => {
        if (!exempt(policy.name, problem.path)) reportViolation(formatProblem(problem), urn);
      });
    },
  };
}

function described({ name, description }: ResourcePolicy | GraphPolicy) {
  const configSchema = SCHEMAS[name];
  return { name, description, enforcementLevel: "mandatory" as const, ...(configSchema && { configSchema }) };
}

function judged({ urn, type, name, props, opts }: ResourceValidationArgs | PolicyResource): Judged {
  return { urn, type, name, props, protect: opts.protect, ignoreChanges: opts.ignoreChanges };
}
