/**
 * Asks again every `everyMs` until there is an answer (anything but undefined, null or false), and resolves with it.
 * Throws after `withinMs`, naming what was awaited and the last error; an `ask` that throws has no answer yet.
 */
export async function waitUntil<Answer>(
  ask: () => Promise<Answer | undefined | null | false> | Answer | undefined | null | false,
  what: string,
  withinMs = 10_000,
  everyMs = 20,
): Promise<Answer> {
  let last = '';
  for (const deadline = Date.now() + withinMs; ; ) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      last = '';
    } catch (thrown) {
      last = `; last error: ${thrown}`;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms${last}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
