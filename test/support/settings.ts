import { randomBytes } from 'node:crypto';
import { loadConfig } from '../../cli/config';
import { ConfigError, type Env } from '../../cli/settings';

export const key = () => randomBytes(32).toString('base64');

/** All that a process can't do without. */
export const good = {
  HOLDFAST_DATABASE_URLS: 'postgres://app:secret@db0/holdfast_0, postgres://app:secret@db1/holdfast_1',
  HOLDFAST_TOKEN_KEY: key(),
  HOLDFAST_COMMAND_KEY: key(),
  HOLDFAST_SEAL_KEYS: `b:${key()},a:${key()}`,
  HOLDFAST_BANK_URL: 'https://bank.example.com',
  HOLDFAST_BANK_API_KEY: key(),
  HOLDFAST_BANK_WEBHOOK_SECRETS: `${key()}, ${key()}`,
  TEMPORAL_ADDRESS: 'temporal:7233',
};

/** What is wrong, each with its variable. */
export function problems(env: Env, load: (env: Env) => unknown = loadConfig): string[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((each) => `${each.variable}: ${each.message}`);
    throw error;
  }
  return [];
}

export const variables = (env: Env, load?: (env: Env) => unknown) =>
  problems(env, load).map((text) => text.split(':')[0]);
