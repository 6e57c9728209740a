import { isMissing, isNeeded, keyInWords } from '../ledger/key-use';
import { missingMonths } from '../ledger/months';
import { openShards } from '../ledger/shards';
import { BANK_VARIABLES } from './bank-settings';
import { CONFIG_VARIABLES, loadConfig, type Config } from './config';
import { dataFolder } from './embedded/data-folder';
import { lockHolder } from './embedded/lock';
import { isPortFree, portOwner } from './embedded/ports';
import { missingSearchAttributes, serverVersion } from './embedded/temporal-client';
import { findReadyTemporal } from './embedded/temporal-cli';
import { NAME_PROXIES } from './guard-settings';
import { keysOf } from './keys/list';
import { localEnv } from './local-env';
import { LOCAL_VARIABLES, loadLocalSettings, type LocalSettings } from './local-settings';
import { newerInWords } from './migrate';
import { placeOf } from './place';
import { requireShard } from './preflight';
import { probeBank, probePostgres, probeTemporal } from './probes';
import { replicaInWords, requireReplica } from './shards/replica';
import { readState } from './state';
import { slowestStatements } from './slow-statements';
import { MOVE_VARIABLES } from './shards/settings';
import { ConfigError, ENV_FILE_VARIABLE, settingInFile, type Env } from './settings';
import { isTooOld, OLDEST_TEMPORAL_SERVER } from './temporal-version';
import { UserError } from './user-error';

const log = { info() {}, warn() {}, error() {} };

type Finding = { ok: true; text: string } | { ok: false; text: string; whatToDo: string };
const good = (text: string): Finding => ({ ok: true, text });
const bad = (text: string, whatToDo: string): Finding => ({ ok: false, text, whatToDo });

/** Looks at everything Holdfast needs, and says what to do about what is wrong. Changes nothing. */
export async function doctor(env: Env): Promise<number> {
  const findings: Finding[] = [node(), ...misspelt(env)];
  try {
    const settings = loadLocalSettings(env);
    const holder = lockHolder(dataFolder(settings.dataDir).lock);
    const own = !settings.embedded.postgres && !settings.embedded.temporal;
    findings.push(good(holder ? `Holdfast runs here (pid ${holder.pid})` : 'Holdfast is not running here'));
    if (holder !== undefined || own || env.HOLDFAST_ENV === 'production') {
      const config = loadConfig(localEnv(env));
      findings.push(...(await servers(config)));
      if (holder !== undefined && settings.embedded.bank) findings.push(await bank(config));
      if (holder !== undefined) findings.push(...(await slowest(settings)));
    } else {
      findings.push(...(await beforeStart(settings)));
    }
  } catch (error) {
    if (error instanceof ConfigError) {
      findings.push(...error.problems.map((each) => bad(`Configuration: ${each.variable}`, each.message)));
    } else if (error instanceof UserError) findings.push(bad(error.message, error.whatToDo ?? ''));
    else throw error;
  }
  for (const finding of findings) {
    console.log(`${finding.ok ? 'ok     ' : 'PROBLEM'} ${finding.text}`);
    if (!finding.ok) console.log(`          -> ${finding.whatToDo.replaceAll('\n', '\n             ')}`);
  }
  const problems = findings.filter(({ ok }) => !ok).length;
  console.log(problems === 0 ? '\nAll is well.' : `\n${problems} ${problems === 1 ? 'problem' : 'problems'}.`);
  return problems === 0 ? 0 : 1;
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const text = `Node ${process.versions.node}`;
  return major > 20 || (major === 20 && minor >= 19) ? good(text) : bad(text, 'Install Node 20.19 or later.');
}

/** A setting that is spelt wrong is silently no setting at all. */
function misspelt(env: Env): Finding[] {
  const known = new Set([
    ...CONFIG_VARIABLES,
    ...LOCAL_VARIABLES,
    ...BANK_VARIABLES,
    ...MOVE_VARIABLES,
    'HOLDFAST_REPORT_DIR',
    ENV_FILE_VARIABLE,
  ]);
  return Object.keys(env)
    .filter((name) => /^HOLDFAST_(?!TEST_|BENCH_)/.test(name) && !known.has(settingInFile(name) ?? name))
    .map((name) => bad(`${name} is set, but is no setting`, 'See .env.example for how they are spelt.'));
}

async function servers(config: Config): Promise<Finding[]> {
  const shards = await Promise.all(
    config.shards.map((each, shard) => oneShard({ ...each, shard, shardCount: config.shards.length })),
  );
  const keys = shards.flat().every(({ ok }) => ok) ? await keysNeeded(config) : [];
  return [...shards.flat(), ...keys, ...(await temporal(config)), ...proxies(config)];
}

function proxies({ production, guard }: Config): Finding[] {
  return production && guard.trustProxy === false ? [bad('HOLDFAST_TRUST_PROXY is not set', NAME_PROXIES)] : [];
}

/** Those that are given without need are said, too: they may go. */
async function keysNeeded(config: Config): Promise<Finding[]> {
  const all = (await keysOf(config)).flatMap(({ keys }) => keys);
  return [...new Set(all.map(({ id }) => id))].map((id) => {
    const uses = all.filter((use) => use.id === id);
    const worst = uses.find(isMissing) ?? uses.find(isNeeded) ?? uses[0]!;
    const wraps = uses.reduce((sum, use) => sum + use.wraps, 0);
    const seals = uses.reduce((sum, use) => sum + use.seals, 0);
    const text = `Key ${id} ${keyInWords({ ...worst, wraps, seals })}`;
    return !isMissing(worst) ? good(text) : bad(text, 'Put it back into HOLDFAST_SEAL_KEYS, after the first.');
  });
}

