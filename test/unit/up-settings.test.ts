import { loadBankSettings } from '../../cli/bank-settings';
import { loadLocalSettings } from '../../cli/local-settings';
import { checkedSettings } from '../../cli/preflight';
import { good, variables } from '../support/settings';

test('replicas beside a Postgres that `holdfast up` starts are one a shard of its own', () => {
  const [zero, one] = ['postgres://app:secret@db2/holdfast_0', 'postgres://app:secret@db2/holdfast_1'];
  const folder = { HOLDFAST_DATA_DIR: '/nowhere/yet' };
  const wrong = (urls: string) => variables({ ...folder, HOLDFAST_REPLICA_URLS: urls }, checkedSettings);
  expect(wrong(`${zero},${one}`)).toEqual([]);
  expect(wrong(`,${one}`)).toEqual([]);
  expect(wrong(one)).toEqual(['HOLDFAST_REPLICA_URLS']);
  expect(variables({ ...folder, HOLDFAST_SHARDS: '1', HOLDFAST_REPLICA_URLS: zero }, checkedSettings)).toEqual([]);
});

test('two of our own servers can not share a port; any number of them can pick a free one', () => {
  expect(variables({ PORT: '7233' }, loadLocalSettings)).toEqual(['HOLDFAST_TEMPORAL_PORT']);
  expect(variables({ PORT: '7233', TEMPORAL_ADDRESS: 't:1' }, loadLocalSettings)).toEqual([]);
  expect(variables({ PORT: '3100' }, loadLocalSettings)).toEqual(['HOLDFAST_BANK_PORT']);
  expect(variables({ PORT: '0', HOLDFAST_POSTGRES_PORT: '0' }, loadLocalSettings)).toEqual([]);
});

test('`holdfast up` reports mistakes in its own settings and in those of the processes it starts together, each once', () => {
  const env = { PORT: 'abc', HOLDFAST_SHARDS: '0', HOLDFAST_LANE_MAX_GROUP: '0' };
  expect(variables(env, checkedSettings).sort()).toEqual(['HOLDFAST_LANE_MAX_GROUP', 'HOLDFAST_SHARDS', 'PORT']);
  expect(checkedSettings({}).embedded).toEqual({ postgres: true, temporal: true, bank: true });
});

test('the bank simulator needs a database and what proves who it is; the API it tells is the one on this machine', () => {
  expect(variables({}, loadBankSettings).sort()).toEqual([
    'HOLDFAST_BANK_API_KEY',
    'HOLDFAST_BANK_DATABASE_URL',
    'HOLDFAST_BANK_WEBHOOK_SECRETS',
  ]);
  const env = { ...good, HOLDFAST_BANK_DATABASE_URL: 'postgres://bank:secret@db/bank', PORT: '3005' };
  expect(loadBankSettings(env)).toMatchObject({
    databaseUrl: 'postgres://bank:secret@db/bank',
    port: 3100,
    host: '127.0.0.1',
    webhookUrl: 'http://127.0.0.1:3005/v1/bank/webhooks',
    settleAfterMs: 500,
  });
});

test('with a real bank nothing of the simulator is needed, and its key is never taken from the data folder', () => {
  const env = { HOLDFAST_BANK_URL: 'https://bank.example.com' };
  expect(variables(env, checkedSettings).sort()).toEqual(['HOLDFAST_BANK_API_KEY', 'HOLDFAST_BANK_WEBHOOK_SECRETS']);
  const { HOLDFAST_BANK_API_KEY, HOLDFAST_BANK_WEBHOOK_SECRETS } = good;
  const complete = { ...env, HOLDFAST_BANK_API_KEY, HOLDFAST_BANK_WEBHOOK_SECRETS };
  expect(checkedSettings(complete).embedded).toEqual({ postgres: true, temporal: true, bank: false });
});

test('beside a Postgres of your own the bank simulator needs a database in it', () => {
  const env = { HOLDFAST_DATABASE_URLS: 'postgres://app:secret@db/holdfast_0' };
  expect(variables(env, checkedSettings)).toEqual(['HOLDFAST_BANK_DATABASE_URL']);
});
