import { existsSync } from "node:fs";
import { ProblemsError, type Problem } from "../../infra/problems";
import { parseDuration } from "../../infra/units";
import type { Session } from "../engine/commands";
import { isDisposable, readStackFile } from "../engine/stack-file";
import { issueToken, tokenKeysFile } from "./keys";

/** A token lives for so long, unless LIFETIME says otherwise; the most that is issued: milliseconds. */
const LIFETIME = { usual: "1h", most: 86_400_000 };

/**
 * `make token`: a token for a disposable stack, signed by its own issuer, alone on standard output. Its user and roles
 * are SUBJECT and ROLE, which may be several, with commas between.
 */
export async function token({ paths, print }: Session, stackName: string): Promise<void> {
  const { config } = readStackFile(paths.root, stackName);
  const { jwt } = config.authorization;
  const { SUBJECT: subject = "alice", ROLE: role = "user", LIFETIME: lifetime = LIFETIME.usual } = process.env;
  if (!isDisposable(config) || jwt?.keysFile === undefined) {
    throw refused({
      path: "STACK",
      value: stackName,
      limit: "its tokens are issued by somebody else",
      fix: "ask that issuer for one",
    });
  }
  if (!existsSync(tokenKeysFile(paths))) {
    throw refused({
      path: "STACK",
      value: stackName,
      limit: "is not up, so it has no keys",
      fix: `make up STACK=${stackName}`,
    });
  }
  const parsed = parseDuration(lifetime || LIFETIME.usual);
  if ("error" in parsed || parsed.ok < 1000 || parsed.ok > LIFETIME.most) {
    throw refused({
      path: "LIFETIME",
      value: lifetime,
      limit: "must be a duration from 1s to 24h",
      fix: 'write it as "1h"',
    });
  }
  const roles = (role || "user")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  const { issuer, audience, rolesClaim } = jwt;
  print(
    await issueToken(paths, {
      issuer,
      audience,
      rolesClaim,
      subject: subject || "alice",
      roles,
      lifetime: Math.floor(parsed.ok / 1000),
    }),
  );
}

function refused(problem: Problem): ProblemsError {
  return new ProblemsError("No token can be issued", [problem]);
}
