import { readFileSync } from 'node:fs';
import { APP_ROLE } from '../../cli/embedded/postgres';
import { ensureDatabase } from '../../cli/embedded/postgres-databases';
import { recordSetup } from '../../cli/record-setup';
import { listShards } from '../../cli/shards/list';
import { lookAtReplica, requireReplica } from '../../cli/shards/replica';
import type { EntryView } from '../../contracts/schemas';
import type { ReplicaState } from '../../contracts/statuses';
import { Names } from '../../ledger/names';
import { openShards } from '../../ledger/shards';
import { migrateShard } from '../../migrations';
import { TestApi, type TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import { History, walletOf } from '../support/history';
import { rowsOf } from '../support/moving';
import { silent } from '../support/people';
import { PostgresServer } from '../support/postgres-server';
import { Wire } from '../support/wire';

jest.mock('../../cli/embedded/guard', (): unknown => jest.requireActual('../../cli/embedded/guard.ts'));

const DATABASE = 'holdfast_0';
const OTHERS = 'holdfast_others';
const NEXT = 'holdfast_next';
const MAX_LAG_MS = 4_000;
/** Far from the ten seconds and more that a connection may take to be given up. */
const SOON_MS = 5_000;

let primary: PostgresServer;
let standby: PostgresServer;
let wire: Wire;
let api: TestApi;
let history: History;
let alice: TestUser;
let bob: TestUser;

beforeAll(async () => {
  primary = new PostgresServer(process.env['HOLDFAST_TEST_FOLDER']!, 'primary');
  await primary.start();
  await primary.prepare();
  await rowsOf(primary.adminUrl('postgres'), `alter system set log_statement = 'all'`);
  await rowsOf(primary.adminUrl('postgres'), 'select pg_reload_conf()');
  await makeShard(DATABASE, { shard: 0, shardCount: 1 });
  await makeShard(OTHERS, { shard: 0, shardCount: 1 });
  await makeShard(NEXT, { shard: 1, shardCount: 2 });
  standby = await primary.standby('standby');
  await standby.start();
  wire = await Wire.to(standby.appUrl(DATABASE));

  const appUrl = primary.appUrl(DATABASE);
  const replicas = [{ url: wire.urlOf(standby.appUrl(DATABASE)), maxLagMs: MAX_LAG_MS }];
  const shards = openShards({ urls: [appUrl], replicas, log: silent });
  const database = { name: DATABASE, appUrl, ownerUrl: primary.ownerUrl(DATABASE), drop: () => Promise.resolve() };
  api = await TestApi.start({ database, deps: { shards, names: new Names(shards) } });
  history = new History(api);
  [alice, bob] = await history.pair('replica');
});
afterAll(async () => {
  await api?.close();
  await wire?.close();
  await standby?.stop();
  await primary?.stop();
});

async function makeShard(name: string, of: { shard: number; shardCount: number }): Promise<void> {
  await ensureDatabase(primary.adminUrl('postgres'), name);
  await migrateShard({ ownerUrl: primary.ownerUrl(name), appRole: APP_ROLE, ...of });
}

const timesIn = (server: PostgresServer, text: string) => readFileSync(server.logFile, 'utf8').split(text).length - 1;
const PAGE = 'join transactions t on t.id = found.transaction_id';
const pages = () => ({ primary: timesIn(primary, PAGE), standby: timesIn(standby, PAGE) });
/** How often the standby was asked for history, whether it then answered or not. */
const asked = () => timesIn(standby, 'start transaction isolation level repeatable read read only');

const replica = async () => (await api.get('/readyz')).body.replicas.shard_0;
const becomes = (state: ReplicaState) =>
  eventually(async () => expect(await replica()).toMatchObject({ state }), { withinMs: 60_000 });

const entriesOf = (user: TestUser, query = '') =>
  history.list<EntryView>(`/v1/wallets/${walletOf(user)}/entries?${query}`, user);
const pause = () => rowsOf(standby.adminUrl('postgres'), 'select pg_wal_replay_pause()');
const resume = () => rowsOf(standby.adminUrl('postgres'), 'select pg_wal_replay_resume()');

/** Once the standby has what was written last. */
async function servedByStandby(): Promise<void> {
  await becomes('near');
  await eventually(
    async () => {
      const before = pages();
      await entriesOf(alice);
      expect(pages()).toEqual({ primary: before.primary, standby: before.standby + 1 });
    },
    { withinMs: 60_000 },
  );
}

/** A transfer, then at once the newest page of either side, and the balance of a moment ago. */
async function payAndLook(): Promise<void> {
  const id = await history.pay(alice, bob, 1n);
  for (const user of [alice, bob]) {
    const began = Date.now();
    const [newest] = await entriesOf(user, 'limit=1');
    expect(newest).toMatchObject({ transactionId: id });
    const path = `/v1/wallets/${walletOf(user)}/balance`;
    const { body } = await api.get(`${path}?at=${new Date().toISOString()}`, user.token);
    expect(body.balance).toBe(newest!.balanceAfter);
    expect(Date.now() - began).toBeLessThan(SOON_MS);
  }
}

test('history and past balances come from the replica; what the pages say is the same', async () => {
  for (let turn = 0; turn < 5; turn++) await history.pay(alice, bob, 1n);
  await servedByStandby();
  const before = pages();
  const all = await entriesOf(bob);
  expect(all).toHaveLength(5);
  const paged = await history.allPages<EntryView>(`/v1/wallets/${walletOf(bob)}/entries?limit=2`, bob);
  expect(paged.flat()).toEqual(all);
  expect(await entriesOf(bob, `type=transfer&since=${all[4]!.createdAt}`)).toEqual(all);
  const path = `/v1/wallets/${walletOf(bob)}/balance?at=${all[0]!.createdAt}`;
  expect((await api.get(path, bob.token)).body.balance).toBe('0.05');
  expect(pages()).toEqual({ primary: before.primary, standby: before.standby + 5 });
  expect(timesIn(primary, 'select "balance_after" from "entries"')).toBe(0);
});

test('its state is shown, and readiness does not depend on it', async () => {
  await becomes('near');
  const printed: string[] = [];
  const at = { url: standby.appUrl(DATABASE), maxLagMs: MAX_LAG_MS };
  const screen = { print: (text: string) => printed.push(text) } as never;
  expect(await listShards({ shards: [{ url: primary.appUrl(DATABASE), replica: at }] }, { json: true }, screen)).toBe(
    0,
  );
  expect(JSON.parse(printed[0]!)).toMatchObject([{ state: 'active', replica: { state: 'near', blocksBehind: 0 } }]);
  expect(await lookAtReplica({ shard: 0, url: primary.appUrl(DATABASE), replica: at })).toEqual({
    state: 'near',
    blocksBehind: 0,
    behindMs: 0,
  });
});

test('a page is never older than what was answered, however far the replica is behind; too far, it is left out', async () => {
  await servedByStandby();
  const carol = await api.newUser('carol', { wallets: ['SGD'] });
  await api.fund(carol.username, 'SGD', '1.00');
  await eventually(async () => {
    const { standby: before } = pages();
    await entriesOf(carol);
    expect(pages().standby).toBe(before + 1);
  });

  await pause();
  const [askedBefore, pagesBefore] = [asked(), pages()];
  await payAndLook();
  expect(asked()).toBeGreaterThan(askedBefore);
  expect(await entriesOf(carol)).toHaveLength(1);
  expect(pages().standby).toBe(pagesBefore.standby + 1); // nothing of hers has changed since
  for (let turn = 0; turn < 5; turn++) await payAndLook();
  expect(pages()).toEqual({ primary: pagesBefore.primary + 12, standby: pagesBefore.standby + 1 });

  await becomes('behind');
  const { blocksBehind, behindMs } = await replica();
  expect(blocksBehind).toBeGreaterThanOrEqual(5);
  expect(behindMs).toBeGreaterThan(MAX_LAG_MS);
  const askedMeanwhile = asked();
  await payAndLook();
  await entriesOf(carol);
  expect(asked()).toBe(askedMeanwhile);
  expect((await api.get('/readyz')).status).toBe(200);

  await resume();
  await servedByStandby();
});

test('one that falls silent, or is killed, keeps no request waiting, and is used again when it is back', async () => {
  await servedByStandby();
  wire.swallowAnswers();
  for (let turn = 0; turn < 3; turn++) await payAndLook();
  await becomes('away');
  expect(await replica()).toEqual({ state: 'away', blocksBehind: null, behindMs: null });
  wire.comeBack();
  await servedByStandby();

  const reading = (async () => {
    for (let turn = 0; turn < 40; turn++) await payAndLook();
  })();
  await standby.kill();
  await reading;
  await becomes('away');
  expect((await api.get('/readyz')).status).toBe(200);
  await standby.start();
  await servedByStandby();
});

test('a database of another shard, or of none, is refused; what is not there, or of other books, is left out', async () => {
  const url = primary.appUrl(DATABASE);
  const given = (replicaUrl: string) =>
    requireReplica({ shard: 0, shardCount: 1, url, replica: { url: replicaUrl, maxLagMs: MAX_LAG_MS } });
  await expect(given(standby.appUrl(NEXT))).rejects.toThrow(
    /is shard 1 of 2, but HOLDFAST_REPLICA_URLS calls it the replica of shard 0 of 1/,
  );
  await expect(given(standby.adminUrl('postgres'))).rejects.toThrow('is no shard, but');
  expect(await given('postgres://nobody:x@127.0.0.1:1/none')).toMatchObject({ state: 'away' });
  expect(await given(url)).toMatchObject({ state: 'no_standby' });

  await recordSetup({ shard: 0, shardCount: 1, url: primary.appUrl(OTHERS), migrations: [] });
  await eventually(async () => expect(await given(standby.appUrl(OTHERS))).toMatchObject({ state: 'other_books' }));
});

test('one that was promoted is left out at once', async () => {
  await servedByStandby();
  await rowsOf(standby.adminUrl('postgres'), 'select pg_promote()');
  const { standby: before } = pages();
  await entriesOf(alice);
  expect(pages().standby).toBe(before);
  await becomes('no_standby');
  await payAndLook();
});
