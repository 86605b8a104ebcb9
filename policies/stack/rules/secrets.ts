import type { Problem } from "../../../infra/problems";
import type { Facts } from "../facts";
import { containersOf, inputsOf, problemAt, workloadOf } from "../kubernetes";
import { judgement, type Judged, type ResourcePolicy } from "../policy";

/** What a secret looks like, whoever put it there. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/, "a private key"],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'$]+:[^\s/@"'$]+@/i, "a URL with a password"],
  [/\bAKIA[0-9A-Z]{16}\b/, "an access key"],
  [/\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+/, "a signed token"],
];

/** Variables that by their name hold a secret, and not where to find one. */
const SECRET_NAME =
  /(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)$/i;

/**
 * No secret in what everybody may read who can list objects, see a host's processes or read the state: environment and
 * arguments of containers, ConfigMaps, command lines. Secrets and standard input are where they belong.
 */
export const plainSecrets: ResourcePolicy = {
  name: "plain-secrets",
  description: "No secret stands in plain environment variables, arguments, ConfigMaps or command lines.",
  judge: (resource, { secrets }, report) => {
    const judge = (field: string, read: () => string | undefined) =>
      judgement(() => {
        const what = secretIn(read() ?? "", secrets);
        if (what !== undefined) report(secretProblem(resource, field, what));
      });
    judgement(() => {
      const map = inputsOf(resource, "kubernetes:core/v1:ConfigMap");
      for (const key of Object.keys(map?.data ?? {})) judge(`data["${key}"]`, () => map?.data?.[key]);
      for (const key of Object.keys(map?.binaryData ?? {})) {
        judge(`binaryData["${key}"]`, () => Buffer.from(map?.binaryData?.[key] ?? "", "base64").toString("latin1"));
      }
    });
    judgement(() => {
      const command = inputsOf(resource, "command:remote:Command");
      for (const field of ["create", "update", "delete"] as const) judge(field, () => command?.[field]);
      for (const name of Object.keys(command?.environment ?? {})) {
        judge(`environment.${name}`, () => command?.environment?.[name]);
      }
    });
    judgement(() => judgeContainers(resource, judge, report));
  },
};

function judgeContainers(
  resource: Judged,
  judge: (field: string, read: () => string | undefined) => void,
  report: (problem: Problem) => void,
): void {
  const workload = workloadOf(resource);
  for (const { container, path } of workload ? containersOf(workload) : []) {
    for (const field of ["command", "args"] as const) judge(`${path}.${field}`, () => container[field]?.join("\n"));
    for (const variable of container.env ?? []) {
      const field = `${path}.env.${variable.name}`;
      if (SECRET_NAME.test(variable.name) && variable.valueFrom === undefined) {
        report(secretProblem(resource, field, "what its name calls a secret"));
      } else judge(field, () => variable.value);
    }
  }
}

/** What kind of secret is in a text; never the secret. */
function secretIn(text: string, secrets: Facts["secrets"]): string | undefined {
  if (secrets.some((secret) => text.includes(secret))) return "a secret of the stack's config";
  return FORMS.find(([form]) => form.test(text))?.[1];
}

function secretProblem(resource: Judged, field: string, what: string): Problem {
  return problemAt(resource, field, {
    value: `${what} (not shown)`,
    limit: "whoever may list objects, see processes or read the state reads it too",
    fix: "put it into a Secret that is mounted as a file, or give it to a command by stdin; then replace it",
  });
}
