import { z } from 'zod';
import { dataFolder } from '../embedded/data-folder';
import { loadLocalSettings } from '../local-settings';
import { ConfigError, withoutEmpty, type ConfigProblem, type Env } from '../settings';
import { readState } from '../state';
import { UserError } from '../user-error';

/** Where the API is, and who asks it. */
export interface OpsSettings {
  url: string;
  credentials: { token: string } | { username: string; password: string };
}

export const OPS_VARIABLES = ['HOLDFAST_URL', 'HOLDFAST_TOKEN', 'HOLDFAST_USER', 'HOLDFAST_PASSWORD'];

const DEMO = { username: 'ops', password: 'ops-demo' };
const HERE = new Set(['127.0.0.1', 'localhost', '[::1]']);

export function opsSettings(env: Env): OpsSettings {
  const given = withoutEmpty(env);
  const url = given.HOLDFAST_URL ?? localUrl(given);
  if (!z.url({ protocol: /^https?$/ }).safeParse(url).success) {
    throw new ConfigError([{ variable: 'HOLDFAST_URL', message: 'must look like https://wallet.example.com.' }]);
  }
  return { url: url.replace(/\/+$/, ''), credentials: credentialsOf(given, url) };
}

function credentialsOf(given: Record<string, string>, url: string): OpsSettings['credentials'] {
  const { HOLDFAST_TOKEN: token, HOLDFAST_USER: username, HOLDFAST_PASSWORD: password } = given;
  if (token !== undefined) return { token };
  if (username !== undefined && password !== undefined) return { username, password };
  const missing = username === undefined ? 'HOLDFAST_USER' : 'HOLDFAST_PASSWORD';
  const half: ConfigProblem = { variable: missing, message: 'is missing: it takes a user and a password.' };
  if (username !== undefined || password !== undefined) throw new ConfigError([half]);
  // What the demo's password opens is on this machine only.
  if (given.HOLDFAST_ENV !== 'production' && HERE.has(new URL(url).hostname)) return DEMO;
  throw new UserError('Say who you are.', 'Set HOLDFAST_USER and HOLDFAST_PASSWORD, or HOLDFAST_TOKEN.');
}

/** An instance of `holdfast up` may have picked its port itself. */
function localUrl(given: Record<string, string>): string {
  const running =
    given.HOLDFAST_ENV === 'production' ? undefined : readState(dataFolder(loadLocalSettings(given).dataDir).state);
  return `http://127.0.0.1:${running?.ports.api ?? given.PORT ?? 3000}`;
}
