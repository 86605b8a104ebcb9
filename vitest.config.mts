import { defineConfig } from "vitest/config";

/**
 * Five kinds of test. `unit` runs in milliseconds and needs nothing; `engine` and `scaling` run the real Pulumi engine against
 * a real control plane and need the tools that `make tools` prepares; `real` runs functions on a real node, and `hosts`
 * installs K3s on hosts that it boots: both need root on Linux.
 */
export default defineConfig({
  test: {
    // Results as they come, also in a log; and what the end of `make test` tells.
    reporters: ["verbose", "./test/reporter.ts"],
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 20_000 } },
      {
        test: {
          name: "engine",
          include: ["test/engine/**/*.test.ts"],
          globalSetup: "test/engine/setup.ts",
          testTimeout: 600_000,
          hookTimeout: 600_000,
          // Each file has a control plane of its own; two at once would only slow each other down on two cores.
          fileParallelism: false,
        },
      },
      {
        test: {
          // As `engine`, of autoscalers: apart, so that it can run beside what mostly waits.
          name: "scaling",
          include: ["test/scaling/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "real",
          include: ["test/real/**/*.test.ts"],
          // Builds what the node is made of, where it is not in the cache.
          globalSetup: "test/real/setup.ts",
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "hosts",
          include: ["test/hosts/**/*.test.ts"],
          globalSetup: "test/hosts/setup.ts",
          testTimeout: 600_000,
          hookTimeout: 600_000,
          // There is one network of hosts at a time.
          fileParallelism: false,
        },
      },
    ],
  },
});
