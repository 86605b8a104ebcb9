import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks";

/** A resource as the engine is asked to register it: inputs and the options that decide its fate. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  /** Name of the component that it is a child of. */
  readonly parent?: string;
  /** Secrets stay wrapped: see `secret`. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Only those that are set. */
  readonly options: RegisteredOptions;
  /** Type and name, `type::name`, of everything that it waits for, in order. */
  readonly dependencies: readonly string[];
}

export interface RegisteredOptions {
  readonly provider?: string;
  readonly protect?: true;
  readonly ignoreChanges?: readonly string[];
  readonly replaceOnChanges?: readonly string[];
  readonly deleteBeforeReplace?: true;
  readonly customTimeouts?: { readonly create: string; readonly update: string; readonly delete: string };
}

/** Resource types that the program may register: any other is a mistake in the program or one to add here. */
const KNOWN_TYPES = [
  "pulumi:pulumi:Stack",
  "pulumi:pulumi:StackReference",
  "pulumi:providers:kubernetes",
  "command:remote:Command",
  "random:index/randomPassword:RandomPassword",
  "wasm-functions:admission:Admission",
  "wasm-functions:authorization:Authorizer",
  "wasm-functions:cluster:K3sCluster",
  "wasm-functions:functions:WasmFunction",
  "wasm-functions:gateway:MetalLb",
  "wasm-functions:gateway:ApiGateway",
  "wasm-functions:autoscaling:Keda",
  "wasm-functions:observability:Grafana",
  "wasm-functions:observability:Alertmanager",
  "wasm-functions:observability:KubeStateMetrics",
  "wasm-functions:observability:LogCollector",
  "wasm-functions:observability:Loki",
  "wasm-functions:observability:NodeExporter",
  "wasm-functions:observability:Observability",
  "wasm-functions:observability:Prometheus",
  "wasm-functions:platform:PlatformNamespace",
  "wasm-functions:runtime:WasmRuntime",
  "wasm-functions:tenancy:Tenant",
  "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
  "kubernetes:apiregistration.k8s.io/v1:APIService",
  "kubernetes:apps/v1:DaemonSet",
  "kubernetes:apps/v1:Deployment",
  "kubernetes:apps/v1:StatefulSet",
  "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
  "kubernetes:config.gatekeeper.sh/v1alpha1:Config",
  "kubernetes:core/v1:ConfigMap",
  "kubernetes:core/v1:LimitRange",
  "kubernetes:core/v1:Namespace",
  "kubernetes:core/v1:ResourceQuota",
  "kubernetes:core/v1:Secret",
  "kubernetes:core/v1:Service",
  "kubernetes:core/v1:ServiceAccount",
  "kubernetes:keda.sh/v1alpha1:ScaledObject",
  "kubernetes:metallb.io/v1beta1:IPAddressPool",
  "kubernetes:metallb.io/v1beta1:L2Advertisement",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy",
  "kubernetes:node.k8s.io/v1:RuntimeClass",
  "kubernetes:policy/v1:PodDisruptionBudget",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
  "kubernetes:rbac.authorization.k8s.io/v1:Role",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
  "kubernetes:scheduling.k8s.io/v1:PriorityClass",
  "kubernetes:templates.gatekeeper.sh/v1:ConstraintTemplate",
];

/** Each policy's constraint is of a kind of its own. */
const CONSTRAINTS = "kubernetes:constraints.gatekeeper.sh/v1beta1:";

/** What providers add to the inputs of a resource. */
const OUTPUTS: Readonly<Record<string, (name: string) => object>> = {
  "command:remote:Command": (name) => ({ stdout: `stdout of ${name}\n`, stderr: "" }),
  "random:index/randomPassword:RandomPassword": (name) => ({ result: `secret of ${name}` }),
};

/** How Pulumi marks a secret on its way to the engine. */
const SIGNATURE = { key: "4dabf18193072939515e22adb298388d", secret: "1b47061264138c4ac30d75fd1eb44270" };

/** The version that every object has in the mocked cluster. */
export const RESOURCE_VERSION = "4711";

/** An input that must have come as a secret, for `toEqual`. */
export function secret(value: unknown): { readonly secret: unknown } {
  return { secret: value };
}

export interface MockOptions {
  readonly stack?: string;
  readonly preview?: boolean;
  /** Outputs of the stack's last `up`. */
  readonly lastOutputs?: Readonly<Record<string, unknown>>;
  /** The stack's config under the project's namespace; what is no text is given as JSON, as the engine does. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Keys of `config` that are stored encrypted. */
  readonly secretKeys?: readonly string[];
}

const PROJECT = "wasm-functions";

/**
 * Runs `program` on a mocked engine, and waits for everything that it registers.
 *
 * @throws when a resource of an unknown type is registered or a provider function is called.
 */
