import { chmodSync, mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { dataFolder } from '../../cli/embedded/data-folder';
import { packageRoot } from '../../cli/embedded/package-root';
import { APP_ROLE, startPostgres, type RunningPostgres } from '../../cli/embedded/postgres';
import { ensureDatabase, ensureRoles } from '../../cli/embedded/postgres-databases';
import { startTemporal, type RunningTemporal } from '../../cli/embedded/temporal';
import { migrateShard } from '../../migrations';

export const TEMPLATE_DATABASE = 'holdfast_template';
/** Sooner than by default: a new namespace is known (after 2 s), and a history is called long (at 4,096 events). */
const dynamicConfig = {
  'system.namespaceCacheRefreshInterval': '200ms',
  'limit.historyCount.suggestContinueAsNew': 800,
};

export interface TestServers {
  folder: string;
  postgres: RunningPostgres;
  temporal: RunningTemporal;
}

declare global {
  // Jest gives the teardown no other way to what the setup made.
  var holdfastTestServers: TestServers | undefined;
}

/** One real Postgres and one real Temporal for the whole run; each test file clones its own database from the template. */
export default async function globalSetup(): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-test-'));
  chmodSync(folder, 0o711); // as root, Postgres runs as a user who has to get in
  const { reachableCopies } = dataFolder(path.join(packageRoot(), '.holdfast'));
  const passwords = { admin: 'admin', owner: 'owner', app: 'app' };
  const withWebUi = process.env['HOLDFAST_TEST_WEB_UI'] === '1';
  const say = (line: string) => process.stderr.write(`${line}\n`);

  const startBooks = async () => {
    const postgres = await startPostgres({
      dataDir: path.join(folder, 'postgres'),
      port: 0,
      passwords,
      logFile: path.join(folder, 'postgres.log'),
      reachableCopies,
      durable: false, // tests kill processes, not the machine
    });
    const adminUrl = postgres.adminUrl('postgres');
    await ensureRoles(adminUrl, passwords);
    await ensureDatabase(adminUrl, TEMPLATE_DATABASE);
    await migrateShard({ ownerUrl: postgres.ownerUrl(TEMPLATE_DATABASE), appRole: APP_ROLE, shard: 0, shardCount: 1 });
    return postgres;
  };

  const [postgres, temporal] = await Promise.all([
    startBooks(),
    startTemporal({
      port: 0,
      ...(withWebUi && { uiPort: 0 }),
      dynamicConfig,
      logFile: path.join(folder, 'temporal.log'),
      say,
    }),
  ]);
  globalThis.holdfastTestServers = { folder, postgres, temporal };

  Object.assign(process.env, {
    HOLDFAST_TEST_FOLDER: folder,
    HOLDFAST_TEST_POSTGRES_ADMIN_URL: postgres.adminUrl('postgres'),
    HOLDFAST_TEST_OWNER_URL_TEMPLATE: postgres.ownerUrl('{db}'),
    HOLDFAST_TEST_APP_URL_TEMPLATE: postgres.appUrl('{db}'),
    HOLDFAST_TEST_TEMPORAL_ADDRESS: temporal.address,
    ...(temporal.uiUrl !== undefined && { HOLDFAST_TEST_WEB_UI_URL: temporal.uiUrl }),
    HOLDFAST_TEST_POSTGRES_PID: String(postgres.pid),
    HOLDFAST_TEST_TEMPORAL_PID: String(temporal.pid),
  });
}
