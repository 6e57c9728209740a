import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { ensureDatabase } from '../../cli/embedded/postgres-databases';
import { packageRoot } from '../../cli/embedded/package-root';
import { exitOf } from '../../cli/embedded/processes';
import { checkBooks } from '../support/final-checks';
import { Load, makeWishes } from '../support/load';
import { letOwnerMove, rowsOf } from '../support/moving';
import { livesOn, makePeople } from '../support/people';
import { PostgresServer } from '../support/postgres-server';
import { report } from '../support/report';
import { Stack } from '../support/stack';

const DATABASE = 'shard_elsewhere';

let stack: Stack;
let there: PostgresServer;
beforeAll(async () => {
  stack = await Stack.start({ apis: 2, workers: 2, shards: 2 });
  there = new PostgresServer(stack.folder, 'postgres-elsewhere');
  await there.start();
  await there.prepare();
  await ensureDatabase(there.adminUrl('postgres'), DATABASE);
  await letOwnerMove(stack.servers[0]!.adminUrl('postgres'), stack.ownerUrls[1]!);
  await letOwnerMove(there.adminUrl('postgres'), there.ownerUrl(DATABASE));
});
afterAll(async () => {
  await there?.stop();
  await stack?.stop();
});

/** `holdfast shards move`, as an operator runs it. */
async function move(): Promise<{ code: number | null; said: string }> {
  const env = {
    PATH: process.env.PATH,
    HOLDFAST_ENV: 'production',
    HOLDFAST_ENV_FILE: os.devNull,
    HOLDFAST_DATABASE_URLS: stack.appUrls.join(','),
    HOLDFAST_OWNER_DATABASE_URLS: stack.ownerUrls.join(','),
    HOLDFAST_MOVE_TO_URL: there.appUrl(DATABASE),
    HOLDFAST_MOVE_TO_OWNER_URL: there.ownerUrl(DATABASE),
  };
  const main = path.join(packageRoot(), 'dist/cli/main.js');
  const child = spawn(process.execPath, [main, 'shards', 'move', '1'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const { code } = await exitOf(child);
  return { code, said };
}

test('a shard is moved to another server in mid-load: the other shard’s users notice nothing, and nothing is lost', async () => {
  const people = await makePeople(stack, 60);
  const urls = stack.apis.map(({ url }) => url);
  const load = (name: string, of: typeof people, count: number) =>
    new Load({ wishes: makeWishes(of, count, of, name), urls, clients: 8 });
  const staying = load('staying', people.filter(livesOn(0)), 1_500);
  const moving = load('moving', people.filter(livesOn(1)), 1_500);
  const loads = [staying, moving, load('all', people, 1_000)];
  const running = Promise.all(loads.map((each) => each.run()));

  await moving.reached(100);
  expect(await move()).toMatchObject({ code: 0, said: expect.stringContaining('Shard 1 is at') });
  await moving.met('503 shard_unavailable');
  const meanwhile = load('meanwhile', people.filter(livesOn(0)), 200);
  await meanwhile.run();

  // One after the other, as a rolling deployment does.
  const appUrls = [stack.appUrls[0]!, there.appUrl(DATABASE)];
  for (const each of stack.processes) await each.restart({ HOLDFAST_DATABASE_URLS: appUrls.join(',') });
  await running;

  const all = [...loads, meanwhile];
  for (const each of all) {
    report(each);
    expect(each.wrongs).toEqual([]);
  }
  const told = new Map(all.flatMap((each) => [...each.told]));
  expect(told.size).toBe(4_200);
  // A Temporal that is slow on a busy machine is no shard's matter.
  const heard = [staying, meanwhile].flatMap(({ answers }) => Object.keys(answers));
  expect(heard.filter((each) => /shard_unavailable|outcome_unknown/.test(each))).toEqual([]);
  await checkBooks({ appUrls }, { people, told });

  const left = await rowsOf(stack.servers[0]!.adminUrl('postgres'), 'select slot_name from pg_replication_slots');
  expect(left).toEqual([]);
  const late = rowsOf(stack.appUrls[1]!, `insert into cursors (name, block) values ('late', 1)`);
  await expect(late).rejects.toMatchObject({ code: '42501' });
});
