import { formatProblem, ProblemsError, type Problem } from "../../infra/problems";
import type { Session } from "../engine/commands";
import { inParallel } from "../parallel";
import { table } from "../table";
import { parseFacts, questionsFor, roleOf, settingsOf } from "./facts";
import { CHECKS, judgeHost, settingsToChange, type Finding } from "./judge";
import { withHosts, type OpenHosts } from "./open";
import { HostError, obstacle, type Host } from "./ssh";

/** Hosts that are asked at once: each is one process of OpenSSH here. */
const AT_ONCE = 8;

/** What came out for one host; of one that could not be entered nothing else is known. */
interface Report {
  readonly host: Host;
  readonly findings: readonly Finding[];
  readonly entered: boolean;
  /** The plan's kernel settings that `up` would change. */
  readonly settings: number;
}

/**
 * Looks whether all hosts can become what the config says, and changes nothing on them.
 *
 * @throws ProblemsError with every problem of every host
 */
export async function hostsCheck(session: Session, stackName: string): Promise<void> {
  const { progress, print } = session;
  await withHosts(session, stackName, async (open) => {
    const { servers, agents } = open.cluster;
    const hosts = [...servers, ...agents];
    let asked = 0;
    const task = progress.task("hosts", `0 of ${hosts.length} asked`);
    const reports = await inParallel(hosts, AT_ONCE, async (host) => {
      const report = await checkHost(open, host, session.signal);
      task.update(`${++asked} of ${hosts.length} asked`);
      return report;
    }).catch((error: unknown) => {
      task.fail("could not all be asked");
      throw error;
    });
    const findings = reports.flatMap(({ host, findings }) => findings.map((finding) => ({ host, finding })));
    const told = (level: Finding["level"]) =>
      findings.filter(({ finding }) => finding.level === level).map(({ host, finding }) => problemOf(host, finding));
    const [problems, warnings] = [told("problem"), told("warning")];
    task.done(`${hosts.length} asked, ${problems.length} problems, ${warnings.length} warnings`);
    print(hostTable(open, reports));
    for (const warning of warnings) progress.note(`warning: ${formatProblem(warning)}`);
    if (problems.length > 0) throw new ProblemsError("The hosts are not ready", problems);
  });
}

async function checkHost({ cluster, plan, shell }: OpenHosts, host: Host, signal: AbortSignal): Promise<Report> {
  const { agentSysctls } = plan.topology;
  const questions = questionsFor(cluster, host, Object.keys(agentSysctls));
  const asked = Date.now();
  try {
    const facts = parseFacts(await shell.run(host, "check-host", settingsOf(questions), signal), questions);
    const findings = judgeHost(facts, { cluster, host, questions, asked, answered: Date.now() });
    return { host, findings, entered: true, settings: settingsToChange(facts, agentSysctls) };
  } catch (error) {
    if (!(error instanceof HostError) || signal.aborted) throw error;
    const why = obstacle(error);
    if (!why) throw error;
    const value = `${host.user}@${host.host} port ${host.port}`;
    return { host, findings: [{ check: "entry", level: "problem", value, ...why }], entered: false, settings: 0 };
  }
}

function problemOf(host: Host, { check, value, limit, fix }: Finding): Problem {
  return { path: `${host.name}.${check}`, value, limit, fix };
}

function hostTable({ cluster }: OpenHosts, reports: readonly Report[]): string {
  const heads = ["HOST", "ROLE", ...CHECKS.map((check) => check.toUpperCase()), "SETTINGS"];
  const rows = reports.map(({ host, findings, entered, settings }) => [
    host.name,
    roleOf(cluster, host),
    ...CHECKS.map((check) => {
      const levels = findings.filter((finding) => finding.check === check).map(({ level }) => level);
      if (levels.includes("problem")) return "problem";
      if (levels.includes("warning")) return "warning";
      return entered ? "ok" : "-";
    }),
    // Not a fault: up sets them.
    entered ? (settings === 0 ? "ok" : `${settings} to set`) : "-",
  ]);
  return table([heads, ...rows]);
}
