import { bootHosts } from "./hosts";

/** A test of its own, for one that kills it: boots hosts of these names, says so, and does nothing more. */
bootHosts(process.argv.slice(2).map((name) => ({ name }))).then(
  () => process.stdout.write("booted\n"),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
setInterval(() => undefined, 60_000);
