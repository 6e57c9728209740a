import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { packageRoot } from '../../cli/embedded/package-root';
import { cached, findGo } from '../../cli/embedded/temporal-cli';

const MODULE = 'go.temporal.io/server';

const compose = parse(readFileSync(path.join(packageRoot(), 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: { temporal: { image: string; environment: Record<string, string> } };
};
/** As docker-compose.yml has them, so that what is tested is what is run. */
export const TEMPORAL_SERVER_ENVIRONMENT = compose.services.temporal.environment;
export const TEMPORAL_SERVER_VERSION = compose.services.temporal.image.split(':')[1]!;

/** `temporal-server`, `temporal-sql-tool` and the folder `schema`. */
export const TEMPORAL_SERVER_FOLDER = cached(`temporal-server-${TEMPORAL_SERVER_VERSION}`);

export const hasTemporalServer = (): boolean => existsSync(TEMPORAL_SERVER_FOLDER);

/** Builds the server and the tool that makes its schema, from source; false where there is no Go to do it. */
export function buildTemporalServer(say: (line: string) => void): boolean {
  if (hasTemporalServer()) return true;
  const go = findGo();
  if (go === undefined) return false;
  say(`Building Temporal server ${TEMPORAL_SERVER_VERSION} from source with Go: some minutes, once`);
  mkdirSync(path.dirname(TEMPORAL_SERVER_FOLDER), { recursive: true });
  const work = mkdtempSync(`${TEMPORAL_SERVER_FOLDER}.unfinished-`);
  try {
    const at = `@v${TEMPORAL_SERVER_VERSION}`;
    run(go, work, ['install', '-ldflags', '-s -w', `${MODULE}/cmd/server${at}`, `${MODULE}/cmd/tools/sql${at}`]);
    const source = path.join(run(go, work, ['env', 'GOMODCACHE']), `${MODULE}${at}`);
    // As they are called in Temporal's images.
    renameSync(path.join(work, 'server'), path.join(work, 'temporal-server'));
    renameSync(path.join(work, 'sql'), path.join(work, 'temporal-sql-tool'));
    cpSync(path.join(source, 'schema/postgresql/v12'), path.join(work, 'schema'), { recursive: true });
    renameSync(work, TEMPORAL_SERVER_FOLDER);
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(go: string, work: string, args: string[]): string {
  const env = { ...process.env, GOBIN: work, GOFLAGS: '' };
  const { status, stdout, stderr } = spawnSync(go, args, { env, encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  throw new Error(`go ${args.join(' ')} failed: ${stderr.trim().split('\n').slice(-3).join(' / ')}`);
}
