import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runVerify, type VerifyCommand } from '../../cli/audit/run';
import { verifyAll } from '../../cli/audit/verify';
import { openShards, type Shards } from '../../ledger/shards';
import { TestBooks } from '../support/books';
import { holdfast } from '../support/command';
import { cloneShards, type TestDatabase } from '../support/database';
import { silent } from '../support/people';
import { until } from '../support/stack';
import { asOwner } from '../support/trouble';
import { Wire } from '../support/wire';

let books: TestBooks;
let folder: string;
beforeAll(async () => {
  books = await TestBooks.create(2);
  folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-audit-'));
});
afterAll(async () => {
  await books.close();
  rmSync(folder, { recursive: true });
});

async function verify(command: VerifyCommand, of = books): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const screen = { print: (line: string) => lines.push(line), note: () => undefined } as never;
  const code = await runVerify({ shards: [{ url: of.database.appUrl }] }, command, screen);
  return { code, text: lines.join('\n') };
}

test('verifying goes on from its checkpoint, and refuses one that is not the chain’s or not the one expected', async () => {
  const checkpoint = path.join(folder, 'checkpoint.json');
  const [a, b] = books.wallets as [string, string];
  const first = await verify({ checkpoint });
  expect(first).toMatchObject({ code: 0, text: expect.stringContaining('proven up to block 1') as string });
  const sha256 = /SHA-256 ([0-9a-f]{64})/.exec(first.text)![1]!;

  await books.poster.post([books.transfer(a, b, 1n)]);
  const next = await verify({ checkpoint, expect: sha256 });
  expect(next).toMatchObject({ code: 0, text: expect.stringContaining('1 blocks and 2 entries checked') as string });
  await expect(verify({ checkpoint, expect: sha256 })).rejects.toThrow('is not the checkpoint you expect');
  expect((await verify({ checkpoint, full: true })).text).toContain('2 blocks and 6 entries checked');

  const before = readFileSync(checkpoint, 'utf8');
  await books.owner.query(`update blocks set hash = sha256('x') where number = 2`);
  expect(await verify({ checkpoint })).toMatchObject({
    code: 2,
    text: expect.stringContaining('checkpoint: block 2') as string,
  });
  expect(readFileSync(checkpoint, 'utf8')).toBe(before);
});

test('a checkpoint that is ahead of the chain says by how many blocks, and what is there is verified all the same', async () => {
  const earlier = await TestBooks.create(2);
  const file = path.join(folder, 'ahead.json');
  const at = new Date().toISOString();
  writeFileSync(file, JSON.stringify([{ shard: 0, block: '8', hash: 'ab'.repeat(32), at }]));
  const before = readFileSync(file, 'utf8');
  const shorter =
    'block 8 is not there: the chain is 7 blocks shorter than the checkpoint, and ends with block 1 of 20';
  try {
    const { code, text } = await verify({ checkpoint: file }, earlier);
    expect(code).toBe(2);
    expect(text).toContain(`checkpoint: ${shorter}`);
    expect(text).toContain('1 blocks and 4 entries checked; 1 findings');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(before));

    await earlier.owner.query('update entries set amount = amount + 1 where block = 1 and index = 0');
    const damaged = await verify({ checkpoint: file }, earlier);
    expect(damaged.text).toContain(shorter);
    expect(damaged.text).toContain('hash: block 1');
  } finally {
    await earlier.close();
  }
});

describe('over three shards', () => {
  let databases: TestDatabase[];
  let shards: Shards;
  let wire: Wire;
  beforeAll(async () => {
    databases = await cloneShards(3);
    shards = openShards({ urls: databases.map(({ appUrl }) => appUrl), log: silent, poolSize: 1 });
    wire = await Wire.to(databases[1]!.appUrl);
    for (const { number } of shards.all) await tell(number, number + 1);
  });
  afterAll(async () => {
    await shards.close();
    await wire.close();
    for (const database of databases) await database.drop();
  });

  /** So many blocks, of an event each. */
  async function tell(shard: number, blocks: number): Promise<void> {
    const change = { name: 'nothing', text: 'select 1', values: [] };
    const by = { actorId: 'us_0_a', subjectId: 'us_0_a', event: 'told' };
    for (let n = 0; n < blocks; n += 1) {
      await shards.shard(shard).poster.post([{ kind: 'record', change, ...by }]);
    }
  }

  async function audit(...args: string[]): Promise<{ code: number; lines: string[] }> {
    const urls = databases.map(({ appUrl }, shard) => (shard === 1 ? wire.urlOf(appUrl) : appUrl));
    const env = { HOLDFAST_ENV: 'production', HOLDFAST_DATABASE_URLS: urls.join(',') };
    const { code, out, err } = await holdfast(['audit', 'verify', ...args], env);
    expect(err).toBe('');
    return { code, lines: out.trim().split('\n') };
  }

  const checked = (shard: number, blocks: number, upTo: number, notToItsEnd = '') =>
    `shard ${shard}: ${blocks} blocks and 0 entries checked${notToItsEnd}; proven up to block ${upTo}`;

  test('one that is slow keeps no other waiting', async () => {
    const seen = new Set<number>();
    const verifying = await asOwner(databases[0]!, async (owner) => {
      await owner.query('begin');
      await owner.query('lock table blocks in access exclusive mode');
      const onSlice = ({ shard }: { shard: number }) => void seen.add(shard);
      const all = verifyAll(shards.all, { checkpoint: [], full: true, onSlice });
      await until('the others to be seen', () => seen.has(1) && seen.has(2));
      expect(seen.has(0)).toBe(false);
      return { all };
    });
    expect(await verifying.all).toMatchObject([1, 2, 3].map((blocks) => ({ blocks, findings: [] })));
  });

  test('one that can’t be reached is named, the others are proven, and the next run goes on with each from its place', async () => {
    const checkpoint = ['--checkpoint', path.join(folder, 'three.json')];
    const away = ', not to its end (Shard 1 is not reachable)';
    expect(await audit(...checkpoint)).toMatchObject({
      code: 0,
      lines: [checked(0, 1, 1), checked(1, 2, 2), checked(2, 3, 3), expect.stringContaining('SHA-256')],
    });
    for (const { number } of shards.all) await tell(number, 1);
    wire.goAway();
    expect(await audit(...checkpoint)).toMatchObject({
      code: 1,
      lines: [checked(0, 1, 2), checked(1, 0, 2, away), checked(2, 1, 4), expect.stringContaining('SHA-256')],
    });
    wire.comeBack();
    expect(await audit(...checkpoint)).toMatchObject({
      code: 0,
      lines: [checked(0, 0, 2), checked(1, 1, 3), checked(2, 0, 4), expect.stringContaining('SHA-256')],
    });

    await asOwner(databases[2]!, (owner) => owner.query(`update events set kind = 'untold' where block = 4`));
    wire.goAway();
    expect(await audit('--full')).toMatchObject({
      code: 2,
      lines: [
        checked(0, 2, 2),
        checked(1, 0, 0, away),
        'shard 2: 4 blocks and 0 entries checked; 1 findings',
        expect.stringContaining('block'),
      ],
    });
    wire.comeBack();
  });
});
