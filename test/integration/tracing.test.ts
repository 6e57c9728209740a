import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { createLog } from '../../api/log';
import { createHttpRail } from '../../bank/http-rail';
import { SWEEP_SCHEDULE_ID, TASK_QUEUE, workflowTypes } from '../../contracts/transfers';
import { NOTIFY_WORKFLOW_TYPE } from '../../contracts/notifications';
import { ownerWorkflowId } from '../../contracts/payments';
import { timedRail } from '../../metrics/rail';
import { webhookChannel } from '../../notifications/webhook-channel';
import { startTracing, stopTracing, traceHeaders } from '../../tracing';
import { BANK_KEY, BANK_SECRET, TestBank } from '../support/bank';
import { Collector, newTraceId, traceparent, type ReceivedSpan } from '../support/collector';
import { eventually } from '../support/eventually';
import { writeHistory } from '../support/history-json';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { Payments } from '../support/payment-runs';
import { deliver, factEvent, pay } from '../support/payments';
import { silent } from '../support/people';
import { HookReceiver } from '../support/receivers';
import { replay } from '../support/replay';
import { workflowBundle } from '../support/workflow-bundle';

let collector: Collector;
let bank: TestBank;
let holdfast: TestHoldfast;
let payments: Payments;
let hooks: HookReceiver;
/** The headers of each call to the bank. */
const calls: http.IncomingHttpHeaders[] = [];
const logged: Record<string, unknown>[] = [];
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  const bankStarts = TestBank.start({ settleAfterMs: 0 });
  [collector, hooks, bank] = await Promise.all([Collector.start(), HookReceiver.start(), bankStarts]);
  const tracing = startTracing({ url: collector.url, ratio: 1, headers: {}, service: 'holdfast-test' }, silent);
  const url = await listenedTo(bank.url);
  const settings = { url, apiKey: BANK_KEY, webhookSecrets: [BANK_SECRET], headers: traceHeaders };
  const rail = timedRail(createHttpRail(settings));
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const log = createLog({ level: 'info', name: 'test' }, sink);
  const collect: typeof rail.collect = (order) => {
    log.info('the bank is asked');
    return rail.collect(order);
  };
  const rules = { httpsOnly: false, allowPrivate: true };
  const channels = [webhookChannel({ url: hooks.url, secret: 'a secret for webhooks', rules })];
  holdfast = await TestHoldfast.start({ rail: { ...rail, collect }, tracing, log, channels });
  payments = new Payments(holdfast);
});
afterAll(async () => {
  await holdfast?.close();
  await stopTracing();
  for (const close of closing) await close();
  await Promise.all([bank?.close(), collector?.close(), hooks?.goAway()]);
});

/** The way to the bank, on which the headers of all calls are read. */
async function listenedTo(url: string): Promise<string> {
  const way = http.createServer((req, res) => {
    calls.push(req.headers);
    const on = http.request(url + req.url, { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(res);
    });
    req.pipe(on);
  });
  await new Promise<void>((resolve) => way.listen(0, '127.0.0.1', resolve));
  closing.push(() => (way.closeAllConnections(), way.close()));
  return `http://127.0.0.1:${(way.address() as AddressInfo).port}`;
}

const patiently = { withinMs: 30_000 };

/** The only such span of a trace, once it has come. */
function theSpan(name: string, traceId: string): Promise<ReceivedSpan> {
  return eventually(async () => {
    const found = collector.named(name, traceId);
    expect([name, found.length]).toEqual([name, 1]);
    return found[0]!;
  }, patiently);
}

async function historyOf(workflowId: string): Promise<string> {
  return writeHistory(await holdfast.outside.client.workflow.getHandle(workflowId).fetchHistory());
}

