import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { controlPlaneStatus, stopControlPlane, waitForReading } from "../../../../local/control-plane/control-plane";
import { startDaemon } from "../../../../local/control-plane/processes";
import { projectPaths, type Paths } from "../../../../local/paths";
import { endGroups } from "../../../support/end-groups";

const SIMULATED = { processes: ["kwok-controller", "metrics-server", "gatekeeper"] };

const NAMES = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kwok-controller",
  "metrics-server",
  "gatekeeper",
];

let root: string;
let paths: Paths;
let cluster: string;
let started: number[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "control-plane-"));
  paths = projectPaths(root, {});
  cluster = join(paths.state, "control-plane", "clusters", "wasm-functions");
  started = [];
});
afterEach(async () => {
  await endGroups(started);
  rmSync(root, { recursive: true, force: true });
});

/** A stand-in for a component, which writes its name into one file when it is stopped. */
function start(name: string): void {
  const command = join(root, name);
  symlinkSync("/bin/bash", command);
  const pidFile = join(cluster, "pids", `${name}.pid`);
  const ready = join(root, `${name}.ready`);
  const script = `trap 'echo ${name} >> ${join(root, "stopped")}; exit' TERM; touch ${ready}; while :; do sleep 0.02; done`;
  startDaemon({ pidFile, logFile: join(cluster, "logs", `${name}.log`), command, args: ["-c", script, cluster] });
  started.push(Number(readFileSync(pidFile, "utf8")));
}

async function ready(names: readonly string[]): Promise<void> {
  while (!names.every((name) => existsSync(join(root, `${name}.ready`)))) await new Promise((r) => setTimeout(r, 5));
}

describe("the control plane's status", () => {
  it("names every process, with its log, also where nothing was ever started", () => {
    expect(controlPlaneStatus(paths, SIMULATED)).toEqual(
      NAMES.map((name) => ({ name, running: false, log: join(cluster, "logs", `${name}.log`) })),
    );
    expect(existsSync(paths.home)).toBe(false);
  });

  it("tells which of them run", async () => {
    start("etcd");
    start("metrics-server");
    await ready(["etcd", "metrics-server"]);
    const running = controlPlaneStatus(paths, SIMULATED).filter((process) => process.running);
    expect(running.map(({ name }) => name)).toEqual(["etcd", "metrics-server"]);
  });
});

describe("a control plane with a real node", () => {
  it("runs neither KWOK nor what stands in for pods", () => {
    const names = controlPlaneStatus(paths, { processes: [] }).map(({ name }) => name);
    expect(names).toEqual(["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]);
  });
});

describe("stopping the control plane", () => {
  it("ends clients first and etcd last, and leaves no pid file", async () => {
    for (const name of NAMES) start(name);
    await ready(NAMES);
    await stopControlPlane(paths);
    expect(readFileSync(join(root, "stopped"), "utf8").trim().split("\n")).toEqual([...NAMES].reverse());
    expect(readdirSync(join(cluster, "pids"))).toEqual([]);
    expect(controlPlaneStatus(paths, SIMULATED).some((process) => process.running)).toBe(false);
  });

  it("is no error where nothing runs, and ends no stranger that has an old pid", async () => {
    mkdirSync(join(cluster, "pids"), { recursive: true });
    writeFileSync(join(cluster, "pids", "etcd.pid"), String(process.pid));
    await stopControlPlane(paths);
    expect(readdirSync(join(cluster, "pids"))).toEqual([]);
  });
});

describe("waiting for the autoscaler's first reading", () => {
  it("asks again until every function has one", async () => {
    const answers = [
      [{ reading: undefined }, { reading: "70%" }],
      [{ reading: "0%" }, { reading: "70%" }],
    ];
    let asked = 0;
    expect(await waitForReading(() => Promise.resolve(answers[asked++]!), 10)).toEqual([
      { reading: "0%" },
      { reading: "70%" },
    ]);
    expect(asked).toBe(2);
  });

  it("gives the last answer when time is over, and goes on after a question that failed", async () => {
    const answers = [() => Promise.reject(new Error("not yet")), () => Promise.resolve([{ reading: undefined }])];
    let asked = 0;
    expect(await waitForReading(() => answers[Math.min(asked++, 1)]!(), 0.2)).toEqual([{ reading: undefined }]);
    expect(asked).toBe(2);
  });

  it("ends at once when it is stopped", async () => {
    const stop = new AbortController();
    const ask = () => {
      stop.abort();
      return Promise.resolve([{ reading: undefined }]);
    };
    await expect(waitForReading(ask, 60, stop.signal)).rejects.toThrow("aborted");
  });
});
