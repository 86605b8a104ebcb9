/** Attempts to put something back, and milliseconds between them: an API server that restarts is back by then. */
const PATIENCE = { attempts: 10, pause: 1000 };

/** Tries again what has to be done, whatever stands in its way. @throws what the last attempt met */
export async function insist(put: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await put();
      return;
    } catch (error) {
      if (attempt === PATIENCE.attempts) throw error;
      await new Promise((resume) => setTimeout(resume, PATIENCE.pause));
    }
  }
}
