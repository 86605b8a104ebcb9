import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import type { Ports } from "../../../../local/control-plane/ports";
import { forwarderDaemons, forwarderPidFiles, forwarderStatus } from "../../../../local/node/forwarders";
import { planLink } from "../../../../local/node/network";

const PORTS: Ports = {
  kubeApiserver: 20_001,
  etcd: 20_002,
  etcdPeer: 20_003,
  kubeControllerManager: 20_004,
  kubeScheduler: 20_005,
  kwokController: 20_006,
  metricsServer: 20_007,
  gatekeeperWebhook: 20_008,
  gatekeeperHealth: 20_009,
  kedaAdapter: 20_010,
  kedaOperator: 20_011,
  kedaHealth: 20_012,
  prometheus: 20_013,
  gatewayMetrics: 20_014,
};

const FOLDER = "/state/node";
const LINK = planLink(FOLDER, []);
const DAEMONS = forwarderDaemons({ folder: FOLDER, link: LINK, rootFs: "/debian", ports: PORTS });

const ways = DAEMONS.map(({ args }) => args.slice(-2));

describe("the forwarders of a real node's control plane", () => {
  it("take connections at this machine's end of the link alone, and pass them on to loopback", () => {
    expect(ways).toEqual([
      [`TCP-LISTEN:20001,bind=${LINK.host},fork,reuseaddr`, "TCP:127.0.0.1:20001"],
      [`TCP-LISTEN:10257,bind=${LINK.host},fork,reuseaddr`, "TCP:127.0.0.1:20004"],
      [`TCP-LISTEN:10259,bind=${LINK.host},fork,reuseaddr`, "TCP:127.0.0.1:20005"],
    ]);
  });

  it("leave etcd alone, which asks nobody who they are", () => {
    expect(ways.flat().join(" ")).not.toMatch(/2000[23]/);
  });

  it("are each known by a pid file of their own, whose folder their command line names", () => {
    expect(DAEMONS.map(({ pidFile }) => pidFile)).toEqual(forwarderPidFiles(FOLDER));
    expect(new Set(forwarderPidFiles(FOLDER)).size).toBe(DAEMONS.length);
    for (const { pidFile, args } of DAEMONS) {
      expect(pidFile).toMatch(/\/socat\.pid$/);
      expect(args.join(" ")).toContain(dirname(dirname(pidFile)));
    }
  });

  it("are told with their logs", () => {
    const names = ["api-forwarder", "controller-manager-forwarder", "scheduler-forwarder"];
    const logs = DAEMONS.map(({ logFile }) => logFile);
    expect(forwarderStatus(FOLDER)).toEqual(names.map((name, i) => ({ name, running: false, log: logs[i] })));
    expect(new Set(logs).size).toBe(names.length);
  });
});
