import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runVerify, type VerifyCommand } from '../../cli/audit/run';
import { TestBooks } from '../support/books';

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
