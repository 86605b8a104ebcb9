import { AnalyzerService } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import type { AnalyzerStackConfigureRequest } from "@pulumi/pulumi/proto/analyzer_pb";
import { factsOf, type Facts, type Settings } from "./facts";

/** Deep inside the SDK: what makes a resource's inputs of the engine's message. */
interface Deserializer {
  deserializeProperties: (message: object, wrapSecrets: boolean) => unknown;
}

/**
 * Has the SDK make the inputs of a resource once and not for each policy anew, which took most of its time. Policies
 * only read them.
 */
export function deserializeOnce(): void {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const sdk = require("@pulumi/policy/deserialize") as Deserializer;
  const { deserializeProperties } = sdk;
  const known = new WeakMap<object, unknown>();
  sdk.deserializeProperties = (message, wrapSecrets) => {
    if (!known.has(message)) known.set(message, deserializeProperties(message, wrapSecrets));
    return known.get(message);
  };
}

/** A config as the engine tells it: texts by key, and which of them it keeps as secrets. */
interface Told {
  readonly texts: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/**
 * The stack's facts, from the config that the engine tells a pack before it asks of the first resource. The policy SDK
 * takes no more of that call than the stack's tags, so it is read where it arrives.
 *
 * @returns what throws where the engine has told none: nothing is judged by defaults that are not the stack's
 */
export function stackFacts(): (settings: Settings) => Facts {
  let known: Omit<Facts, "settings"> | undefined;
  let told: Told | undefined;
  const method = AnalyzerService.configureStack;
  const deserialize = method.requestDeserialize;
  method.requestDeserialize = (bytes) => {
    const request = deserialize(bytes);
    told = toldBy(request);
    known = undefined;
    return request;
  };
  return (settings) => {
    if (told === undefined) {
      throw new Error(
        "this engine tells policies no config (ConfigureStack): judge with the Pulumi CLI of the project",
      );
    }
    return { ...(known ??= factsOf(told.texts, told)), settings };
  };
}

/** Texts of this project alone, by key without its namespace; secrets also of providers. */
function toldBy(request: AnalyzerStackConfigureRequest): Told {
  const namespace = `${request.getProject()}:`;
  const entries = request.getConfigMap().getEntryList();
  const secretKeys = request.getConfigSecretKeysList();
  return {
    texts: Object.fromEntries(
      entries.flatMap(([key, text]) => (key.startsWith(namespace) ? [[key.slice(namespace.length), text]] : [])),
    ),
    secrets: entries.filter(([key]) => secretKeys.includes(key)).map(([, text]) => text),
  };
}
