import { readdirSync } from "node:fs";
import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { EXEMPTIONS, isExempt } from "../../../../policies/stack/exemptions";
import { STACK_POLICY_NAMES } from "../../../../policies/stack/names";
import { STACK_POLICIES } from "../../../../policies/stack/policies";
import type { Registered } from "../../../support/mocks";
import { registerStack, STACKS, stackConfig } from "../../../support/rendered";
import { judge, levelsOf } from "../../../support/stack-policies";
import { apply, BAD_CHANGES, type BadChange } from "./bad-changes";

const LEVELS = path.resolve(__dirname, "../../../../policies/stack/levels");
/** How the engine writes a text that only an `up` will know. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Every stack's resources, by its name. */
const registered = new Map<string, readonly Registered[]>();
let prod: readonly Registered[];
beforeAll(async () => {
  // One after the other: the mocked engine is the process's own.
  for (const stack of STACKS) registered.set(stack, (await registerStack(stack)).resources);
  prod = registered.get("prod")!;
}, 180_000);

describe("a good stack", () => {
  it.each(STACKS)("passes as it is: %s", (stack) => {
    expect(judge(stack, registered.get(stack)!)).toEqual([]);
  });
});

describe("a bad change of production", () => {
  it.each(BAD_CHANGES)("is refused by $policy: $change", (change) => {
    const found = judge("prod", apply(change, prod));
    expect(found.map(({ message }) => message)).toContain(change.says);
    expect(found.map(({ policy }) => policy)).toEqual(Array(1 + (change.others ?? 0)).fill(change.policy));
  });

  it("is tried for every policy", () => {
    expect(STACK_POLICIES.map(({ name }) => name)).toEqual(STACK_POLICY_NAMES);
    // That one is of the config, which the next tests change.
    const tried = new Set([...BAD_CHANGES.map(({ policy }) => policy), "stack-budget"]);
    expect([...tried].sort()).toEqual([...STACK_POLICY_NAMES].sort());
  });
});

describe("a stack with pods that keep room for a function's", () => {
  const overrides = { functions: [{ scaling: { buffer: 5 } }] };
  let buffered: readonly Registered[];
  beforeAll(async () => {
    buffered = (await registerStack("local", overrides)).resources;
  }, 60_000);

  it("passes, though nothing scales those", () => {
    expect(buffered.map(({ name }) => name)).toContain("serverless-function-buffer");
    expect(judge("local", buffered, { overrides })).toEqual([]);
  });

  it("is refused where the config has none", () => {
    expect(judge("local", buffered).map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Deployment shop\/serverless-function-buffer .* is no function of the stack's config/),
      expect.stringMatching(/^Deployment shop\/serverless-function-buffer spec: no autoscaler/),
    ]);
  });

  it("is refused with more of them than the config has", () => {
    const change = {
      ...{
        policy: "replica-limits" as const,
        change: "more room",
        of: ["apps/v1:Deployment", "serverless-function-buffer"] as const,
      },
      ...{ to: { "spec.replicas": 6 }, says: "" },
    };
    expect(judge("local", apply(change, buffered), { overrides }).map(({ message }) => message)).toEqual([
      "Deployment shop/serverless-function-buffer spec.replicas: 6: the plan has room for 5; raise functions.serverless-function.scaling.buffer, and the plan with it",
    ]);
  });
});

