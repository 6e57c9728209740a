import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { retrySignal, transferStatusQuery, transferWorkflowId } from '../../contracts/transfers';
import { startTracing, stopTracing } from '../../tracing';
import { payloadCodec, sealedPayloads } from '../../worker/payload-codec';
import type { TestUser } from '../support/api';
import { Collector, newTraceId, traceparent } from '../support/collector';
import { eventually } from '../support/eventually';
import { TestHoldfast, UI_URL, walletOf } from '../support/holdfast';
import { silent } from '../support/people';
import { decoded } from '../support/record-histories';
import { waitingTransfer } from '../support/stuck';
import { Trouble } from '../support/trouble';

const KEY = { id: 'now', key: Buffer.alloc(32, 1) };
const EARLIER = { id: 'earlier', key: Buffer.alloc(32, 2) };

let collector: Collector;
let holdfast: TestHoldfast;
let trouble: Trouble;
let ops: TestUser;
beforeAll(async () => {
  collector = await Collector.start();
  const tracing = startTracing({ url: collector.url, ratio: 1, headers: {}, service: 'holdfast-test' }, silent);
  holdfast = await TestHoldfast.start({ payloads: { keys: [KEY, EARLIER], encrypts: true }, tracing });
  trouble = await Trouble.in(holdfast.database);
  ops = await holdfast.api.newUser('ops_codec', { roles: ['ops'] });
});
afterAll(async () => {
  await holdfast?.close();
  await stopTracing();
  await collector?.close();
});

type Payload = { metadata?: Record<string, Uint8Array>; data?: Uint8Array };
interface Found {
  payloads: Payload[];
  failures: { message?: string; stackTrace?: string; timeoutFailureInfo?: object | null }[];
}

/** What the SDK notes of a local activity, for itself, and the ids of a trace. */
const IN_THE_CLEAR = [
  'traceparent',
  'seq',
  'attempt',
  'activity_id',
  'activity_type',
  'complete_time',
  'backoff',
  'original_schedule_time',
];

/** Everything in a history that somebody's words or numbers may stand in. Search attributes are what people search by. */
function contentsOf(history: unknown, found: Found = { payloads: [], failures: [] }): Found {
  if (typeof history !== 'object' || history === null || history instanceof Uint8Array) return found;
  const { metadata, data } = history as { metadata?: Record<string, unknown>; data?: unknown };
  if (data instanceof Uint8Array || metadata?.['encoding'] instanceof Uint8Array) found.payloads.push(history);
  for (const [name, value] of Object.entries(history)) {
    if (name === 'searchAttributes' || name === 'upsertedSearchAttributes') continue;
    if ((name === 'failure' || name === 'cause' || name === 'lastFailure') && value) {
      found.failures.push(value as Found['failures'][number]);
    }
    contentsOf(value, found);
  }
  return found;
}

const base64 = ({ metadata = {}, data = new Uint8Array() }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data).toString('base64'),
});

const decode = (payloads: object[], token: string | undefined, headers = {}) =>
  holdfast.api.post('/codec/decode', { payloads }, token, headers);

test('no history holds a payload or an error in the clear, and people act on workflows as ever', async () => {
  const { id, alice } = await waitingTransfer(holdfast, trouble, 'sealed');
  const handle = holdfast.temporal.client.workflow.getHandle(transferWorkflowId(id));
  expect(await handle.query(transferStatusQuery)).toMatchObject({ id, status: 'needs_attention' });

  // As the Web UI's button does it, which knows no codec: a signal without a payload.
  await trouble.isOver(id);
  await holdfast.workflowOf(id).signal(retrySignal);
  await holdfast.becomes(alice, id, 'completed', 15_000);
  await handle.result();

  const histories: unknown[] = [];
  const { workflow } = holdfast.outside.client;
  for await (const { workflowId, runId } of workflow.list()) {
    const each = workflow.getHandle(workflowId, runId);
    histories.push(await each.fetchHistory(), (await each.describe()).raw);
  }
  const { payloads, failures } = contentsOf(histories);
  expect(payloads.length).toBeGreaterThan(10);
  const clear = payloads.filter(
    ({ metadata }) => Buffer.from(metadata!['encoding']!).toString() !== 'binary/encrypted',
  );
  expect(clear.length).toBeLessThan(payloads.length / 2);
  for (const { data } of clear) {
    const known = Object.keys(JSON.parse(Buffer.from(data!).toString()) as object);
    expect(IN_THE_CLEAR).toEqual(expect.arrayContaining(known));
  }
  expect(failures.length).toBeGreaterThan(0);
  for (const { message, stackTrace, timeoutFailureInfo } of failures) {
    if (timeoutFailureInfo) continue; // in Temporal's own words
    expect({ message, stackTrace }).toEqual({ message: 'Encoded failure', stackTrace: '' });
  }
  const all = decoded(histories);
  expect(all).toContain(id); // what is looked through is really there
  expect(all).not.toMatch(/amountMinor|trouble made by a test|messageSealed/);

  const opened = await decode(payloads.map(base64), ops.token);
  expect(opened.status).toBe(200);
  const texts = (opened.body.payloads as { data: string }[]).map(({ data }) => Buffer.from(data, 'base64').toString());
  expect(texts).toHaveLength(payloads.length);
  expect(texts.join('\n')).toMatch(/"amountMinor":"500"/);
  expect(texts.join('\n')).toMatch(/trouble made by a test/);

  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: require.resolve('../../workflows'),
    failureConverterPath: require.resolve('../../worker/failure-converter'),
    logger: new DefaultLogger('ERROR', () => undefined),
  });
  const { dataConverter } = holdfast.temporal;
  const history = await holdfast.workflowOf(id).fetchHistory();
  await expect(Worker.runReplayHistory({ workflowBundle, dataConverter }, history)).resolves.toBeUndefined();
});

