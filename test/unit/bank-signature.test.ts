import { createHttpRail } from '../../bank/http-rail';
import type { BankEvent } from '../../bank/rail';
import { sign } from '../../bank/signature';
import { toJson } from '../../bank/wire';

const OLD = 'the secret of last year, long enough by far';
const NEW = 'the secret of this year, long enough by far';
const rail = createHttpRail({ url: 'http://bank', apiKey: 'key', webhookSecrets: [NEW, OLD] });

const events: BankEvent[] = [
  {
    id: 'ev_1',
    kind: 'fact',
    at: '2026-01-02T03:04:05.000Z',
    fact: { reference: 'tx:pay:1', state: 'settled', amountMinor: 1250n, currency: 'SGD', settlementId: 'st_1' },
  },
  {
    id: 'ev_2',
    kind: 'credit',
    at: '2026-01-02T03:04:05.000Z',
    credit: { creditId: 'cr_1', virtualAccount: '88', amountMinor: 1n, currency: 'JPY', payer: 'A Friend' },
  },
];
const body = Buffer.from(toJson({ events }));

const read = (header: string | undefined, raw = body) => rail.readWebhook({ 'bank-signature': header }, raw);

test('a webhook signed with any of our secrets is read, with its amounts as whole numbers', () => {
  expect(read(sign(NEW, body))).toEqual(events);
  expect(read(sign(OLD, body))).toEqual(events);
  expect(rail.readWebhook({ 'Bank-Signature': sign(NEW, body) }, body)).toEqual(events);
});

test('a bank that changes its secret may sign with both', () => {
  const [time, one] = sign('a secret that we do not know', body).split(',');
  expect(read(`${time},${one},${sign(NEW, body).split(',')[1]}`)).toEqual(events);
});

test('a webhook without a signature, with a wrong one, or with another body is not read', () => {
  expect(rail.readWebhook({}, body)).toBeUndefined();
  expect(read(undefined)).toBeUndefined();
  expect(read(sign('another secret', body))).toBeUndefined();
  expect(read(sign(NEW, body), Buffer.from(toJson({ events: [] })))).toBeUndefined();
  expect(read(sign(NEW, body).replace(/t=\d+/, 't=1'))).toBeUndefined();
  for (const header of ['', 't=,v1=', 'v1=00', `t=${Math.floor(Date.now() / 1000)}`, 'nonsense'])
    expect(read(header)).toBeUndefined();
});

test('a webhook of more than five minutes ago, or ahead, is not read', () => {
  const at = (seconds: number) => sign(NEW, body, Date.now() + seconds * 1000);
  expect(read(at(-290))).toEqual(events);
  expect(read(at(-310))).toBeUndefined();
  expect(read(at(310))).toBeUndefined();
});

test('a rightly signed body that is not what we agreed on is not read', () => {
  const fact = { reference: 'tx:pay:1', state: 'settled', currency: 'SGD', settlementId: 'st_1' };
  const event = (more: object) => ({ id: 'e', kind: 'fact', at: '2026-01-02T03:04:05Z', fact: { ...fact, ...more } });
  for (const odd of [
    [],
    { events: 1 },
    { events: [event({})] },
    { events: [event({ amountMinor: 1250 })] },
    { events: [event({ amountMinor: '12.50' })] },
    { events: [event({ amountMinor: '-1' })] },
    { events: [event({ amountMinor: '1250', state: 'gone' })] },
  ]) {
    const raw = Buffer.from(JSON.stringify(odd));
    expect(read(sign(NEW, raw), raw)).toBeUndefined();
  }
  const notJson = Buffer.from('{');
  expect(read(sign(NEW, notJson), notJson)).toBeUndefined();
});
