import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** containerd cuts a line after so many bytes, and marks all but its last part as partial. */
const PART = 16 * 1024;
/** When the system's own clock began, nanoseconds. */
const CLOCK_START = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
const UID = "0a1b2c3d-1111-2222-3333-444455556666";

/** A container's lines in files as containerd writes and kubelet rotates them, each line with a number of its own. */
export class PodLog {
  /** So many lines were written; their numbers begin at 1. */
  written = 0;
  private readonly folder: string;
  private rotations = 0;

  /** @param pods the folder that has one for each pod */
  constructor(
    pods: string,
    readonly namespace: string,
    readonly pod: string,
    readonly container: string,
  ) {
    this.folder = join(pods, `${namespace}_${pod}_${UID}`, container);
    mkdirSync(this.folder, { recursive: true });
  }

  /** @param text goes before the number; of more than 16 KiB it comes in parts */
  line(text = ""): void {
    const line = `${text} number=${++this.written}`;
    const parts = Array.from({ length: Math.ceil(line.length / PART) }, (_, part) =>
      line.slice(part * PART, (part + 1) * PART),
    );
    this.raw(
      parts.map((part, index) => `${this.now()} stdout ${index === parts.length - 1 ? "F" : "P"} ${part}\n`).join(""),
    );
  }

  raw(text: string): void {
    appendFileSync(join(this.folder, "0.log"), text, { mode: 0o640 });
  }

  /** As kubelet does it where it keeps two files: what was rotated before is deleted. */
  rotate(): void {
    for (const file of readdirSync(this.folder)) if (file !== "0.log") rmSync(join(this.folder, file));
    const time = `20260101-${String(++this.rotations).padStart(6, "0")}`;
    renameSync(join(this.folder, "0.log"), join(this.folder, `0.log.${time}`));
  }

  /** The pod is deleted. */
  delete(): void {
    rmSync(join(this.folder, ".."), { recursive: true });
  }

  /** RFC 3339 with nanoseconds, as containerd's clock has them. */
  private now(): string {
    const time = CLOCK_START + process.hrtime.bigint();
    const seconds = new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19);
    return `${seconds}.${String(time % 1_000_000_000n).padStart(9, "0")}Z`;
  }
}