test('a deposit is one trace, from the caller’s through its workflow and activities to SQL and the bank', async () => {
  const user = await holdfast.personOn(0, 'traced_payer');
  const fields = { wallet: walletOf(user), amount: '5.00', bankAccount: await payments.bankAccount(user) };
  const traceId = newTraceId();
  const headers = { ...traceparent(traceId), 'x-request-id': 'a-traced-request' };
  const { status, body } = await pay(holdfast.api, user, 'deposits', 'one', fields, { query: '?wait=20', headers });
  expect(status).toBe(201);
  await theSpan('RunWorkflow:deposit', traceId);

  const workflow = 'POST /v1/deposits > StartWorkflow:deposit > RunWorkflow:deposit';
  await eventually(async () => {
    expect(collector.paths(traceId)).toEqual(
      expect.arrayContaining([
        'POST /v1/deposits',
        'POST /v1/deposits > post > post lock',
        'POST /v1/deposits > select accounts',
        `${workflow} > RunActivity:sendToBank > bank collect`,
        `${workflow} > RunActivity:sendToBank > update bank_requests`,
        `${workflow} > RunActivity:takeStock > post > post insert-entries`,
        `${workflow} > RunActivity:takeStock > post > commit`,
      ]),
    );
  }, patiently);
  const request = await theSpan('POST /v1/deposits', traceId);
  expect(request.parentSpanId).toBe('c'.repeat(16));
  expect(request.attributes).toMatchObject({
    'http.route': '/v1/deposits',
    'http.response.status_code': 201,
    'holdfast.request_id': 'a-traced-request',
    'holdfast.transaction_id': body.id,
    temporalWorkflowId: ownerWorkflowId('deposit', body.id as string),
  });
  const call = await theSpan('bank collect', traceId);
  expect(calls.map((each) => each.traceparent)).toContain(`00-${traceId}-${call.spanId}-01`);
});

test('log lines name request, transaction, workflow and trace, and the trace names them', async () => {
  const asked = await eventually(async () => {
    const line = logged.find(({ msg }) => msg === 'the bank is asked');
    const request = logged.find(({ requestId }) => requestId === 'a-traced-request');
    expect([line, request]).toEqual([expect.anything(), expect.anything()]);
    return { line: line!, request: request! };
  });
  const { transactionId, workflowId, traceId } = asked.request;
  expect(asked.request).toMatchObject({ msg: 'request', route: '/v1/deposits', spanId: expect.any(String) });
  expect(asked.line).toMatchObject({ transactionId, workflowId, traceId });
  const [span] = collector.named('POST /v1/deposits', traceId as string);
  expect(span!.attributes).toMatchObject({
    'holdfast.request_id': 'a-traced-request',
    'holdfast.transaction_id': transactionId,
    temporalWorkflowId: workflowId,
  });
  expect(collector.spans.find(({ spanId }) => spanId === asked.line.spanId)!.name).toBe('RunActivity:sendToBank');
});

test('a group of the lane is in the trace of one of its requests, and linked to the others', async () => {
  const [alice, bob] = await holdfast.pair('traced');
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
  const traces = Array.from({ length: 8 }, newTraceId);
  const answers = await Promise.all(
    traces.map((traceId, n) => holdfast.transfer(alice, `lane-${n}`, fields, traceparent(traceId, n !== 7))),
  );
  expect(answers.map(({ status }) => status)).toEqual(traces.map(() => 201));

  const groups = new Map<unknown, ReceivedSpan>();
  for (const [n, traceId] of traces.slice(0, 7).entries()) {
    const request = await theSpan('POST /v1/transfers', traceId);
    expect(request.attributes).toMatchObject({ 'holdfast.transaction_id': answers[n]!.body.id });
    const group = await eventually(async () => {
      const isOf = ({ parentSpanId, links }: ReceivedSpan) =>
        parentSpanId === request.spanId || links.some(({ spanId }) => spanId === request.spanId);
      const found = collector.named('lane group').filter(isOf);
      expect(found).toHaveLength(1);
      return found[0]!;
    }, patiently);
    groups.set(request.attributes['temporalWorkflowId'], group);
  }
  // The first left alone, and the others together while it was under way.
  expect(groups.size).toBeGreaterThan(1);
  expect(groups.size).toBeLessThan(7);
  for (const [workflowId, group] of groups) {
    const above = 'POST /v1/transfers > lane group';
    const start = await theSpan('StartWorkflow:transferGroup', group.traceId);
    expect(start.attributes).toMatchObject({ temporalWorkflowId: workflowId });
    await theSpan('RunWorkflow:transferGroup', group.traceId);
    await eventually(async () => {
      const paths = collector.paths(group.traceId);
      expect(paths).toContain(
        `${above} > StartWorkflow:transferGroup > RunWorkflow:transferGroup > RunActivity:postTransfers`,
      );
      expect(paths.some((path) => path.startsWith(above) && path.endsWith('> post > commit'))).toBe(true);
    }, patiently);
  }
  const linked = [...groups.values()].reduce((total, { links }) => total + links.length, 0);
  expect(linked).toBe(7 - groups.size);
  // Who called the eighth keeps no trace of it, and so do we.
  expect(collector.spans.filter(({ traceId }) => traceId === traces[7])).toEqual([]);
});

