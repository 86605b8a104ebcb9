import { readFileSync } from "node:fs";
import { call, Refused, type Call } from "./client";
import type { EncryptionStatus } from "./encryption";
import { plain } from "./joining";
import { Fatal, JOIN_PORT, SERVER_DIR, TLS } from "./stand-in";

/** `k3s secrets-encrypt status|rotate-keys`: asks the server that runs on this host. */
export async function encryptionCommand([command = "", ...argv]: readonly string[]): Promise<void> {
  if (argv.length > 0) throw new Fatal(`secrets-encrypt ${command} ${argv[0]}: not known to the stand-in`);
  switch (command) {
    case "status":
      process.stdout.write(format(JSON.parse(await ask("status", {})) as EncryptionStatus));
      return;
    case "rotate-keys":
      // The API server takes the new key over within a minute.
      await ask("config", { method: "PUT", body: { stage: "rotate_keys" }, timeout: 70_000 });
      process.stdout.write("keys rotated, reencryption started\n");
      return;
    default:
      throw new Fatal(`secrets-encrypt ${command}: not known to the stand-in`);
  }
}

async function ask(what: string, options: Call): Promise<string> {
  const auth = `server:${plain(readFileSync(`${SERVER_DIR}/token`, "utf8").trim()) ?? ""}`;
  const url = `https://127.0.0.1:${JOIN_PORT}/v1-k3s/encrypt/${what}`;
  try {
    return await call(url, { ...options, auth, ca: readFileSync(`${TLS}/server-ca.crt`) });
  } catch (error) {
    throw new Fatal(`see server log for details: ${error instanceof Refused ? error.body : String(error)}`);
  }
}

function format({ enabled, stage, mismatch, keys }: EncryptionStatus): string {
  if (!enabled) return "Encryption Status: Disabled, no configuration file found\n";
  return [
    "Encryption Status: Enabled",
    `Current Rotation Stage: ${stage}`,
    `Server Encryption Hashes: ${mismatch ?? "All hashes match"}`,
    "",
    "Active  Key Type  Name",
    "------  --------  ----",
    ...keys.map((name, i) => ` ${i === 0 ? "*" : " "}      AES-CBC   ${name}`),
    "",
  ].join("\n");
}