type OneShard = Config['shards'][number] & { shard: number; shardCount: number };

async function oneShard(of: OneShard): Promise<Finding[]> {
  const { url, shard } = of;
  const health = await probePostgres(url);
  const what = `Postgres of shard ${shard} at ${placeOf(url)}`;
  if (!health.healthy) return [bad(`${what}: ${health.reason}`, 'Start it, or correct HOLDFAST_DATABASE_URLS.')];
  try {
    const newer = await requireShard(of);
    const migrations = good(
      newer.length > 0 ? `Shard ${shard} ${newerInWords(newer)}` : `Migrations of shard ${shard}`,
    );
    const replica = of.replica ? [await replicaOf({ ...of, replica: of.replica })] : [];
    return [good(what), migrations, await monthsOf(url, shard), ...replica];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [good(what), bad(error.message, error.whatToDo ?? '')];
  }
}

async function monthsOf(url: string, shard: number): Promise<Finding> {
  const shards = openShards({ urls: [url], log, poolSize: 1 });
  try {
    const missing = await missingMonths(shards.shard(0).db);
    if (missing.length === 0) return good(`Months ahead of shard ${shard}`);
    return bad(
      `Shard ${shard} has no tables yet for months ahead: ${missing.join(', ')}`,
      'Start a worker: its schedule makes them every day. Nothing waits for it: a month’s first posting makes its own.',
    );
  } finally {
    await shards.close();
  }
}

async function replicaOf(of: OneShard & Required<Pick<OneShard, 'replica'>>): Promise<Finding> {
  const health = await requireReplica(of);
  const text = `The replica of shard ${of.shard} at ${placeOf(of.replica.url)} ${replicaInWords(health)}`;
  if (health.state === 'near') return good(text);
  return bad(text, 'Nothing waits for it, history comes from the shard itself: see to it, or leave its place empty.');
}

async function temporal(config: Config): Promise<Finding[]> {
  const { address, namespace } = config.temporal;
  const what = `Temporal at ${address}, namespace "${namespace}"`;
  if (!(await probeTemporal(config)).healthy) {
    return [
      bad(`${what}: no answer`, 'Start it, make the namespace, or correct TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.'),
    ];
  }
  const [version, missing] = await Promise.all([
    serverVersion(config.temporal),
    missingSearchAttributes(config.temporal),
  ]);
  const found = [good(what), versionOf(version)];
  if (missing.length === 0) return [...found, good('Search attributes')];
  const commands = missing.map((name) => `temporal operator search-attribute create --name ${name} --type Keyword`);
  const whatToDo = `Start a worker, which makes them; or do it yourself:\n${commands.join('\n')}`;
  return [...found, bad(`Search attributes are missing: ${missing.join(', ')}`, whatToDo)];
}

function versionOf(version: string): Finding {
  if (!isTooOld(version)) return good(`Temporal server ${version || 'that does not say its version'}`);
  return bad(
    `Temporal server ${version} is older than ${OLDEST_TEMPORAL_SERVER}, the oldest that Holdfast was tested with`,
    'Upgrade it, by one minor version after the other.',
  );
}

async function bank(config: Config): Promise<Finding> {
  const what = `Bank simulator at ${config.bank.url}`;
  const health = await probeBank(config);
  if (health.healthy) return good(what);
  return bad(`${what}: ${health.reason}`, 'It is started again by itself; its log is in .holdfast/logs/bank.log.');
}

/** How long SQL takes is for people to judge: it is told, and is no problem by itself. */
async function slowest({ dataDir }: LocalSettings): Promise<Finding[]> {
  const ports = readState(dataFolder(dataDir).state)?.ports;
  if (!ports) return [];
  const processes = [
    { name: 'API', port: ports.metrics },
    { name: 'worker', port: ports.worker },
  ];
  return Promise.all(
    processes.map(async ({ name, port }) => {
      const statements = await slowestStatements(port);
      const each = statements.map(
        ({ name: statement, averageMs, count, slow }) =>
          `${statement} ${averageMs.toFixed(1)} ms on average of ${count}${slow > 0 ? `, ${slow} slow` : ''}`,
      );
      return good(`SQL of the ${name} that takes longest: ${each.join('; ') || 'none yet'}`);
    }),
  );
}

/** Nothing runs yet: would `npm start` succeed? */
async function beforeStart({ ports, embedded }: LocalSettings): Promise<Finding[]> {
  const wanted = [
    { variable: 'PORT', port: ports.api, needed: true },
    { variable: 'HOLDFAST_BANK_PORT', port: ports.bank, needed: embedded.bank },
    { variable: 'HOLDFAST_TEMPORAL_PORT', port: ports.temporal, needed: embedded.temporal },
    { variable: 'HOLDFAST_TEMPORAL_UI_PORT', port: ports.temporalUi, needed: embedded.temporal },
    { variable: 'HOLDFAST_POSTGRES_PORT', port: ports.postgres, needed: embedded.postgres },
  ];
  const findings: Finding[] = [];
  for (const { variable, port, needed } of wanted) {
    if (!needed || port === 0) continue;
    if (await isPortFree(port)) findings.push(good(`Port ${port} is free (${variable})`));
    else {
      const owner = portOwner(port);
      const who = owner === undefined ? 'another program' : `pid ${owner.pid}: ${owner.command.slice(0, 80)}`;
      findings.push(bad(`Port ${port} is in use by ${who}`, `Stop it, or set ${variable} to another port.`));
    }
  }
  if (embedded.temporal) {
    const program = findReadyTemporal();
    findings.push(
      good(program ? `Temporal: ${program}` : 'Temporal: none here yet; the first start downloads or builds it'),
    );
  }
  return findings;
}
