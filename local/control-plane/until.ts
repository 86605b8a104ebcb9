/** Attempts again until it holds, or `seconds` are over: whether it did. An attempt that fails only means "not yet". */
export async function until(seconds: number, attempt: () => Promise<boolean>, signal?: AbortSignal): Promise<boolean> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    // Not within the attempt, whose errors only mean "not yet".
    signal?.throwIfAborted();
    if (await attempt().catch(() => false)) return true;
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
