import path from 'node:path';
import { z } from 'zod';
import { packageRoot } from './embedded/package-root';
import { ConfigError, port, problemsOf, withoutEmpty, type ConfigProblem, type Env } from './settings';
import { namesTemporalServer } from './temporal-settings';

/** What `holdfast up` and the commands beside it need to run everything on one machine. */
export interface LocalSettings {
  dataDir: string;
  /** Undefined: as many as the data folder was made with, or 2 for a new one. */
  shards: number | undefined;
  ports: { api: number; bank: number; temporal: number; temporalUi: number; postgres: number; metrics: number };
  /** Which servers are started here, rather than given. */
  embedded: { postgres: boolean; temporal: boolean; bank: boolean };
}

const schema = z.object({
  HOLDFAST_DATA_DIR: z.string().default('.holdfast'),
  HOLDFAST_SHARDS: z
    .string()
    .regex(/^\d{1,3}$/, 'must be a whole number from 1 to 64.')
    .transform(Number)
    .refine((count) => count >= 1 && count <= 64, 'must be a whole number from 1 to 64.')
    .optional(),
  PORT: port(3000),
  HOLDFAST_BANK_PORT: port(3100),
  HOLDFAST_TEMPORAL_PORT: port(7233),
  HOLDFAST_TEMPORAL_UI_PORT: port(8233),
  HOLDFAST_POSTGRES_PORT: port(54_329),
  HOLDFAST_METRICS_PORT: port(0),
});

export const LOCAL_VARIABLES = Object.keys(schema.shape);

/** A server that isn't given is started here. */
export function embeddedServers(env: Env): LocalSettings['embedded'] {
  return {
    postgres: !env.HOLDFAST_DATABASE_URLS,
    temporal: !namesTemporalServer(env),
    bank: !env.HOLDFAST_BANK_URL,
  };
}

export function loadLocalSettings(env: Env): LocalSettings {
  const given = withoutEmpty(env);
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new ConfigError(problemsOf(parsed.error));
  const settings = parsed.data;
  const embedded = embeddedServers(given);
  const problems = samePorts(settings, embedded);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    dataDir: path.resolve(packageRoot(), settings.HOLDFAST_DATA_DIR),
    shards: settings.HOLDFAST_SHARDS,
    ports: {
      api: settings.PORT,
      bank: settings.HOLDFAST_BANK_PORT,
      temporal: settings.HOLDFAST_TEMPORAL_PORT,
      temporalUi: settings.HOLDFAST_TEMPORAL_UI_PORT,
      postgres: settings.HOLDFAST_POSTGRES_PORT,
      metrics: settings.HOLDFAST_METRICS_PORT,
    },
    embedded,
  };
}

/** Two of our own servers on one port would fail later with a less helpful message. */
function samePorts(settings: z.infer<typeof schema>, embedded: LocalSettings['embedded']): ConfigProblem[] {
  const used = new Map<number, string>();
  const problems: ConfigProblem[] = [];
  for (const [variable, inUse] of [
    ['PORT', true],
    ['HOLDFAST_BANK_PORT', embedded.bank],
    ['HOLDFAST_TEMPORAL_PORT', embedded.temporal],
    ['HOLDFAST_TEMPORAL_UI_PORT', embedded.temporal],
    ['HOLDFAST_POSTGRES_PORT', embedded.postgres],
  ] as const) {
    const number = settings[variable];
    if (!inUse || number === 0) continue;
    const other = used.get(number);
    if (other === undefined) used.set(number, variable);
    else problems.push({ variable, message: `is ${number}, as ${other} is: choose another port.` });
  }
  return problems;
}