describe("a stack whose function is scaled by its requests", () => {
  const overrides = {
    functions: [
      {
        image: `registry.example.com/serverless-function@sha256:${"a".repeat(64)}`,
        objectives: { availability: "99.9%" },
        scaling: { metric: "rps", min: 0, max: 4000 },
      },
    ],
  };
  const OBJECT = ["keda.sh/v1alpha1:ScaledObject", "serverless-function-scaled-object"] as const;
  let byRequests: readonly Registered[];
  beforeAll(async () => {
    byRequests = (await registerStack("prod", overrides)).resources;
  }, 60_000);

  it("passes, with KEDA in it", () => {
    expect(byRequests.map(({ name }) => name)).toContain("keda-keda-operator");
    expect(judge("prod", byRequests, { overrides })).toEqual([]);
  });

  it.each<readonly [change: string, bad: Omit<BadChange, "policy" | "change">]>([
    [
      "a maximum above the plan",
      {
        of: OBJECT,
        to: { "spec.maxReplicaCount": 6000 },
        says: "ScaledObject shop/serverless-function spec.maxReplicaCount: 6000: the plan has room for 4000; raise functions.serverless-function.scaling.max, and the plan with it",
      },
    ],
    [
      "no maximum but KEDA's below a minimum",
      {
        of: OBJECT,
        to: { "spec.maxReplicaCount": undefined, "spec.minReplicaCount": 200 },
        says: "ScaledObject shop/serverless-function spec.minReplicaCount: 200: is above its maximum of 100; lower it",
      },
    ],
    [
      "no autoscaler at all",
      {
        of: OBJECT,
        without: true,
        says: "Deployment shop/serverless-function spec: no autoscaler: nothing scales it with its load, in or out; make a HorizontalPodAutoscaler or a ScaledObject in namespace shop with scaleTargetRef.name serverless-function",
      },
    ],
    [
      "a fixed count beside it",
      {
        of: ["apps/v1:Deployment", "serverless-function"],
        options: { ignoreChanges: [] },
        says: 'Deployment shop/serverless-function spec.replicas: 100: ScaledObject shop/serverless-function owns the count: each `up` would throw its pods away; leave it out, or ignore its changes (ignoreChanges: ["spec.replicas"])',
      },
    ],
  ])("is refused with %s", (change, bad) => {
    const found = judge("prod", apply({ policy: "replica-limits", change, ...bad }, byRequests), { overrides });
    expect(found.map(({ message }) => message)).toEqual([bad.says]);
  });
});

describe("what an environment sets", () => {
  it("refuses a stack of more hosts than its budget", () => {
    expect(judge("prod", prod, { levels: { "stack-budget": { hosts: 12 } } })).toMatchObject([
      {
        policy: "stack-budget",
        message:
          "cluster.agents: 13 hosts: the environment's budget is 12; functions take 0.8 of 10 agents at peak; drop agents, or raise stack-budget.hosts of the environment",
      },
    ]);
  });

  it("refuses a gateway's own certificate unless it is said to be well", () => {
    const levels = { ...levelsOf("dev"), "gateway-tls": "mandatory" };
    expect(judge("dev", registered.get("dev")!, { levels }).map(({ message }) => message)).toEqual([
      "Service gateway/api-gateway spec: a certificate that the gateway makes itself: clients cannot tell it from anybody else's; set gateway.tls.kind to certificate, or in an environment to develop against gateway-tls.selfSigned",
    ]);
  });

  it.each(readdirSync(LEVELS))("names policies of the pack alone, in %s", (file) => {
    const levels = levelsOf(file.replace(".json", ""));
    expect(STACK_POLICY_NAMES).toEqual(expect.arrayContaining(Object.keys(levels)));
  });

  it("leaves nothing out in production", () => {
    expect(Object.values(levelsOf("prod"))).not.toContain("disabled");
  });
});

describe("the registries", () => {
  const image = (of: BadChange["of"], value: string) =>
    ({
      policy: "allowed-registries",
      change: "",
      of,
      to: { "spec.template.spec.containers.0.image": value },
      says: "",
    }) as const;
  const [functions, gateway] = [
    ["apps/v1:Deployment", "serverless-function"],
    ["apps/v1:Deployment", "gateway"],
  ] as const;
  const digest = `@sha256:${"0".repeat(64)}`;
  const overrides = {
    admission: {
      ...(stackConfig("prod")["admission"] as object),
      registries: ["ghcr.io/shop/", "registry.example.com/"],
    },
    gateway: { ...(stackConfig("prod")["gateway"] as object), image: `mirror.example.com/traefik${digest}` },
  };
  const refused = (of: BadChange["of"], value: string) =>
    judge("prod", apply(image(of, value), prod), { overrides }).some(
      ({ policy, message }) => policy === "allowed-registries" && message.includes(value),
    );

  it.each([
    [functions, `ghcr.io/shop/checkout${digest}`, false],
    [functions, `ghcr.io/shopping/checkout${digest}`, true],
    [functions, `mirror.example.com/traefik${digest}`, true],
    [gateway, "mirror.example.com/traefik:v4", false],
    [gateway, "mirror.example.com/traefik-fork:v4", true],
    [gateway, "traefik:v3.1", true],
  ] as const)("are the config's: of %s by %s", (of, value, isRefused) => expect(refused(of, value)).toBe(isRefused));
});

