import { parseConfig, type StackConfig } from "../../../infra/config";
import { planStack, type Plan } from "../../../infra/plan";
import { formatProblem, ProblemsError } from "../../../infra/problems";

export type Raw = Record<string, unknown>;

/** The smallest raw config that is valid; everything else is the reference workload. */
export function rawConfig(overrides: Raw = {}): Raw {
  return { cluster: existing(), ...overrides };
}

export function existing(overrides: Raw = {}): Raw {
  return { kind: "existing", kubeconfig: "kubeconfig.yaml", ...overrides };
}

/** A K3s cluster of so many servers and agents. */
export function k3s(servers: number, agents: number, overrides: Raw = {}): Raw {
  const hosts = (count: number, kind: string, network: string) =>
    Array.from({ length: count }, (_, index) => ({
      name: `${kind}-${index}`,
      host: `${kind}-${index}.example.com`,
      address: `${network}.${Math.floor(index / 250)}.${(index % 250) + 1}`,
      hostKeyUnchecked: true,
    }));
  return {
    kind: "k3s",
    servers: hosts(servers, "server", "172.20"),
    agents: hosts(agents, "agent", "172.21"),
    ...overrides,
  };
}

/** The production stack of the reference: 3 servers, 10 agents of 32 CPU and 128Gi. */
export function prodConfig(overrides: Raw = {}): StackConfig {
  return parseConfig({ cluster: k3s(3, 10), ...overrides });
}

/** A raw config with one function, `checkout`, that differs from the reference in this. */
export function withFunction(fn: Raw, overrides: Raw = {}): Raw {
  return rawConfig({ functions: [{ name: "checkout", ...fn }], ...overrides });
}

export function planOf(raw: Raw): Plan {
  return planStack(parseConfig(raw));
}

/** The lines that a user reads, one for each problem; fails where there are none. */
export function problemsOf(action: () => unknown): string[] {
  return caught(action).problems.map(formatProblem);
}

export function caught(action: () => unknown): ProblemsError {
  try {
    action();
  } catch (error) {
    if (error instanceof ProblemsError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
