import { LoadGenerator } from "./generator";
import type { ToLoad } from "./messages";

/**
 * The process of a load: it has an event loop of its own, so that neither the watch on pods nor the screen makes requests
 * late. It does what its parent says, tells what it saw each time, and ends with it.
 */
let generator: LoadGenerator | undefined;

process.on("message", (message: ToLoad) => {
  switch (message.kind) {
    case "target":
      generator = new LoadGenerator(message.target);
      return;
    case "tokens":
      generator?.use(message.tokens);
      return;
    case "rate":
      // A parent that is gone just now needs no answer.
      process.send?.(generator?.follow(message.rate, message.phase), undefined, {}, () => undefined);
  }
});
// Ctrl-C reaches all of a terminal's processes; the parent has a report to write yet.
process.on("SIGINT", () => undefined);
process.on("disconnect", () => process.exit());
