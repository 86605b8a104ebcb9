import { setTimeout as sleep } from "node:timers/promises";
import { ProblemsError } from "../../infra/problems";
import type { Session } from "../engine/commands";
import { isOlder } from "../tools/catalog";
import { withHostsLocked, type OpenHosts } from "./open";
import { serversOf, startServer, takeSnapshot } from "./servers";
import { step } from "./step";

/** What `k3s secrets-encrypt status` tells. */
export interface EncryptionStatus {
  readonly enabled: boolean;
  /** How far a rotation is: `start` before the first one, `reencrypt_finished` after one. */
  readonly stage: string;
  /** Whether all servers work by the same keys. */
  readonly alike: boolean;
  /** The key that encrypts, by its name. */
  readonly active: string;
}

/** Milliseconds between two looks at how far it is: K3s writes some five secrets a second. */
const POLL = 2000;

/**
 * Encrypts the cluster's secrets by a new key: the first server makes it and writes every secret anew, then the servers
 * start again one by one, so that all work by it (https://docs.k3s.io/cli/secrets-encrypt). Run again after an
 * interruption, it goes on with the rotation that is under way.
 *
 * @throws ProblemsError where secrets are not encrypted, or servers end with different keys
 */
export async function rotateEncryptionKey(session: Session, stackName: string): Promise<void> {
  await withHostsLocked(session, stackName, async (open) => {
    const [first, others] = serversOf(open);
    const before = await statusOf(open);
    assertEnabled(before, first.name);
    if (isResting(before) && before.alike) {
      if (isExperimental(open.cluster.version))
        session.progress.note(
          `warning: K3s documents this from v1.30.5 and v1.31.1 on; ${open.cluster.version} has it as an experiment`,
        );
      // K3s warns that a rotation gone wrong may cost the cluster.
      await takeSnapshot(session, open, "before-key-rotation");
      await step(session, "key", "making a new one, which the API server takes over within a minute", () =>
        open.shell.run(first, "rotate-encryption-key"),
      );
    } else session.progress.note("A rotation is under way: going on with it");

    await step(session, "secrets", "being written anew", () => untilFinished(session, open));
    // A server alone works by the new key already.
    if (others.length > 0) for (const server of [first, ...others]) await startServer(session, open, server, "restart");

    const after = await step(session, "servers", "comparing their keys", () => untilAlike(session, open));
    session.print(`Secrets are encrypted by the key ${after.active}, on all servers.`);
  });
}

/** By the version gate of K3s's documentation; v1.28 is the first that has the command. */
export function isExperimental(version: string): boolean {
  const plain = version.replace(/^v/, "");
  return isOlder(plain, plain.startsWith("1.31.") ? "1.31.1" : "1.30.5");
}

async function statusOf(open: OpenHosts): Promise<EncryptionStatus> {
  return parseStatus(await open.shell.run(serversOf(open)[0], "encryption-status"));
}

/** K3s's own words, of which it has no other form that all of its versions know. */
export function parseStatus(text: string): EncryptionStatus {
  const value = (label: string) => new RegExp(`^${label}: (.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
  return {
    enabled: value("Encryption Status") === "Enabled",
    stage: value("Current Rotation Stage"),
    alike: value("Server Encryption Hashes") === "All hashes match",
    active: /^\s*\*\s+\S+\s+(\S+)/m.exec(text)?.[1] ?? "",
  };
}

function isResting({ stage }: EncryptionStatus): boolean {
  return stage === "start" || stage === "reencrypt_finished";
}

/** Milliseconds that all secrets may take to be written anew: at K3s's five a second, 18,000 of them. */
const REENCRYPT_LIMIT = 3_600_000;

async function untilFinished(session: Session, open: OpenHosts): Promise<void> {
  const deadline = Date.now() + REENCRYPT_LIMIT;
  for (let { stage } = await statusOf(open); stage !== "reencrypt_finished"; { stage } = await statusOf(open)) {
    if (Date.now() > deadline) throw stuck(stage);
    await pause(session);
  }
}

function stuck(stage: string): ProblemsError {
  return new ProblemsError("The secrets are not all written anew", [
    {
      path: "secrets-encrypt",
      value: stage,
      limit: "K3s has not finished in an hour; it does not go on by itself after a restart in the middle",
      fix: "run `sudo k3s secrets-encrypt reencrypt --force --skip` on the first server, then this command again",
    },
  ]);
}

/** A server tells its keys a moment after its node is ready. */
const ALIKE_ATTEMPTS = 30;

async function untilAlike(session: Session, open: OpenHosts): Promise<EncryptionStatus> {
  for (let attempt = 1; attempt < ALIKE_ATTEMPTS; attempt++) {
    const status = await statusOf(open);
    if (status.alike) return status;
    await pause(session);
  }
  throw new ProblemsError("The servers do not work by the same key", [
    {
      path: "secrets-encrypt",
      value: "hashes differ",
      limit: "all servers must have the same keys, or one cannot read what another has written",
      fix: "start K3s again on the server that `k3s secrets-encrypt status` names, then run the command again",
    },
  ]);
}

async function pause({ signal }: Session): Promise<void> {
  signal.throwIfAborted();
  await sleep(POLL, undefined, { signal });
}

function assertEnabled({ enabled }: EncryptionStatus, server: string): void {
  if (enabled) return;
  throw new ProblemsError("There is no key to rotate", [
    {
      path: "secrets-encryption",
      value: "off",
      limit: `K3s on ${server} does not encrypt secrets, and cannot begin to once it runs`,
      fix: "bring the cluster up by this program, which switches it on",
    },
  ]);
}
