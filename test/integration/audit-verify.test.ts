import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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

async function verify(command: VerifyCommand): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const screen = { print: (line: string) => lines.push(line), note: () => undefined } as never;
  const code = await runVerify({ shards: [{ url: books.database.appUrl }] }, command, screen);
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
