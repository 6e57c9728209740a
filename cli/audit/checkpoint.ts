import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { VerifyPlace } from '../../ledger/verify';
import { UserError } from '../user-error';

/** The last block of each shard that was proven, with all before it. */
export interface CheckpointEntry {
  shard: number;
  block: string;
  hash: string;
  at: string;
}

const schema = z.array(
  z.strictObject({
    shard: z.number().int().min(0),
    block: z.string().regex(/^\d{1,19}$/),
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    at: z.iso.datetime(),
  }),
);

export function readCheckpoint(file: string, expected?: string): CheckpointEntry[] {
  if (!existsSync(file)) {
    if (expected === undefined) return [];
    throw new UserError(`There is no checkpoint ${file}.`, 'Leave --expect out to make the first one.');
  }
  const text = readFileSync(file, 'utf8');
  if (expected !== undefined && expected.toLowerCase() !== hashOf(text)) {
    throw new UserError(
      `${file} is not the checkpoint you expect: its SHA-256 is ${hashOf(text)}.`,
      'Verify with --full.',
    );
  }
  const parsed = schema.safeParse(jsonOf(text));
  if (!parsed.success) throw new UserError(`${file} is no checkpoint.`, 'Name another file, or remove it.');
  return parsed.data;
}

/** Whole or not at all, so that a run that dies leaves the one before. Answers what to keep elsewhere: its SHA-256. */
export function writeCheckpoint(file: string, entries: readonly CheckpointEntry[]): string {
  const text = `${JSON.stringify(entries, null, 2)}\n`;
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return hashOf(text);
}

export function entryOf(shard: number, { block, hash, at }: VerifyPlace): CheckpointEntry {
  return { shard, block, hash, at };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
