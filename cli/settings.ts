import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UserError } from './user-error';

export type Env = Record<string, string | undefined>;

/** One mistake in the configuration: the variable, and what to do about it. */
export interface ConfigProblem {
  variable: string;
  message: string;
}

/** All mistakes at once, so that nobody has to find them one start after the other. */
export class ConfigError extends UserError {
  override readonly name = 'ConfigError';

  constructor(readonly problems: ConfigProblem[]) {
    const what = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`;
    super(
      `The configuration has ${what}:`,
      [
        ...problems.map(({ variable, message }) => `${variable}: ${message}`),
        'Every setting, with its meaning and default, is listed in .env.example.',
      ].join('\n'),
    );
  }
}

/** An empty variable means the same as none: that is how `.env` files and compose files leave something out. */
export function withoutEmpty(env: Env): Record<string, string> {
  return withFiles(
    Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) =>
        value === undefined || value.trim() === '' ? [] : [[name, value.trim()]],
      ),
    ),
  );
}

/** Of `NAME_FILE`, which names the file that `NAME` stands in: how orchestrators hand secrets over. */
const IN_A_FILE = /^(HOLDFAST_\w+|TEMPORAL_API_KEY)_FILE$/;
/** Its own: a file of settings, not of one. */
export const ENV_FILE_VARIABLE = 'HOLDFAST_ENV_FILE';

/** The setting whose value stands in the file that this variable names. */
export function settingInFile(variable: string): string | undefined {
  return variable === ENV_FILE_VARIABLE ? undefined : IN_A_FILE.exec(variable)?.[1];
}

function withFiles(env: Record<string, string>): Record<string, string> {
  const problems: ConfigProblem[] = [];
  const read: Record<string, string> = {};
  for (const [variable, file] of Object.entries(env)) {
    const name = settingInFile(variable);
    if (name === undefined) read[variable] = file;
    else if (env[name] !== undefined) problems.push({ variable, message: `is given beside ${name}: leave one out.` });
    else {
      try {
        const value = readFileSync(file, 'utf8').trim();
        if (value === '') problems.push({ variable, message: 'names a file with nothing in it.' });
        read[name] = value;
      } catch (error) {
        problems.push({ variable, message: `names a file that can't be read: ${(error as Error).message}.` });
      }
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return read;
}

export function integer(options: { min: number; max: number; default: number; unit?: string }) {
  const { min, max, unit = '' } = options;
  const message = `must be a whole number${unit && ` of ${unit}`} from ${min} to ${max}.`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message)
    .default(options.default);
}

export const port = (defaultPort: number) => integer({ min: 0, max: 65_535, default: defaultPort });

export function oneOf<const T extends readonly [string, ...string[]]>(values: T, defaultValue: T[number]) {
  return z.enum(values, `must be one of ${values.join(', ')}.`).default(defaultValue as never);
}

/** Each issue belongs to the variable that is its first step; a missing one gets its own sentence. */
export function problemsOf(error: z.ZodError): ConfigProblem[] {
  return error.issues.map((issue) => ({ variable: String(issue.path[0] ?? 'configuration'), message: issue.message }));
}