test('a transfer is answered as ever', async () => {
  const [alice, bob] = await holdfast.pair('plain');
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00', message: 'hello' };
  expect(await holdfast.transfer(alice, 'plain', fields)).toMatchObject({ status: 201, body: { message: 'hello' } });
});

test('a trace goes through workflows whose payloads are encrypted', async () => {
  const [alice, bob] = await holdfast.pair('traced');
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
  const traceId = newTraceId();
  expect((await holdfast.transfer(alice, 'traced', fields, traceparent(traceId))).status).toBe(201);
  await eventually(
    async () => {
      const group = 'POST /v1/transfers > lane group > StartWorkflow:transferGroup > RunWorkflow:transferGroup';
      expect(collector.paths(traceId)).toContain(`${group} > RunActivity:postTransfers`);
    },
    { withinMs: 30_000 },
  );
});

describe('the codec endpoint', () => {
  const clear = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"a word"') };
  const sealed = async (key = KEY) => {
    const [payload] = await payloadCodec({ keys: [key], encrypts: true }).encode([clear]);
    return base64(payload as Payload);
  };
  const opened = { status: 200, body: { payloads: [base64(clear)] } };

  test('opens what any key given encrypted, and leaves what is not encrypted', async () => {
    expect(await decode([await sealed()], ops.token)).toMatchObject(opened);
    expect(await decode([await sealed(EARLIER)], ops.token)).toMatchObject(opened);
    expect(await decode([base64(clear)], ops.token)).toMatchObject(opened);
  });

  test('leaves each that nothing opens as it is, and opens those beside it', async () => {
    const strange = await sealed({ id: 'strange', key: Buffer.alloc(32, 9) });
    const { data, ...rest } = await sealed();
    const changed = { ...rest, data: data.replace(/^..../, 'AAAA') };
    expect(await decode([strange, await sealed(), changed], ops.token)).toMatchObject({
      status: 200,
      body: { payloads: [strange, base64(clear), changed] },
    });
  });

  test('is staff’s alone', async () => {
    const customer = await holdfast.api.newUser('customer_codec');
    expect((await decode([await sealed()], undefined)).status).toBe(401);
    expect((await decode([await sealed()], customer.token)).status).toBe(403);
  });

  test('lets pages of the Web UI read it, and of no other site', async () => {
    const ask = async (origin: string) => {
      const headers = { origin, 'access-control-request-method': 'POST' };
      return fetch(`${holdfast.api.url}/codec/decode`, { method: 'OPTIONS', headers });
    };
    const allowed = 'access-control-allow-origin';
    const { origin } = new URL(UI_URL);
    const preflight = await ask(origin);
    expect(preflight.headers.get(allowed)).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-namespace');
    expect((await decode([], ops.token, { origin })).headers.get(allowed)).toBe(origin);
    for (const other of ['https://evil.example', 'null', 'https://temporal.example.evil.example']) {
      expect((await ask(other)).headers.get(allowed)).toBeNull();
      expect((await decode([], ops.token, { origin: other })).headers.get(allowed)).toBeNull();
    }
    const elsewhere = await fetch(`${holdfast.api.url}/v1/me`, { headers: { origin } });
    expect(elsewhere.headers.get(allowed)).toBeNull();
  });
});

test('what began encrypted is ended by processes whose keys only open, and what they write can be read by all', async () => {
  const { id, alice } = await waitingTransfer(holdfast, trouble, 'turned_off');
  await holdfast.stopWorkers();
  const dataConverter = sealedPayloads({ keys: [EARLIER, KEY], encrypts: false })!;
  Object.assign(holdfast, { temporal: { ...holdfast.temporal, dataConverter } });
  await trouble.isOver(id);
  await holdfast.startWorkers();
  await holdfast.workflowOf(id).signal(retrySignal);
  await holdfast.becomes(alice, id, 'completed', 30_000);
  const handle = holdfast.temporal.client.workflow.getHandle(transferWorkflowId(id));
  await handle.result();
  const { events } = await handle.fetchHistory();
  const encodings = contentsOf(events).payloads.map(({ metadata }) => Buffer.from(metadata!['encoding']!).toString());
  expect(encodings[0]).toBe('binary/encrypted');
  expect(encodings.at(-1)).not.toBe('binary/encrypted');
});
