/**
 * Ends daemons with all that they have started, and waits until they are gone: a kill only asks, and what still runs may
 * still write into the folder that a test is about to remove.
 */
export async function endGroups(leaders: Iterable<number>): Promise<void> {
  for (const leader of leaders) {
    while (kill(leader)) await new Promise((resume) => setTimeout(resume, 5));
  }
}

/** False once nobody is in the group. */
function kill(leader: number): boolean {
  try {
    return process.kill(-leader, "SIGKILL");
  } catch {
    return false;
  }
}
