import { createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { openEtcd } from "./client";
import type { ServerConfig } from "./config";
import { Fatal, log, SERVER_DIR } from "./stand-in";

const FOLDER = `${SERVER_DIR}/db/snapshots`;

/** `k3s etcd-snapshot save|ls|delete|prune`, of which save takes `--name`. */
export async function snapshotCommand(
  [command = "save", ...argv]: readonly string[],
  config: ServerConfig,
): Promise<void> {
  switch (command) {
    case "save": {
      const name = /--name[= ](\S+)/.exec(argv.join(" "))?.[1] ?? "on-demand";
      await save(name, config.nodeName);
      return;
    }
    case "ls":
    case "list": {
      const rows = list().map(({ name, size, at }) => [
        name,
        `file://${join(FOLDER, name)}`,
        String(size),
        at.toISOString(),
      ]);
      for (const row of [["Name", "Location", "Size", "Created"], ...rows]) process.stdout.write(`${row.join("\t")}\n`);
      return;
    }
    case "delete": {
      for (const name of argv) rmSync(join(FOLDER, name));
      return;
    }
    case "prune": {
      const name = /--name[= ](\S+)/.exec(argv.join(" "))?.[1] ?? "on-demand";
      prune(`${name}-${config.nodeName}`, config.snapshotRetention);
      return;
    }
    default:
      throw new Fatal(`etcd-snapshot ${command}: not known to the stand-in`);
  }
}

/** Takes snapshots as the schedule says, and keeps as many of these as the config says. */
export async function keepSnapshots(config: ServerConfig): Promise<void> {
  const isDue = schedule(config.snapshotSchedule);
  for (;;) {
    await sleep(60_000 - (Date.now() % 60_000));
    if (!isDue(new Date())) continue;
    try {
      await save("etcd-snapshot", config.nodeName);
      prune(`etcd-snapshot-${config.nodeName}`, config.snapshotRetention);
    } catch (error) {
      log("error", `Failed to take etcd snapshot: ${String(error)}`);
    }
  }
}

/** The whole of etcd, as it tells it by its maintenance API; the file ends with its own SHA-256. */
async function save(name: string, node: string): Promise<void> {
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
  const file = join(FOLDER, `${name}-${node}-${Math.floor(Date.now() / 1000)}`);
  const out = createWriteStream(`${file}.part`, { mode: 0o600 });
  const answer = await openEtcd("/v3/maintenance/snapshot", {});
  // One JSON object a line.
  for await (const line of createInterface({ input: answer })) {
    const { result, error } = JSON.parse(line) as { result?: { blob?: string }; error?: { message: string } };
    if (error) throw new Fatal(`etcd refuses a snapshot: ${error.message}`);
    out.write(Buffer.from(result?.blob ?? "", "base64"));
  }
  await new Promise<void>((done, failed) => out.on("error", failed).end(done));
  renameSync(`${file}.part`, file);
  log("info", `Snapshot ${file} saved.`);
}

function prune(prefix: string, retention: number): void {
  const old = list().filter(({ name }) => name.startsWith(`${prefix}-`));
  for (const { name } of old.slice(retention)) rmSync(join(FOLDER, name));
}

/** The newest first. */
function list(): { readonly name: string; readonly size: number; readonly at: Date }[] {
  const names = existsSync(FOLDER) ? readdirSync(FOLDER) : [];
  return names
    .filter((name) => !name.endsWith(".part"))
    .map((name) => ({ name, size: statSync(join(FOLDER, name)).size, at: statSync(join(FOLDER, name)).mtime }))
    .sort((a, b) => b.at.getTime() - a.at.getTime() || b.name.localeCompare(a.name));
}

/** Whether a minute is one of a cron schedule's; fields are numbers, `*`, ranges, lists and steps. */
function schedule(cron: string): (at: Date) => boolean {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5) throw new Fatal(`etcd-snapshot-schedule-cron: ${cron} has not five fields`);
  return (at) => {
    const now = [at.getMinutes(), at.getHours(), at.getDate(), at.getMonth() + 1, at.getDay()];
    return fields.every((field, i) => field.split(",").some((part) => matches(part, now[i] ?? 0)));
  };
}

function matches(part: string, value: number): boolean {
  const [range = "", step = "1"] = part.split("/");
  const [first = 0, last = part.includes("/") ? Infinity : first] =
    range === "*" ? [0, Infinity] : range.split("-").map(Number);
  return value >= first && value <= last && (value - first) % Number(step) === 0;
}
