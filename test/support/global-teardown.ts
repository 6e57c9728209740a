import { rmSync } from 'node:fs';

/** Stops what the setup started, by its pid, and removes its data. */
export default async function globalTeardown(): Promise<void> {
  const servers = globalThis.holdfastTestServers;
  if (servers === undefined) return;
  await Promise.all([servers.temporal.stop(), servers.postgres.stop()]);
  rmSync(servers.folder, { recursive: true, force: true });
}
