/** Tries until it succeeds; what it last failed with, when it takes too long. */
export async function eventually<T>(
  attempt: () => Promise<T>,
  { withinMs = 30_000, everyMs = 50 }: { withinMs?: number | undefined; everyMs?: number } = {},
): Promise<T> {
  const giveUpAt = Date.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
    }
    await new Promise((resume) => setTimeout(resume, everyMs));
  }
}
