/** One step that takes time. Its last call is `done` or `fail`. */
export interface Task {
  /** What it is doing now. On a terminal the line changes; in a log it is told with the next sign of life. */
  readonly update: (doing: string) => void;
  /** Ends well; the time it took is added. */
  readonly done: (outcome?: string) => void;
  /** Ends badly; the time it took is added. */
  readonly fail: (reason: string) => void;
}

export interface Progress {
  readonly task: (name: string, doing?: string) => Task;
  /** One line that stays. */
  readonly note: (text: string) => void;
  /** Whether lines are redrawn in place, so that what passes need not be told line by line. */
  readonly live: boolean;
}

/** The part of a stream that progress needs: process.stderr, or a collector in tests. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ProgressOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds between two signs of life in a log, so that a long build does not look hung. @default 30000 */
  readonly heartbeat?: number;
}

interface Running {
  readonly name: string;
  readonly started: number;
  doing: string;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const REDRAW = 120;

/** Progress of long steps: lines redrawn in place on a terminal, plain lines anywhere else. */
export function createProgress(stream: ProgressStream, options: ProgressOptions = {}): Progress {
  const env = options.env ?? process.env;
  const live = stream.isTTY === true && env["TERM"] !== "dumb";
  const paint = painter(live && !env["NO_COLOR"]);
  return live ? liveProgress(stream, paint) : plainProgress(stream, paint, options.heartbeat ?? 30_000);
}

/** Progress that nobody sees, for callers that report by other means. */
export const silentProgress: Progress = {
  task: () => ({ update: () => undefined, done: () => undefined, fail: () => undefined }),
  note: () => undefined,
  live: false,
};

/** `4.2 s`, `105 s`, `6 min 8 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

type Paint = (color: "green" | "red" | "dim", text: string) => string;

function painter(colors: boolean): Paint {
  const codes = { green: 32, red: 31, dim: 2 };
  return (color, text) => (colors ? `\u001b[${codes[color]}m${text}\u001b[0m` : text);
}

function ending(paint: Paint, task: Running, good: boolean, outcome: string): string {
  const mark = good ? paint("green", "✓") : paint("red", "✗");
  return `${mark} ${task.name}: ${outcome} ${paint("dim", `in ${elapsed(task)}`)}\n`;
}

function elapsed(task: Running): string {
  return formatDuration(Date.now() - task.started);
}

function plainProgress(stream: ProgressStream, paint: Paint, heartbeat: number): Progress {
  return {
    live: false,
    note: (text) => void stream.write(`${text}\n`),
    task(name, doing = "started") {
      const task: Running = { name, started: Date.now(), doing };
      stream.write(`- ${name}: ${doing}\n`);
      const beat = setInterval(() => stream.write(`  ${name}: ${task.doing}, ${elapsed(task)}\n`), heartbeat);
      // Progress alone must not keep a process alive that has nothing else to do.
      beat.unref();
      const end = (good: boolean, outcome: string) => {
        clearInterval(beat);
        stream.write(ending(paint, task, good, outcome));
      };
      return {
        update: (next) => void (task.doing = next),
        done: (outcome = "done") => end(true, outcome),
        fail: (reason) => end(false, reason),
      };
    },
  };
}

function liveProgress(stream: ProgressStream, paint: Paint): Progress {
  const running = new Set<Running>();
  let drawn = 0;
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;

  // Back over what was drawn, then the lines that stay, then the running ones anew.
  const draw = (staying = "") => {
    const lines = [...running].map((task) => liveLine(stream, paint, task, FRAMES[frame % FRAMES.length] ?? ""));
    stream.write(
      `${drawn > 0 ? `\u001b[${drawn}A\r\u001b[J` : ""}${staying}${lines.map((line) => `${line}\n`).join("")}`,
    );
    drawn = lines.length;
  };
  const tick = () => {
    frame += 1;
    draw();
  };

  return {
    live: true,
    note: (text) => draw(`${text}\n`),
    task(name, doing = "started") {
      const task: Running = { name, started: Date.now(), doing };
      running.add(task);
      timer ??= setInterval(tick, REDRAW).unref();
      draw();
      const end = (good: boolean, outcome: string) => {
        running.delete(task);
        draw(ending(paint, task, good, outcome));
        if (running.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
      return {
        update: (next) => void (task.doing = next),
        done: (outcome = "done") => end(true, outcome),
        fail: (reason) => end(false, reason),
      };
    },
  };
}

/** Cut to the terminal's width: a line that wraps would make the way back up too short. */
function liveLine(stream: ProgressStream, paint: Paint, task: Running, frame: string): string {
  const room = Math.max(20, (stream.columns ?? 80) - 1);
  const time = elapsed(task);
  const text = `${task.name}: ${task.doing}`;
  const width = room - frame.length - time.length - 2;
  const cut = text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
  return `${frame} ${cut} ${paint("dim", time)}`;
}
