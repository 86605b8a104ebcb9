import * as pulumi from "@pulumi/pulumi";
import { parseConfig, SECRET_KEYS, SECRET_PRESENT, type StackConfig } from "./config";
import { ProblemsError, type Problem } from "./problems";

/** The config's secrets, each a secret output: handed to the component that needs it, and nowhere else. */
export interface StackSecrets {
  readonly kubeconfig?: pulumi.Output<string>;
  /** By function name. */
  readonly databaseUrls: Readonly<Record<string, pulumi.Output<string>>>;
  /** `user:password` by registry. */
  readonly pullCredentials?: pulumi.Output<Readonly<Record<string, string>>>;
  /** Private keys by the name that hosts call them by. */
  readonly sshKeys: Readonly<Record<string, pulumi.Output<string>>>;
  /** `accessKey` and `secretKey` of the bucket that etcd's snapshots go to. */
  readonly snapshotStorage: Readonly<Record<string, pulumi.Output<string>>>;
  /** `certificate` and `key` that the gateway serves TLS with. */
  readonly gatewayTls: Readonly<Record<string, pulumi.Output<string>>>;
  /** `password` of the store that clients' budgets are in. */
  readonly budgetStore: Readonly<Record<string, pulumi.Output<string>>>;
  /** What opens the way to who hears of alerts, by the receiver's name. */
  readonly alertReceivers: Readonly<Record<string, pulumi.Output<string>>>;
  /** `accessKey` and `secretKey` of the bucket that logs are kept in. */
  readonly logStorage: Readonly<Record<string, pulumi.Output<string>>>;
}

type SecretKey = (typeof SECRET_KEYS)[number];

/**
 * Reads the running stack's config, all keys at once, so that an unknown one is seen.
 *
 * @throws ProblemsError with everything that is wrong with it; a secret's value is never told.
 */
export function readConfig(): { readonly config: StackConfig; readonly secrets: StackSecrets } {
  const raw: Record<string, unknown> = {};
  const texts: Partial<Record<SecretKey, string>> = {};
  const maps: Partial<Record<SecretKey, Readonly<Record<string, string>>>> = {};
  const problems: Problem[] = [];

  for (const [key, text] of projectConfig()) {
    if (!isSecretKey(key)) raw[key] = parseJson(text) ?? text;
    else if (key === "kubeconfig") {
      // Pulumi.yaml cannot declare a key as optional otherwise than by a default, so an empty one is none.
      if (text === "") continue;
      problems.push(...plainTextProblems(key));
      texts[key] = text;
      raw[key] = SECRET_PRESENT;
    } else {
      const map = textMap(text);
      if (map === undefined) problems.push(noMapProblem(key));
      else if (Object.keys(map).length > 0) {
        problems.push(...plainTextProblems(key));
        maps[key] = map;
        raw[key] = Object.fromEntries(Object.keys(map).map((name) => [name, SECRET_PRESENT]));
      }
    }
  }
  return {
    config: parseWith(problems, raw),
    secrets: {
      ...(texts.kubeconfig !== undefined && { kubeconfig: pulumi.secret(texts.kubeconfig) }),
      ...(maps.pullCredentials && { pullCredentials: pulumi.secret(maps.pullCredentials) }),
      databaseUrls: secretsOf(maps.databaseUrls),
      sshKeys: secretsOf(maps.sshKeys),
      snapshotStorage: secretsOf(maps.snapshotStorage),
      gatewayTls: secretsOf(maps.gatewayTls),
      budgetStore: secretsOf(maps.budgetStore),
      alertReceivers: secretsOf(maps.alertReceivers),
      logStorage: secretsOf(maps.logStorage),
    },
  };
}

function secretsOf(map: Readonly<Record<string, string>> = {}): Readonly<Record<string, pulumi.Output<string>>> {
  return Object.fromEntries(Object.entries(map).map(([name, text]) => [name, pulumi.secret(text)]));
}

/** One error for what is wrong with the secrets and with everything else. */
function parseWith(problems: readonly Problem[], raw: unknown): StackConfig {
  try {
    const config = parseConfig(raw);
    if (problems.length > 0) throw new ProblemsError("The config is not valid", problems);
    return config;
  } catch (error) {
    if (!(error instanceof ProblemsError) || error.problems === problems) throw error;
    throw new ProblemsError(error.summary, [...problems, ...error.problems]);
  }
}

/** Key without namespace, and text, of everything that is set for this project. */
function projectConfig(): [string, string][] {
  const namespace = `${pulumi.getProject()}:`;
  return Object.entries(pulumi.runtime.allConfig()).flatMap(([key, text]) =>
    key.startsWith(namespace) ? [[key.slice(namespace.length), text]] : [],
  );
}

function isSecretKey(key: string): key is SecretKey {
  return (SECRET_KEYS as readonly string[]).includes(key);
}

/** Objects and lists come as JSON, everything else as the text that was set. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function textMap(text: string): Readonly<Record<string, string>> | undefined {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.values(value);
  return entries.every((entry) => typeof entry === "string" && entry !== "")
    ? (value as Record<string, string>)
    : undefined;
}

function noMapProblem(key: SecretKey): Problem {
  return {
    path: key,
    value: "(secret)",
    limit: "must have a text for each name",
    fix: `set each with \`pulumi config set --secret --path '${key}["<name>"]'\``,
  };
}

function plainTextProblems(key: SecretKey): Problem[] {
  if (isStoredAsSecret(key)) return [];
  return [
    {
      path: key,
      value: "(not shown)",
      limit: "is a secret and stands in plain text in the stack's file",
      fix: "set it with `pulumi config set --secret`, and replace the credential if the file was ever shared",
    },
  ];
}

/** The SDK has this for its own `Config` class and leaves it out of its types. */
function isStoredAsSecret(key: SecretKey): boolean {
  const sdk = pulumi.runtime as unknown as { readonly isConfigSecret: (key: string) => boolean };
  return sdk.isConfigSecret(`${pulumi.getProject()}:${key}`);
}