test('a webhook of the bank goes on with the bank’s trace', async () => {
  await bank.control.setFaults([{ name: 'never_settles' }]);
  const user = await holdfast.personOn(0, 'traced_told');
  const facts = await payments.begin('deposit', user, 250n);
  const request = await eventually(async () => {
    const row = await payments.request(facts);
    expect(row?.state).toBe('accepted');
    return row!;
  }, patiently);
  const traceId = newTraceId();
  const fact = { reference: request.reference, state: 'settled', settlementId: 'st_traced' } as const;
  const event = factEvent(`ev_${randomUUID()}`, { ...fact, amountMinor: 250n, currency: 'SGD' });
  await deliver(holdfast.api, [event], BANK_SECRET, traceparent(traceId));
  await eventually(async () => {
    expect(collector.paths(traceId)).toEqual(
      expect.arrayContaining([
        'POST /v1/bank/webhooks > insert bank_inbox',
        'POST /v1/bank/webhooks > SignalWithStartWorkflow:deposit',
      ]),
    );
  }, patiently);
  expect((await theSpan('POST /v1/bank/webhooks', traceId)).parentSpanId).toBe('c'.repeat(16));
  expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
});

test('whoever is told by webhook can go on with the trace of the run that told them', async () => {
  const notify = async (workflowId: string) => {
    const { client } = holdfast.outside;
    const input = { workflowId, taskQueue: TASK_QUEUE, args: [{ shards: 1 }] };
    const handle = await client.workflow.start(NOTIFY_WORKFLOW_TYPE, input);
    await handle.result();
    return handle.firstExecutionRunId.replaceAll('-', '');
  };
  await notify('notify-from-here-on');
  const [alice, bob] = await holdfast.pair('traced_news');
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
  expect((await holdfast.transfer(alice, 'news', fields)).status).toBe(201);
  const traceId = await notify('notify-traced');
  await eventually(async () => {
    const paths = collector.paths(traceId).filter((each) => each.endsWith('webhook'));
    expect(paths).toEqual([expect.stringMatching(/^RunWorkflow:notify > RunActivity:\w+ > webhook$/)]);
  }, patiently);
  const sent = collector.named('webhook', traceId).map(({ spanId }) => `00-${traceId}-${spanId}-01`);
  expect(hooks.received.map(({ headers }) => headers['traceparent']).sort()).toEqual(sent.sort());
});

test('what a schedule starts has a trace of its own, by the id of its run', async () => {
  const { client } = holdfast.outside;
  const handle = await client.workflow.start(workflowTypes.sweep, {
    workflowId: `${SWEEP_SCHEDULE_ID}-traced`,
    taskQueue: TASK_QUEUE,
    args: [holdfast.sweepSettings().input],
  });
  await handle.result();
  const traceId = handle.firstExecutionRunId.replaceAll('-', '');
  await theSpan('RunWorkflow:sweep', traceId);
  await eventually(async () => {
    const paths = collector.paths(traceId);
    expect(paths).toContain('RunWorkflow:sweep > RunActivity:sweepShard > select holds');
    expect(paths.filter((path) => !path.startsWith('RunWorkflow:sweep'))).toEqual([]);
  }, patiently);
});

test('nothing personal is in a span, and no value of a statement', () => {
  const all = collector.spans.map(({ raw }) => raw).join('\n');
  for (const personal of [/traced_/, /Personal/, /12345678/, /@example/, /\$\d/, /exception\.(message|stacktrace)/]) {
    expect(all).not.toMatch(personal);
  }
  const keys = new Set(collector.spans.flatMap(({ attributes }) => Object.keys(attributes)));
  expect([...keys].sort()).toEqual(
    [
      ...['commands', 'shard', 'transfers', 'db.system.name'],
      ...['holdfast.request_id', 'holdfast.transaction_id', 'http.request.method', 'http.response.status_code'],
      ...['http.route', 'run_id', 'temporalActivityId', 'temporalWorkflowId'],
    ].sort(),
  );
});

test('a history written with tracing is replayed without it, and one written without it with it', async () => {
  const spans = [...collector.named('RunWorkflow:transferGroup'), ...collector.named('RunWorkflow:deposit')];
  const histories = await Promise.all(spans.map((span) => historyOf(span.attributes['temporalWorkflowId'] as string)));
  for (const json of histories) expect(json).toContain('_tracer-data');
  const all = histories.map((json, index) => ({ name: String(index), json }));
  for (const areTraced of [false, true]) {
    expect(await replay(await workflowBundle({ areSealed: false, areTraced }), all)).toEqual({});
  }
});
