import { join } from "node:path";
import { z } from "zod";
import { ProblemsError } from "../../infra/problems";
import type { Session } from "../engine/commands";
import { PROJECT, type StackFile } from "../engine/stack-file";
import { openStackForPreview } from "../engine/workspace";
import { ensureTools } from "../tools/resolve";
import { parseJson } from "./json";

/** `user:password` by registry: the stack's secret `pullCredentials`. It stays in memory. */
export type Credentials = Readonly<Record<string, string>>;

const KEY = `${PROJECT}:pullCredentials`;
const schema = z.record(z.string(), z.string().regex(/^[^:]+:.+$/));

/**
 * Has the engine decrypt the stack's pull credentials; a stack that has none needs no engine.
 *
 * @throws ProblemsError where they stand in plain text or are none
 */
export async function pullCredentials(session: Session, file: StackFile): Promise<Credentials> {
  const stored = file.settings.config?.[KEY];
  if (stored === undefined) return {};
  if (!isEncrypted(stored)) throw refusal("stands in plain text in the stack's file", "set it");
  await ensureTools(["pulumi"], session);
  const task = session.progress.task("credentials", "asking the engine");
  const text = await decrypted(session, file).catch((error: unknown) => {
    task.fail("the engine does not tell");
    throw error;
  });
  task.done("the engine has decrypted them");
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw refusal("must have user:password for each registry", "set each");
}

async function decrypted({ paths }: Session, file: StackFile): Promise<string> {
  const { stack } = await openStackForPreview(file, paths, () => Promise.resolve(), join(paths.scratch, "secrets"));
  return (await stack.getConfig(KEY)).value;
}

/** As a whole, or each of its values. */
function isEncrypted(stored: unknown): boolean {
  if (typeof stored !== "object" || stored === null) return false;
  if ("secure" in stored) return true;
  return Object.values(stored).every((value) => typeof value === "object" && value !== null && "secure" in value);
}

function refusal(limit: string, verb: string): ProblemsError {
  return new ProblemsError("The credentials of registries cannot be used", [
    {
      path: "pullCredentials",
      value: "(not shown)",
      limit,
      fix: `${verb} with: pulumi config set --secret --path 'pullCredentials["registry.example.com"]'`,
    },
  ]);
}
