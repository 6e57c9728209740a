import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../user-error';
import type { DataFolder } from './data-folder';
import { readJson, writeJson } from './json-file';
import type { PostgresPasswords } from './postgres';

/** Made once for a data folder. Whoever loses them loses what they seal, so they live and die with the data. */
export interface Secrets {
  postgres: PostgresPasswords;
  tokenKey: string;
  commandKey: string;
  /** As HOLDFAST_SEAL_KEYS has it. */
  sealKeys: string;
  bank: BankSecrets;
}

export interface BankSecrets {
  /** Of the role that owns the bank simulator's database. */
  database: string;
  apiKey: string;
  webhookSecret: string;
}

/** A folder made before there was a bank has none for it, until the next `up`. */
export type StoredSecrets = Omit<Secrets, 'bank'> & { bank?: BankSecrets };

export function readSecrets(folder: DataFolder): StoredSecrets | undefined {
  try {
    return readJson<StoredSecrets>(folder.secrets);
  } catch (error) {
    throw new UserError(
      `${folder.secrets} can't be read (${(error as Error).message}).`,
      'Run as the user who made it, or put it back from a copy.',
    );
  }
}

export function ensureSecrets(folder: DataFolder): Secrets {
  const known = readSecrets(folder);
  if (known !== undefined) return withBank(folder, known);
  if (existsSync(path.join(folder.cluster, 'PG_VERSION'))) {
    throw new UserError(
      `${folder.secrets} is gone, and the data in ${folder.cluster} can't be opened without it.`,
      'Put it back from a copy, or `npm run reset` to begin anew.',
    );
  }
  const secrets = newSecrets();
  writeJson(folder.secrets, secrets, 0o600);
  return secrets;
}

function withBank(folder: DataFolder, { bank, ...others }: StoredSecrets): Secrets {
  if (bank !== undefined) return { ...others, bank };
  const completed = { ...others, bank: newSecrets().bank };
  writeJson(folder.secrets, completed, 0o600);
  return completed;
}

export function newSecrets(): Secrets {
  const password = () => randomBytes(24).toString('base64url'); // stands in URLs
  const key = () => randomBytes(32).toString('base64');
  return {
    postgres: { admin: password(), owner: password(), app: password() },
    tokenKey: key(),
    commandKey: key(),
    sealKeys: `local1:${key()}`,
    bank: { database: password(), apiKey: key(), webhookSecret: key() },
  };
}
