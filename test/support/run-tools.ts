import { createProgress } from "../../local/progress";
import { projectPaths } from "../../local/paths";
import type { HostUrls } from "../../local/tools/hosts";
import type { ToolName } from "../../local/tools/catalog";
import { prepareTools } from "../../local/tools/resolve";

/** A run of its own, for tests that kill one, limit one or start two: arguments are project, publishers' URLs, names. */
const [, , project = "", hosts = "{}", ...names] = process.argv;

prepareTools(names as ToolName[], {
  paths: projectPaths(project, {}),
  progress: createProgress(process.stderr),
  hosts: JSON.parse(hosts) as HostUrls,
}).then(
  (ready) => process.stdout.write(JSON.stringify(ready)),
  (error: unknown) => {
    process.stderr.write(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
