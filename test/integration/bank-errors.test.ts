import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { isWorthANewAttempt, REFUSAL_REASONS } from '../../bank/errors';
import { createHttpRail } from '../../bank/http-rail';
import { anOrder, TestBank } from '../support/bank';

/** A server that answers every call the same way, whatever it is asked. */
async function against<T>(answer: http.RequestListener, work: (url: string) => Promise<T>): Promise<T> {
  const server = http.createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const railTo = (url: string, deadlineMs?: number) =>
  createHttpRail({ url, apiKey: 'key', webhookSecrets: [], ...(deadlineMs !== undefined && { deadlineMs }) });

const order = anOrder();

const error = (code: string) => JSON.stringify({ error: { code, message: 'said the bank' } });

test.each([
  [400, error('malformed_request'), 'never', 'malformed_request'],
  [401, '', 'never', 'wrong_api_key'],
  [403, '', 'never', 'not_allowed'],
  [404, '<html>', 'never', 'no_such_endpoint'],
  [409, error('reference_reused'), 'never', 'reference_reused'],
  [418, '', 'never', 'malformed_request'],
  [302, '', 'never', 'malformed_request'],
  [408, '', 'uncertain', 'timeout'],
  [429, '', 'later', 'too_many_requests'],
  [500, error('bank_error'), 'uncertain', 'bank_error'],
  [502, '<html>', 'uncertain', 'gateway_error'],
  [503, error('unavailable'), 'later', 'unavailable'],
  [503, '<html>', 'uncertain', 'gateway_error'],
  [504, '', 'uncertain', 'gateway_error'],
  [599, '', 'uncertain', 'bank_error'],
])('a bank that answers %s %j is taken as %s (%s)', async (status, body, kind, code) => {
  await against(
    (_req, res) => res.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end(body),
    async (url) => {
      await expect(railTo(url).payOut(order)).rejects.toMatchObject({ name: 'BankError', kind, code });
    },
  );
});

test.each([
  ['no JSON', 'settled'],
  ['no fact', '{}'],
  ['a state that nobody knows', JSON.stringify({ reference: order.reference, state: 'lost' })],
  ['a settlement without an amount', JSON.stringify({ reference: order.reference, state: 'settled' })],
  ['a fact about another reference', JSON.stringify({ reference: 'tx_0_other:pay:1', state: 'accepted' })],
])('%s leaves it uncertain what was done', async (_what, body) => {
  await against(
    (_req, res) => res.end(body),
    async (url) => {
      const failure = { kind: 'uncertain', code: 'malformed_answer' };
      await expect(railTo(url).payOut(order)).rejects.toMatchObject(failure);
    },
  );
});

test('nobody listening means that nothing was done', async () => {
  const url = await against(
    () => {},
    (each) => Promise.resolve(each),
  );
  await expect(railTo(url).payOut(order)).rejects.toMatchObject({ kind: 'later', code: 'unreachable' });
  const unnamed = railTo('http://bank.invalid');
  await expect(unnamed.payOut(order)).rejects.toMatchObject({ kind: 'later', code: 'unreachable' });
});

test('a connection that breaks before the answer, or within it, leaves it uncertain', async () => {
  const lost = { kind: 'uncertain', code: 'connection_lost' };
  await against(
    (req) => req.socket.destroy(),
    (url) => expect(railTo(url).payOut(order)).rejects.toMatchObject(lost),
  );
  await against(
    (_req, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('{"reference":');
      setTimeout(() => res.destroy(), 20);
    },
    (url) => expect(railTo(url).payOut(order)).rejects.toMatchObject(lost),
  );
});

test('a bank that does not answer in time, or not to the end, leaves it uncertain', async () => {
  const late = { kind: 'uncertain', code: 'timeout' };
  await against(
    () => {},
    (url) => expect(railTo(url, 50).payOut(order)).rejects.toMatchObject(late),
  );
  await against(
    (_req, res) => res.writeHead(200).write('{'),
    (url) => expect(railTo(url, 50).payOut(order)).rejects.toMatchObject(late),
  );
});

test('what speaks no HTTP leaves it uncertain', async () => {
  const server = net.createServer((socket) => socket.resume().end('hello\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await expect(railTo(`http://127.0.0.1:${port}`).payOut(order)).rejects.toMatchObject({ kind: 'uncertain' });
  await new Promise((resolve) => server.close(resolve));
});

test('an error never repeats the key or the account', async () => {
  await against(
    (_req, res) => res.writeHead(500).end(),
    async (url) => {
      const failure = await railTo(url)
        .payOut(order)
        .catch((each: Error) => each);
      const said = JSON.stringify(failure) + String((failure as Error).stack);
      expect(said).not.toContain(order.account.number);
      expect(said).not.toContain('Bearer');
    },
  );
});

test('the simulator refuses a wrong key, and says so as our mistake', async () => {
  const bank = await TestBank.start();
  try {
    const wrong = createHttpRail({ url: bank.url, apiKey: 'wrong', webhookSecrets: [] });
    await expect(wrong.payOut(order)).rejects.toMatchObject({ kind: 'never', code: 'wrong_api_key' });
    await expect(wrong.lookUp('x')).rejects.toMatchObject({ kind: 'never', code: 'wrong_api_key' });
    expect(await bank.control.requests()).toEqual([]);
  } finally {
    await bank.close();
  }
});

test('only a reason that passes by itself is worth another attempt; one that nobody knows is final', () => {
  const again = Object.keys(REFUSAL_REASONS).filter(isWorthANewAttempt);
  expect(again).toEqual(['cut_off', 'liquidity']);
  for (const reason of [undefined, '', 'never heard of', 'toString']) expect(isWorthANewAttempt(reason)).toBe(false);
});