describe("a secret of the config", () => {
  const password = "correct-horse-battery";
  const overrides = { databaseUrls: { "serverless-function": `postgres://${password}` } };

  it.each([
    ["a ConfigMap", "core/v1:ConfigMap", "gateway-routes", "data", { note: `it is postgres://${password}` }],
    [
      "an argument",
      "apps/v1:Deployment",
      "gateway",
      "spec.template.spec.containers.0.args",
      [`postgres://${password}`],
    ],
    ["a command line", "remote:Command", "k3s-server-1-restore", "create", `true postgres://${password}`],
  ])("is found in %s, and not told", (_where, type, name, path, value) => {
    const change = { policy: "plain-secrets", change: "", of: [type, name], to: { [path]: value }, says: "" } as const;
    const found = judge("prod", apply(change, prod), { overrides });
    expect(found).toMatchObject([{ policy: "plain-secrets" }]);
    expect(found[0]!.message).toContain("a secret of the stack's config (not shown)");
    expect(found[0]!.message).not.toContain(password);
  });

  it("may be in a Secret and in what a command is given by standard input", async () => {
    const { resources } = await registerStack("prod", overrides);
    const stdin = {
      policy: "plain-secrets",
      change: "",
      of: ["remote:Command", "k3s-server-1-restore"],
      says: "",
    } as const;
    const text = `postgres://${password}`;
    expect(judge("prod", apply({ ...stdin, to: { stdin: text } }, resources), { overrides })).toEqual([]);
  });
});

describe("what a preview cannot know yet", () => {
  const change = (to: Record<string, unknown>) =>
    apply({ policy: "probes", change: "", of: ["apps/v1:Deployment", "serverless-function"], to, says: "" }, prod);
  const container = "spec.template.spec.containers.0";

  it("is passed over alone: what is known beside it is judged", () => {
    const found = judge(
      "prod",
      change({
        [`${container}.image`]: UNKNOWN,
        [`${container}.securityContext.privileged`]: true,
        [`${container}.securityContext.runAsNonRoot`]: UNKNOWN,
        "metadata.labels.environment": UNKNOWN,
      }),
    );
    expect(found.map(({ message }) => message)).toEqual([
      "Deployment shop/serverless-function spec.template.spec.containers.function.securityContext.privileged: true: it is root on the host; leave it out",
    ]);
  });

  it.each(["spec", "metadata.namespace", "spec.template.spec.containers", "spec.template.spec.containers.0"])(
    "refuses nothing where it is %s",
    (path) => expect(judge("prod", change({ [path]: UNKNOWN }))).toEqual([]),
  );

  it.each(STACKS)("refuses nothing of %s where it is every namespace", (stack) => {
    const unplaced = registered.get(stack)!.map((resource) => {
      const { metadata } = resource.inputs as { metadata?: { namespace?: string } };
      if (metadata?.namespace === undefined) return resource;
      return { ...resource, inputs: { ...resource.inputs, metadata: { ...metadata, namespace: UNKNOWN } } };
    });
    expect(judge(stack, unplaced)).toEqual([]);
  });
});

describe("the exemptions", () => {
  it("are each of use in a stack, in every field", () => {
    const used = new Set<string>();
    const exempt: typeof isExempt = (policy, path) => {
      const lets = isExempt(policy, path);
      if (lets) used.add(`${policy} ${path}`);
      return lets;
    };
    for (const [stack, resources] of registered) judge(stack, resources, { exempt });
    const listed = EXEMPTIONS.flatMap(({ policy, object, fields }) =>
      fields.map((field) => `${policy} ${object} ${field}`),
    );
    expect([...used].sort()).toEqual([...listed].sort());
  });

  it.each(EXEMPTIONS)("say why: $policy of $object", ({ reason }) => {
    expect(reason).toMatch(/^\w.{30,}[^.]$/);
  });
});
