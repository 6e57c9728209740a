import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOutgoing, isPublic, mistakeOf, type OutgoingRules } from '../../notifications/outgoing';
import { webhookChannel } from '../../notifications/webhook-channel';
import { DnsServer } from '../support/dns-server';
import { HookReceiver } from '../support/receivers';

const STRICT: OutgoingRules = { httpsOnly: false, allowPrivate: false };
const LOOSE: OutgoingRules = { httpsOnly: false, allowPrivate: true };
const SENT = { headers: {}, body: '{}', timeoutMs: 1_000 };
/** Public by its number; nobody is there. */
const PUBLIC = '45.45.45.45';

let hooks: HookReceiver;
let port: string;
let names: DnsServer;
beforeAll(async () => {
  hooks = await HookReceiver.start();
  ({ port } = new URL(hooks.url));
  names = await DnsServer.start({
    'good.test': [['127.0.0.1']],
    'private.test': [['10.1.2.3']],
    'both.test': [[PUBLIC, '127.0.0.1']],
    'six.test': [['fd00::1']],
    'mapped.test': [['::ffff:127.0.0.1']],
    'changing.test': [[PUBLIC], ['127.0.0.1']],
  });
});
afterAll(async () => {
  names.close();
  await hooks.goAway();
});

async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: Error) => error.message,
  );
}

async function post(url: string, rules = STRICT): Promise<string> {
  const outgoing = createOutgoing(rules, names.resolve);
  try {
    return await failure(outgoing.post(url, SENT));
  } finally {
    outgoing.close();
  }
}

test('an address that is not everybody’s is told from one that is', () => {
  const ours = ['127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.100.100.200', '0.0.0.0'];
  const six = ['::1', '::', 'fe80::1', 'fd00:ec2::254', 'fec0::1', 'ff02::1', '::127.0.0.1', '::ffff:10.0.0.1'];
  const hidden = [
    '64:ff9b::a00:1',
    '2002:7f00:1::',
    '2001::1',
    '::ffff:0:127.0.0.1',
    '168.63.129.16',
    '255.255.255.255',
  ];
  for (const each of [...ours, ...six, ...hidden, 'nonsense', ''])
    expect([each, isPublic(each)]).toEqual([each, false]);
  for (const each of ['8.8.8.8', PUBLIC, '2606:4700::1111', '::ffff:8.8.8.8']) expect(isPublic(each)).toBe(true);
});

test.each([
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://127.1/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/',
])('%s is refused before anybody is asked', async (url) => {
  expect(mistakeOf(url, STRICT)).toBe('names an address that is not public');
  expect(await post(url.replace(/(:\/\/[^/]+)/, `$1:${port}`))).toMatch(/not public/);
  expect(hooks.received).toEqual([]);
});

test.each(['private.test', 'both.test', 'six.test', 'mapped.test', 'good.test', 'localhost'])(
  'the name %s, which leads to an address of ours, is not connected to',
  async (name) => {
    const resolve = name === 'localhost' ? undefined : names.resolve;
    const outgoing = createOutgoing(STRICT, resolve);
    expect(await failure(outgoing.post(`http://${name}:${port}/hook`, SENT))).toMatch(/not public/);
    outgoing.close();
    expect(hooks.received).toEqual([]);
  },
);

test('a name is asked for once: an answer that changes before the connection changes nothing', async () => {
  expect(await post(`http://changing.test:${port}/hook`)).not.toMatch(/none|not public/);
  expect(names.asked.filter((name) => name === 'changing.test')).toHaveLength(1);
  expect(hooks.received).toEqual([]);
});

test('each new connection is judged by what the name says then', async () => {
  expect(await post(`http://changing.test:${port}/hook`)).toMatch(/not public/);
});

test('a redirect is an answer, and not followed', async () => {
  const server = http.createServer((_req, res) => {
    res.writeHead(307, { location: hooks.url }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://good.test:${(server.address() as AddressInfo).port}/`;
  const outgoing = createOutgoing(LOOSE, names.resolve);
  expect(await outgoing.post(url, SENT)).toBe(307);
  const channel = webhookChannel({ url, secret: 's', rules: LOOSE }, names.resolve);
  const message = {
    id: '1',
    kind: 'arrived',
    to: { audience: 'ops' },
    subject: 's',
    text: 't',
    happenedAt: new Date(),
  };
  expect(await failure(channel.send(message as never))).toBe("the webhook's server answered 307");
  channel.close();
  outgoing.close();
  server.close();
  expect(hooks.received).toEqual([]);
});

test('only https, and only the ports that were named, where that is the rule', () => {
  const rules = { httpsOnly: true, allowPrivate: false, ports: [443, 8443] };
  expect(mistakeOf('https://example.com/x', rules)).toBeUndefined();
  expect(mistakeOf('https://example.com:8443/x', rules)).toBeUndefined();
  expect(mistakeOf('https://example.com:22/', rules)).toMatch(/port 22/);
  expect(mistakeOf('http://example.com/', rules)).toBe('is not https');
  expect(mistakeOf('ftp://example.com/', { ...rules, httpsOnly: false })).toBe('is not https');
});

test('where private addresses are allowed, it is sent there; a server that says nothing is not waited for', async () => {
  expect(await post(`http://good.test:${port}/hook`, LOOSE)).toBe('none');
  expect(hooks.received).toHaveLength(1);
  const silent = http.createServer(() => undefined);
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const outgoing = createOutgoing(LOOSE);
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
  expect(await failure(outgoing.post(url, { ...SENT, timeoutMs: 100 }))).toMatch(/abort/i);
  outgoing.close();
  silent.closeAllConnections();
  silent.close();
});
