import { z } from 'zod';
import { isCurrency } from '../contracts/currencies';
import { LIMIT_KINDS, LIMIT_PERIODS, type DefaultLimits, type Limits } from '../contracts/limits';
import { amountMistakes, parseAmount } from '../contracts/money';

/** Comma-separated Postgres URLs. With `missing`, there must be some; that sentence says what to do otherwise. */
export function databaseUrls(missing?: string) {
  return required(missing ?? 'is missing.')
    .transform(listed)
    .superRefine((urls, context) => checkUrls(urls, context, problemOfUrl));
}

/** The same, with an empty place for each shard that has none. */
export function replicaUrls() {
  return z
    .string()
    .transform(listed)
    .superRefine((urls, context) => checkUrls(urls, context, (url) => (url === '' ? undefined : problemOfUrl(url))));
}

const listed = (text: string) => text.split(',').map((url) => url.trim());

function checkUrls(urls: string[], context: z.RefinementCtx, problemOf: (url: string) => string | undefined): void {
  urls.forEach((url, index) => {
    const problem = problemOf(url);
    // The URL itself holds a password, so it is never repeated.
    if (problem) context.addIssue({ code: 'custom', message: `URL number ${index + 1} ${problem}` });
  });
  const given = urls.filter((url) => url !== '');
  if (new Set(given).size !== given.length) {
    context.addIssue({ code: 'custom', message: 'names the same database twice: every shard has its own.' });
  }
}

function problemOfUrl(text: string): string | undefined {
  const shape = 'must look like postgres://role:password@host:5432/database.';
  if (!URL.canParse(text)) return shape;
  const url = new URL(text);
  return /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1 ? undefined : shape;
}

/** A secret nobody can guess. Too short a one is refused: whoever has it signs tokens, or forges hashes. */
export function secretText(advice = '') {
  const make = `Make one: openssl rand -base64 32.${advice}`;
  return required(`is missing. ${make}`).min(32, `must have at least 32 characters. ${make}`);
}

export function bankUrl() {
  const shape = 'must look like https://bank.example.com.';
  return required('is missing: give the address of your bank. (`npm start` brings a bank simulator.)').refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    shape,
  );
}

/** Comma-separated secrets: with two of them one can be changed for another without a gap. */
export function secretList() {
  const make = 'give secrets of at least 32 characters, comma separated; make one: openssl rand -base64 32.';
  return required(`is missing: ${make}`)
    .transform((text) => text.split(',').map((secret) => secret.trim()))
    .refine((secrets) => secrets.every((secret) => secret.length >= 32), `has a secret that is too short: ${make}`);
}

/** `id:base64,id2:base64`: the first is used from now on, the others still open what they sealed. */
export function sealKeys() {
  const make = 'give id:key pairs, comma separated, the current one first; make a key: openssl rand -base64 32.';
  return required(`is missing: ${make}`)
    .transform((text) => text.split(',').map((pair) => parseKey(pair.trim())))
    .superRefine((keys, context) => {
      keys.forEach((key, index) => {
        const problem = problemOfKey(key);
        if (problem) context.addIssue({ code: 'custom', message: `key number ${index + 1} ${problem}: ${make}` });
      });
      if (new Set(keys.map(({ id }) => id)).size !== keys.length) {
        context.addIssue({ code: 'custom', message: 'uses the same id twice: a sealed text names its key by it.' });
      }
    });
}

function parseKey(pair: string): { id: string; key: Buffer } {
  const colon = pair.indexOf(':');
  return { id: pair.slice(0, Math.max(colon, 0)), key: Buffer.from(pair.slice(colon + 1), 'base64') };
}

function problemOfKey({ id, key }: { id: string; key: Buffer }): string | undefined {
  // The id stands in sealed texts between dots.
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(id)) return 'needs an id of letters, digits, - and _';
  return key.length === 32 ? undefined : `has ${key.length} bytes instead of 32`;
}

/** `SGD:10000.00,JPY:1000000`: an amount a currency, in its own digits. */
export function amountsByCurrency(defaultText: string) {
  return z
    .string()
    .default(defaultText)
    .transform((text, context) => {
      const amounts = new Map<string, bigint>();
      for (const pair of text.split(',').map((each) => each.trim())) {
        const [currency = '', amount = ''] = pair.split(':');
        const parsed = isCurrency(currency) ? parseAmount(amount, currency) : undefined;
        if (parsed?.ok) amounts.set(currency, parsed.amountMinor);
        else {
          const why = parsed ? `the amount ${amountMistakes[parsed.mistake]}` : 'give currency:amount pairs';
          context.addIssue({ code: 'custom', message: `"${pair}" will not do: ${why}, like ${defaultText}.` });
        }
      }
      return amounts;
    });
}

/** `transfer:day:SGD:5000.00,withdrawal:month:SGD:20000.00`: how much a wallet may move of a kind, in a day or a month. */
export function limitsByCurrency() {
  const shape = 'give kind:period:currency:amount, like transfer:day:SGD:5000.00';
  return z
    .string()
    .default('')
    .transform((text, context): DefaultLimits => {
      const limits = new Map<string, Limits>();
      for (const each of listed(text).filter((given) => given !== '')) {
        const [kind, period, currency = '', amount = '', ...more] = each.split(':');
        const parsed = isCurrency(currency) ? parseAmount(amount, currency) : undefined;
        const [knownKind, knownPeriod] = [
          LIMIT_KINDS.find((one) => one === kind),
          LIMIT_PERIODS.find((one) => one === period),
        ];
        if (!knownKind || !knownPeriod || !parsed || more.length > 0) {
          context.addIssue({ code: 'custom', message: `"${each}" will not do: ${shape}.` });
        } else if (!parsed.ok) {
          const why = `the amount ${amountMistakes[parsed.mistake]}`;
          context.addIssue({ code: 'custom', message: `"${each}" will not do: ${why}, like ${shape}.` });
        } else {
          const known = limits.get(currency);
          const ofKind = { ...known?.[knownKind], [knownPeriod]: parsed.amountMinor };
          limits.set(currency, { ...known, [knownKind]: ofKind });
        }
      }
      return limits;
    });
}

function required(message: string) {
  return z.string({ error: (issue) => (issue.input === undefined ? message : undefined) });
}
