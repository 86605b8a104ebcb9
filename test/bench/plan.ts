import { parseConfig } from "../../infra/config";
import { planStack } from "../../infra/plan";
import { alone, median, milliseconds, type Measurement } from "./measure";

const AGENTS = 10_000;
const SERVERS = 3;
const CALLS = 15;
const AIM = { value: 50 };

/** The plan of a cluster of hosts, the larger of the two kinds of config: each agent is an entry of its own. */
export function measurePlan(): Measurement[] {
  const config = parseConfig({
    cluster: {
      kind: "k3s",
      servers: hosts(SERVERS, "server", "172.20"),
      agents: hosts(AGENTS, "agent", "172.21"),
      // A node of 110 pods takes a /25 of it: 2^14 nodes fit.
      network: { podCidr: "10.0.0.0/11", serviceCidr: "10.43.0.0/16" },
    },
  });
  const plan = () => planStack(config);
  const first = milliseconds(plan);
  const later = Array.from({ length: CALLS }, () => milliseconds(plan));
  const name = `plan of ${AGENTS.toLocaleString("en")} agents`;
  return [alone(`${name}, first call`, first, "ms", AIM), alone(`${name}, later calls`, median(later), "ms", AIM)];
}

function hosts(count: number, kind: string, network: string) {
  return Array.from({ length: count }, (_, index) => ({
    name: `${kind}-${index}`,
    host: `${network}.${Math.floor(index / 250)}.${(index % 250) + 1}`,
    hostKeyUnchecked: true,
  }));
}
