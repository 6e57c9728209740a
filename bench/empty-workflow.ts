/** Nothing: what it costs is what any workflow costs. */
export async function empty(): Promise<void> {}