export async function register<T>(
  program: () => T | Promise<T>,
  options: MockOptions = {},
): Promise<{ readonly result: T; readonly resources: readonly Registered[] }> {
  const { stack = "test", preview = false, lastOutputs = {}, config = {}, secretKeys = [] } = options;
  const resources: Registered[] = [];
  const unexpected: string[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, id }) => {
        if (!KNOWN_TYPES.includes(type) && !type.startsWith(CONSTRAINTS)) unexpected.push(`resource ${type} "${name}"`);
        const state = inputs as Record<string, unknown>;
        const outputs =
          type === "pulumi:pulumi:StackReference" ? { outputs: lastOutputs } : (OUTPUTS[type]?.(name) ?? {});
        const metadata = state["metadata"];
        return {
          id: id ?? `${name}-id`,
          state:
            typeof metadata === "object"
              ? { ...state, metadata: { ...metadata, resourceVersion: RESOURCE_VERSION } }
              : { ...state, ...outputs },
        };
      },
      call: ({ token }) => {
        throw new Error(`unexpected call of ${token}`);
      },
    },
    PROJECT,
    stack,
    preview,
    "organization",
  );
  const namespaced = (key: string) => `${PROJECT}:${key}`;
  const texts = Object.entries(config).map(([key, value]) => [
    namespaced(key),
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(texts) as Record<string, string>, secretKeys.map(namespaced));

  const restore = observe((resource) => resources.push(resource));
  try {
    const result = await program();
    await pulumi.runtime.disconnect();
    if (unexpected.length > 0) throw new Error(`unexpected: ${unexpected.join(", ")}`);
    return { result, resources };
  } finally {
    restore();
  }
}

/** The one resource of that type and name. */
export function find(resources: readonly Registered[], type: string, name: string): Registered {
  const found = resources.filter((resource) => resource.type === type && resource.name === name);
  if (found.length !== 1) {
    const all = resources.map((resource) => `${resource.type} ${resource.name}`).join("\n");
    throw new Error(`${found.length} resources are ${type} ${name} among:\n${all}`);
  }
  return found[0]!;
}

/** `type name` of each, sorted: the order of registration is not the program's to decide. */
export function names(resources: readonly Registered[]): string[] {
  return resources.map((resource) => `${resource.type} ${resource.name}`).sort();
}

/** The value of an output, as a program would see it. */
export function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply((value) => resolve(value)));
}

/** What the mocked monitor is sent for each resource; its mocks are only told of a part. */
interface Request {
  getType(): string;
  getName(): string;
  getParent(): string;
  getProvider(): string;
  getProtect(): boolean | undefined;
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
  getIgnorechangesList(): string[];
  getReplaceonchangesList(): string[];
  getDeletebeforereplace(): boolean;
  getDependenciesList(): string[];
  getCustomtimeouts(): { getCreate(): string; getUpdate(): string; getDelete(): string } | undefined;
}

function observe(onResource: (resource: Registered) => void): () => void {
  const { prototype } = MockMonitor;
  const { registerResource } = Object.getOwnPropertyDescriptors(prototype);
  const original = registerResource.value as MockMonitor["registerResource"];
  prototype.registerResource = function (this: MockMonitor, request: Request, callback) {
    onResource(describe(request));
    return original.call(this, request, callback);
  };
  return () => Object.defineProperty(prototype, "registerResource", registerResource);
}

function describe(request: Request): Registered {
  const parent = request.getParent();
  return {
    type: request.getType(),
    name: request.getName(),
    ...(parent !== "" && { parent: nameOf(parent) }),
    inputs: unwrap(request.getObject()?.toJavaScript() ?? {}) as Record<string, unknown>,
    options: describeOptions(request),
    dependencies: request.getDependenciesList().map((urn) => urn.split("::").slice(2).join("::")),
  };
}

function describeOptions(request: Request): RegisteredOptions {
  const provider = request.getProvider();
  const ignoreChanges = request.getIgnorechangesList();
  const replaceOnChanges = request.getReplaceonchangesList();
  const timeouts = request.getCustomtimeouts();
  return {
    ...(provider !== "" && { provider: nameOf(provider.split("::").slice(0, -1).join("::")) }),
    ...(request.getProtect() === true && { protect: true }),
    ...(ignoreChanges.length > 0 && { ignoreChanges }),
    ...(replaceOnChanges.length > 0 && { replaceOnChanges }),
    ...(request.getDeletebeforereplace() && { deleteBeforeReplace: true }),
    ...(timeouts &&
      timeouts.getCreate() !== "" && {
        customTimeouts: { create: timeouts.getCreate(), update: timeouts.getUpdate(), delete: timeouts.getDelete() },
      }),
  };
}

function nameOf(urn: string): string {
  return urn.split("::").at(-1) ?? "";
}

function unwrap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== "object" || value === null) return value;
  const record = value as Record<string, unknown>;
  if (record[SIGNATURE.key] === SIGNATURE.secret) return secret(unwrap(record["value"]));
  return Object.fromEntries(Object.entries(record).map(([key, item]) => [key, unwrap(item)]));
}
